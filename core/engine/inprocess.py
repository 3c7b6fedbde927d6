"""Handlers inside this process: the link without a wire.

Async methods run on the loop, sync ones in a thread. The beat is the loop's own: while it turns, the work is alive.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import structlog

from core.engine.ports import BEAT_S, Answer, AnswerSink, Clock, Instance, Order
from schedule_zero.errors import Invalid, Reject, RetryAfter
from schedule_zero.handler import Context, Handler, Method, methods_of, name_of
from schedule_zero.run import Cause

log = structlog.get_logger("schedule_zero.inprocess")

STARTED_AFTER_S: Final = 0.2
CANCELLED_BY_S: Final = 2.0
LARGEST_RESULT: Final = 64 * 1024
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode_metadata: Final = msgspec.json.Decoder(dict[str, str]).decode
_encode: Final = msgspec.json.Encoder().encode


class InProcessLink:
    """Serves one handler's methods in this process."""

    def __init__(self, handler: Handler, sink: AnswerSink, clock: Clock, incarnation: str) -> None:
        """``incarnation`` tells this process from the one before it, so that recovery knows whose attempts died."""
        self._handler = handler
        self._sink = sink
        self._clock = clock
        self._methods = handler.methods if isinstance(handler, Functions) else methods_of(handler)
        self._running: dict[tuple[str, int], tuple[Order, asyncio.Task[None], Context]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.closing = False
        name = name_of(handler)
        self.instance = Instance(name=f"{name}@{incarnation}", handler=name, methods={}, credit=4096)
        self._describe()
        handler._on_change = self._changed

    @property
    def methods(self) -> dict[str, Method]:
        return self._methods

    def send(self, orders: Sequence[Order]) -> None:
        for order in orders:
            context = self._context(order)
            task = self._loop.create_task(self._work(order, context))
            self._running[order.run_id, order.attempt] = (order, task, context)
        if self._timer is None and self._running:
            self._timer = self._loop.call_later(STARTED_AFTER_S, self._beat)

    def cancel(self, run_id: str, attempt: int) -> None:
        entry = self._running.get((run_id, attempt))
        if entry is None:
            return
        _, task, context = entry
        context.cancelled = True
        begun = inspect.getcoroutinestate(task.get_coro()) != inspect.CORO_CREATED  # type: ignore[arg-type] # it is one
        task.cancel()
        if not begun:  # then nothing of it ever runs, and nobody else would tell of its end
            del self._running[run_id, attempt]
            self._sink.answer([Answer(run_id=run_id, attempt=attempt, kind="cancelled", error="was cancelled")])

    def acknowledge(self, answered: Sequence[tuple[str, int]]) -> None:
        """Nothing to forget: an answer inside the process cannot be lost on its way."""

    async def close(self, grace_s: float) -> None:
        self.closing = True
        tasks = [task for _, task, _ in self._running.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:  # a method that will not be cancelled does not keep the process from ending
                await asyncio.wait(late, timeout=CANCELLED_BY_S)
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._handler.stop()
        except Exception:  # a handler's trouble while it stops must not keep the others from stopping
            log.exception("handler failed to stop", handler=self.instance.handler)

    def _context(self, order: Order) -> Context:
        return Context(
            run_id=order.run_id, attempt=order.attempt, due=order.due, deadline=order.deadline,
            schedule_id=order.schedule_id, guild_id=order.guild_id, owner_id=order.owner_id,
            metadata=_decode_metadata(order.metadata), late_by=order.late_by, note=self._noter(order),
        )  # fmt: skip

    def _noter(self, order: Order) -> Callable[[str, float | None, str], None]:
        def note(kind: str, fraction: float | None, text: str) -> None:  # noqa: ARG001 - as Context calls it
            answer = Answer(
                run_id=order.run_id, attempt=order.attempt, kind="progress", fraction=fraction, note=text[:500]
            )
            self._on_the_loop(self._sink.answer, [answer])

        return note

    async def _work(self, order: Order, context: Context) -> None:
        try:
            method = self._methods[order.method]
            args = method.check(_decode(order.args))
            if method.is_async:
                value = await method(context, args)
            else:
                value = await asyncio.to_thread(method, context, args)
                if inspect.isawaitable(value):
                    value = await value
            answer = Answer(run_id=order.run_id, attempt=order.attempt, kind="succeeded", value=_spelled(value))
        except asyncio.CancelledError as error:
            if context.cancelled or self.closing:
                answer = Answer(run_id=order.run_id, attempt=order.attempt, kind="cancelled", error="was cancelled")
            else:  # something inside the method was cancelled, not the method
                answer = failure_of(order, error)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes its run's outcome
            answer = failure_of(order, error)
        self._running.pop((order.run_id, order.attempt), None)
        self._sink.answer([answer])

    def _beat(self) -> None:
        """Soon after the start: what is still running is acknowledged as started. Later: the beat."""
        self._timer = None
        if not self._running:
            return
        pairs = [(order.run_id, order.attempt) for order, _, _ in self._running.values()]
        self._sink.beat(self.instance.name, pairs)
        self._timer = self._loop.call_later(BEAT_S / 2, self._beat)

    def _describe(self) -> None:
        self.instance.methods = {key: method.info for key, method in self._methods.items()}
        self.instance.available = self._handler.available

    def _changed(self) -> None:
        self._on_the_loop(self._tell_change)

    def _tell_change(self) -> None:
        self._describe()
        self._sink.fleet_changed()

    def _on_the_loop(self, call: Callable[..., None], *args: Any) -> None:
        """Call; a sync method speaks from a thread of its own, and the sink stands on the loop."""
        if threading.get_ident() == self._thread:
            call(*args)
        else:
            self._loop.call_soon_threadsafe(call, *args)


def _spelled(value: Any) -> str:
    """A result as JSON. The work is done, so a value that JSON cannot hold is no failure: its description is kept."""
    try:
        text = _encode(value).decode()
    except Exception:  # noqa: BLE001 - any value may come here, and any of its methods may raise
        text = _encode(_plain(repr(value))).decode()
    if len(text) <= LARGEST_RESULT:
        return text
    return _encode({"truncated": text[:1000], "length": len(text)}).decode()


def _plain(text: str) -> str:
    """Text that every store and wire can carry: without halves of surrogate pairs, and without NUL, which PostgreSQL
    does not take and at which SQLite's JSON ends."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception of a stranger's class may fail to say what it is
        return "(it cannot be told)"


def failure_of(order: Order, error: BaseException) -> Answer:
    """The answer for an exception a method raised: its cause decides whether there is another try."""
    cause, retry_after_s = Cause.UNKNOWN, None
    text = f"{type(error).__name__}: {_said(error)}"
    if isinstance(error, Reject):
        cause, text = Cause.LASTING, str(error.reason)
    elif isinstance(error, RetryAfter) and isinstance(error.seconds, int | float):
        cause, retry_after_s, text = Cause.PASSING, max(0.0, error.seconds), str(error)
    elif isinstance(error, Invalid):
        cause, text = Cause.LASTING, f"bad_arguments: {error.sentence}"
    else:
        where = traceback.extract_tb(error.__traceback__)[-1:]
        log.warning("handler failed", run_id=order.run_id, method=f"{order.handler}.{order.method}", error=text,
                    at=[f"{frame.name}:{frame.lineno}" for frame in where])  # fmt: skip
    return Answer(
        run_id=order.run_id, attempt=order.attempt, kind="failed", cause=cause, error=_plain(text[:2000]),
        retry_after_s=retry_after_s,
    )  # fmt: skip


class Functions(Handler):
    """Plain functions as the methods of one handler, ``local``; what the embedded mode's decorator fills."""

    name = "local"

    def __init__(self) -> None:
        self.methods: dict[str, Method] = {}

    def add(self, function: Callable[..., Any], name: str | None = None) -> None:
        """Serve a function under its own name, or another.

        Raises:
            ValueError: a function of that name is served already.
        """
        name = name or function.__name__
        if name in self.methods:
            raise ValueError(f"a function named {name!r} is served already; give this one another name")
        self.methods[name] = Method(function, name)
        if self._on_change is not None:
            self._on_change()
