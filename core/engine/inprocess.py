"""Handlers inside this process: the link without a wire.

Async methods run on the loop, sync ones in a thread. The beat is the loop's own: while it turns, the work is alive.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import structlog

from core.engine.ports import BEAT_S, Answer, AnswerSink, HandlerLink, Instance, Order
from schedule_zero.handler import Context, Handler, Method, method_of, methods_of, name_of
from schedule_zero.process.calling import OnLoop, call, cancelled
from schedule_zero.process.interrupts import meant_for_the_process
from schedule_zero.process.lines import Told
from schedule_zero.process.telling import Teller
from schedule_zero.transport.wire import Ended

log = structlog.get_logger("schedule_zero.inprocess")

STARTED_AFTER_S: Final = 0.2
CANCELLED_BY_S: Final = 2.0
_decode_metadata: Final = msgspec.json.Decoder(dict[str, str]).decode


class InProcessLink(HandlerLink):
    """Serves one handler's methods in this process."""

    def __init__(self, handler: Handler, sink: AnswerSink, incarnation: str) -> None:
        """``incarnation`` tells this process from the one before it, so that recovery knows whose attempts died."""
        self._handler = handler
        self._sink = sink
        self._methods = handler.methods if isinstance(handler, Functions) else methods_of(handler)
        self._running: dict[tuple[str, int], tuple[Order, asyncio.Task[None], Context]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._on_the_loop = OnLoop()
        name = name_of(handler)
        self.instance = Instance(name=f"{name}@{incarnation}", handler=name, methods={}, credit=4096)
        self._describe()
        handler._on_change = self._changed

    @property
    def methods(self) -> dict[str, Method]:
        return self._methods

    def send(self, orders: Sequence[Order]) -> None:
        for order in orders:
            teller = self._teller(order)
            context = _context(order, teller)
            task = self._loop.create_task(self._work(order, context, teller))
            self._running[order.run_id, order.attempt] = (order, task, context)
        if self._timer is None and self._running:
            self._timer = self._loop.call_later(STARTED_AFTER_S, self._beat)

    def cancel(self, run_id: str, attempt: int) -> None:
        entry = self._running.get((run_id, attempt))
        if entry is None:
            return
        order, task, context = entry
        if context.cancelled and not self._methods[order.method].is_async:
            return  # its thread knows, and a second cancellation would leave it behind
        context.cancelled = True
        begun = inspect.getcoroutinestate(task.get_coro()) != inspect.CORO_CREATED  # type: ignore[arg-type] # it is one
        task.cancel()
        if not begun:  # then nothing of it ever runs, and nobody else would tell of its end
            del self._running[run_id, attempt]
            self._tell(cancelled(context))

    def acknowledge(self, answered: Sequence[tuple[str, int]]) -> None:
        """Nothing to forget: an answer inside the process cannot be lost on its way."""

    def drain(self) -> None:
        """Nothing to tell: it gets nothing new, and that is all."""

    async def close(self, grace_s: float) -> None:
        tasks = {task: context for _, task, context in self._running.values()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                tasks[task].cancelled = True
                task.cancel()
            if late:  # a method that will not be cancelled does not keep the process from ending
                await asyncio.wait(late, timeout=CANCELLED_BY_S)
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._handler.stop()
        except (Exception, SystemExit) as error:  # its trouble while it stops must not keep the others from stopping
            if meant_for_the_process(error):
                raise
            log.exception("handler failed to stop", handler=self.instance.handler)

    def _teller(self, order: Order) -> Teller:
        def tell(told: Told) -> None:
            answer = Answer(
                run_id=order.run_id, attempt=order.attempt, instance=self.instance.name, kind="progress",
                fraction=told.fraction, note=told.note, lines=told.taken.lines, left_out=told.taken.left_out,
            )  # fmt: skip
            self._sink.answer([answer])

        return Teller(self._on_the_loop, tell)

    async def _work(self, order: Order, context: Context, teller: Teller) -> None:
        ended = await call(self._methods[order.method], context, order.args)
        teller.flush(last=True)
        teller.close()
        self._running.pop((order.run_id, order.attempt), None)
        self._tell(ended)

    def _tell(self, ended: Ended) -> None:
        answer = Answer(
            run_id=ended.run_id, attempt=ended.attempt, instance=self.instance.name, kind=ended.status,
            value=ended.value, cause=ended.cause, error=ended.error, retry_after_s=ended.retry_after,
        )  # fmt: skip
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
        self.instance.version = self._handler.version
        self.instance.capabilities = frozenset(self._handler.capabilities)

    def _changed(self) -> None:
        self._on_the_loop(self._tell_change)

    def _tell_change(self) -> None:
        self._describe()
        self._sink.fleet_changed()


def _context(order: Order, teller: Teller) -> Context:
    return Context(
        run_id=order.run_id, attempt=order.attempt, due=order.due, deadline=order.deadline,
        schedule_id=order.schedule_id, guild_id=order.guild_id, owner_id=order.owner_id,
        metadata=_decode_metadata(order.metadata), late_by=order.late_by, note=teller.note,
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
        self.methods[name] = method_of(function, name)
        if self._on_change is not None:
            self._on_change()
