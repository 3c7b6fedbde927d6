"""Orders to a governor that runs: JSON lines over a socket that only its user can open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog

from core.processes.port import GovernorBase, GovernorStatus, Health, Metrics, ProcessError
from core.processes.settings import HandlerProcess

LONGEST: Final = 64 * 1024
log = structlog.get_logger("schedule_zero.processes")
T = TypeVar("T")


class Order(msgspec.Struct, frozen=True, tag_field="do", forbid_unknown_fields=True):
    """The form of all orders."""


class TellStatus(Order, frozen=True, tag="status"):
    """Answered by GovernorStatus."""


class TellHealth(Order, frozen=True, tag="health"):
    """Answered by Health."""


class TellMetrics(Order, frozen=True, tag="metrics"):
    """Answered by Metrics."""


class Stop(Order, frozen=True, tag="stop"):
    """Answered when everything has ended."""


class Restart(Order, frozen=True, tag="restart"):
    """Answered when the new processes are under way."""

    name: str | None = None


class Add(Order, frozen=True, tag="add"):
    """Answered by the names of the children."""

    handler: HandlerProcess


class Remove(Order, frozen=True, tag="remove"):
    """Answered by the names of the children that ended."""

    name: str


class Wait(Order, frozen=True, tag="wait"):
    """Answered by Health, once everything is ready, something has failed, or the seconds are over.

    ``names``: only these children are meant; none: all.
    """

    patience_s: float
    names: tuple[str, ...] = ()


AnyOrder = TellStatus | TellHealth | TellMetrics | Stop | Restart | Add | Remove | Wait


class Answer(msgspec.Struct, frozen=True):
    """``value``: what was asked for; ``error``: why it cannot be had."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None


_orders: Final = msgspec.json.Decoder(AnyOrder)
_answers: Final = msgspec.json.Decoder(Answer)


class Control:
    """Takes orders for a governor.

    Attributes:
        stopped: set when an order has stopped it.
    """

    def __init__(self, governor: GovernorBase, path: Path) -> None:
        self._governor = governor
        self._path = path
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[Any]] = set()
        self.stopped = asyncio.Event()

    async def open(self) -> None:
        """Take orders from now on. Whoever else does at this path is dead: see the lock. Raises OSError."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._talk, str(self._path), limit=LONGEST)
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Take no more orders; those under way are answered first."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
            await asyncio.wait(self._talks, timeout=1.0) if self._talks else None
            for talk in self._talks:
                talk.cancel()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                line = await reader.readuntil(b"\n")
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                await writer.drain()
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            order = _orders.decode(line)
            return Answer(value=msgspec.Raw(msgspec.json.encode(await self._do(order))))
        except (ProcessError, msgspec.ValidationError, msgspec.DecodeError) as error:
            return Answer(error=str(error))
        except Exception as error:  # one order that fails must not end the governor
            log.exception("an order failed")
            return Answer(error=f"an unforeseen {type(error).__name__}: {error}; the governor's output shows where")

    async def _do(self, order: AnyOrder) -> Any:
        match order:
            case TellStatus():
                return self._governor.status()
            case TellHealth():
                return self._governor.health_check()
            case TellMetrics():
                return self._governor.get_metrics()
            case Stop():
                await self._governor.stop()
                self.stopped.set()
            case Restart(name):
                await self._governor.restart(name)
            case Add(handler):
                return await self._governor.add_handler(handler)
            case Remove(name):
                return await self._governor.remove_handler(name)
            case Wait(patience_s, names):
                return await self._governor.ready(patience_s, names)
        return None


class Remote:
    """The way to a governor in another process; blocks.

    Raises (every method):
        ProcessError: the governor's own sentence, or that it gives no answer.
        ConnectionError, FileNotFoundError: no governor is there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def status(self, patience_s: float = 5.0) -> GovernorStatus:
        """How everything is going."""
        return self._ask(TellStatus(), GovernorStatus, patience_s)

    def health_check(self, patience_s: float = 5.0) -> Health:
        """Whether everything is ready."""
        return self._ask(TellHealth(), Health, patience_s)

    def get_metrics(self, patience_s: float = 5.0) -> Metrics:
        """Figures."""
        return self._ask(TellMetrics(), Metrics, patience_s)

    def ready(self, patience_s: float, names: Sequence[str] = ()) -> Health:
        """How it is once everything (or these) is ready, something of it has failed, or the time is over."""
        return self._ask(Wait(patience_s, tuple(names)), Health, patience_s + 5.0)

    def stop(self, patience_s: float) -> None:
        """Stop everything, the governor too."""
        self._ask(Stop(), type(None), patience_s)

    def restart(self, name: str, patience_s: float) -> None:
        """Start one child, or a handler's, again."""
        self._ask(Restart(name), type(None), patience_s)

    def add_handler(self, handler: HandlerProcess, patience_s: float = 5.0) -> list[str]:
        """Keep a handler alive as well; the names of its children."""
        return self._ask(Add(handler), list[str], patience_s)

    def remove_handler(self, name: str, patience_s: float) -> list[str]:
        """Keep a handler, or one child of it, alive no longer; the names of those that ended."""
        return self._ask(Remove(name), list[str], patience_s)

    def _ask(self, order: Order, kind: type[T], patience_s: float) -> T:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(patience_s)
            try:
                line.connect(str(self._path))
                line.sendall(msgspec.json.encode(order) + b"\n")
                with line.makefile("rb") as answers:
                    text = answers.readline()
            except TimeoutError:
                raise ProcessError(f"the governor gives no answer within {patience_s:g} s") from None
        if not text:
            raise ConnectionResetError("the governor ended before it answered")
        answer = _answers.decode(text)
        if answer.error is not None:
            raise ProcessError(answer.error)
        return msgspec.json.decode(answer.value, type=kind)
