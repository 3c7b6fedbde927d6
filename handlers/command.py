"""The command handler: programs of this machine, by the names the operator gave them. Never a shell.

Each command of the options is a method of its own, with its own arguments: ``docs/handlers/command.md``. A keeper process
(``handlers/keeper.py``) stands between: it ends the whole process group, also when this process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from handlers.command_line import CommandLine, Program
from schedule_zero import Context, Handler
from schedule_zero.errors import Passing, Reject
from schedule_zero.handler import Method, plain

KEEPER: Final = Path(__file__).with_name("keeper.py")
MARGIN_S: Final = 5.0
OUTPUTS_S: Final = 1.0
TOLD_OF_ERROR: Final = 300


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What the operator sets: commands by name."""

    commands: dict[str, Program]


class CommandFailed(Exception):
    """A command ended with an exit code that says nothing about another try."""


class Command(Handler):
    """Every command of the options is a method."""

    name = "command"
    OPTIONS: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, **options: Any) -> None:
        """Raises ValueError with what is wrong in the options."""
        if os.name != "posix":
            raise ValueError("commands need a POSIX system")
        programs = msgspec.convert(options, Options).commands
        if not programs:
            raise ValueError("commands: name at least one")
        self._methods = {name: self._method(name, program) for name, program in programs.items()}

    def made_methods(self) -> Mapping[str, Method]:
        return self._methods

    def _method(self, name: str, program: Program) -> Method:
        try:
            line = CommandLine(name, program)
        except ValueError as error:
            raise ValueError(f"commands.{name}.{error}") from None

        async def run(ctx: Context, **values: Any) -> Any:
            return await _run(line, ctx, values)

        run.__doc__ = program.description or f"Runs {program.argv[0]}."
        run.__signature__ = inspect.Signature(line.parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in line.parameters}
        return Method(run, name, timeout=program.timeout, at_most_once=program.at_most_once, further=line.check)


class _Tail:
    """The last bytes of an output."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = bytearray()

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Take everything, keep the end."""
        while part := await stream.read(65_536):
            self._kept += part
            del self._kept[: max(0, len(self._kept) - self._most)]

    def __str__(self) -> str:
        return plain(self._kept.decode("utf-8", "replace"))


class _Kept:
    """A program under its keeper. What the keeper tells ends when the keeper has, which is the end of everything.

    Not asyncio's own subprocess: that has ended only when nobody holds its outputs open any more, and whoever got away
    may hold them for ever.
    """

    def __init__(self, line: CommandLine, ctx: Context, values: Mapping[str, Any]) -> None:
        program = line.program
        told, tell = os.pipe()
        try:
            self._keeper = subprocess.Popen(  # noqa: S603 - the operator's program, values as single arguments, no shell
                [sys.executable, "-I", "-S", str(KEEPER), str(tell), str(program.grace), *line.argv(values)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                cwd=program.cwd, pass_fds=(tell,), start_new_session=True,
                env=line.env | {"SCHEDULE_ZERO_RUN": ctx.run_id, "SCHEDULE_ZERO_ATTEMPT": str(ctx.attempt)},
            )  # fmt: skip
        except BaseException:  # whatever it is, it goes on; the end that nobody will read does not stay open
            os.close(told)
            raise
        finally:
            os.close(tell)
        self._told = open(told, "rb", buffering=0)  # noqa: SIM115 - its transport closes it
        self._transports: list[asyncio.ReadTransport] = []

    async def open(self) -> list[asyncio.StreamReader]:
        """What the keeper tells, and the program's two outputs."""
        return [await self._reader(pipe) for pipe in (self._told, self._keeper.stdout, self._keeper.stderr)]

    def stop(self) -> None:
        """Let go of the life line: the program is ended."""
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()

    async def close(self) -> None:
        """Let go of everything."""
        self.stop()
        for transport in self._transports:
            transport.close()
        for pipe in (self._told, self._keeper.stdout, self._keeper.stderr):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MARGIN_S):
                while self._keeper.poll() is None:  # noqa: ASYNC110 - its pipe is closed: it is about to be gone
                    await asyncio.sleep(0.001)

    async def _reader(self, pipe: Any) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._transports.append(transport)
        return reader


async def _run(line: CommandLine, ctx: Context, values: Mapping[str, Any]) -> Any:
    """Run a command under its keeper; its result, or an error with the cause its exit code stands for."""
    program, began = line.program, time.monotonic()
    out, err = _Tail(program.output_bytes), _Tail(program.output_bytes)
    kept = _Kept(line, ctx, values)
    try:
        told, *outputs = await kept.open()
        reading = asyncio.gather(*(tail.read(output) for tail, output in zip((out, err), outputs, strict=True)))
        try:
            said = await told.read()
        except asyncio.CancelledError:
            kept.stop()
            await _within(program.grace + MARGIN_S, told.read())
            raise
        finally:
            await _within(OUTPUTS_S, reading)
    finally:
        await kept.close()
    return _judged(line, *_fate(said.decode()), str(out), str(err), time.monotonic() - began)


async def _within(seconds: float, waited: Awaitable[Any]) -> None:
    """Wait for something, but not longer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waited


def _fate(told: str) -> tuple[str, int]:
    """The keeper's last word. Where it was killed before it could say that, its program goes, too."""
    words = [tuple(said.split(" ")) for said in told.splitlines()]
    word, number = words[-1] if words else ("", "0")
    if word == "pid":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(number), signal.SIGKILL)
    return word, int(number)


def _judged(line: CommandLine, word: str, number: int, out: str, err: str, seconds: float) -> Any:
    name, program = line.name, line.program
    if word == "failed":
        raise Reject(f"{name} cannot be started: {os.strerror(number).lower()}")
    if word not in ("exit", "signal"):
        raise CommandFailed(f"{name} was killed together with its keeper")
    if (word, number) == ("exit", 0):
        return {"exit_code": 0, "stdout": out, "stderr": err, "seconds": round(seconds, 3)}
    last = " ".join((err.strip() or out.strip())[-TOLD_OF_ERROR:].split())
    said = f"{name} ended with {'exit code' if word == 'exit' else 'signal'} {number}" + (f": {last}" if last else "")
    if word == "exit" and number in program.lasting:
        raise Reject(said)
    if word == "exit" and number in program.passing:
        raise Passing(said)
    raise CommandFailed(said)
