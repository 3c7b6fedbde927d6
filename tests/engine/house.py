"""A core to test in: the real engine and service over rows that outlive it, a clock moved by hand, hands that do as told.

``House.open`` is a start, ``kill`` an end in the middle of everything, ``close`` an orderly one. Nothing is waited for by
time: ``heard`` returns when the journal tells of it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from core.engine.engine import Engine
from core.engine.janitor import Retention
from core.engine.ports import Answer, AnswerSink, HandlerLink, Instance, Order, Pace
from core.governor.settings import GovernorSettings, Plan
from core.ledger.ledger import StoredLedger
from core.ledger.port import Transaction
from core.local import LocalClient
from core.service.service import Service
from schedule_zero import Context, Handler, method
from schedule_zero.event import Event
from schedule_zero.handler import MethodInfo
from schedule_zero.instant import SECOND, spell, to_datetime
from schedule_zero.run import Run, RunState, Why
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import DateTrigger, IntervalTrigger, Trigger

PATIENCE_S = 20.0
SAVED_WITHIN_S = 2.0
PACE = Pace(longest_sleep_s=0.02, dispatch_s=0.05, janitor_s=0.02)
OPEN_PLAN = GovernorSettings(default_plan="trusted")


def plan(**limits: Any) -> GovernorSettings:
    """A governor whose guilds all have one small plan."""
    return GovernorSettings(plans={"small": Plan(**limits)}, default_plan="small")


NOON = 1_772_539_200_000_000  # 2026-03-03T12:00:00Z, a Tuesday far from midnight and clock changes


class HandClock:
    """A clock that starts at noon, goes as the machine's goes, and can be moved by hand."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._set = 0.0
        self._began = time.monotonic()

    def now(self) -> int:
        return NOON + int((time.monotonic() - self._began + self._ahead + self._set) * 1e6)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def move(self, seconds: float) -> None:
        """Time passes."""
        self._ahead += seconds

    def set(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._set += seconds

    def in_s(self, seconds: float) -> str:
        """RFC 3339 of an instant that far from now."""
        return spell(self.now() + int(seconds * SECOND))


def datetime_of(clock: HandClock) -> Any:
    """What APScheduler, which reads the wall clock by itself, shall read instead."""

    class Now(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return to_datetime(clock.now())

    return Now


Deed = Callable[[Context, int], Awaitable[Any]]


class Hands(Handler):
    """Does what it is told. ``deed`` decides what a call does, ``begun`` gives the calls as they begin."""

    name = "hands"

    def __init__(self, deed: Deed | None = None) -> None:
        self.deed = deed
        self.calls: list[tuple[str, int, int]] = []
        self.begun: asyncio.Queue[Context] = asyncio.Queue()

    @method()
    async def work(self, ctx: Context, n: int = 0) -> Any:
        return await self._do(ctx, n)

    @method(at_most_once=True)
    async def once(self, ctx: Context, n: int = 0) -> Any:
        return await self._do(ctx, n)

    @method(timeout=0.03)
    async def brief(self, ctx: Context, n: int = 0) -> Any:
        return await self._do(ctx, n)

    def hold(self, *, obedient: bool = True) -> asyncio.Event:
        """Hold every call until the event is set; where disobedient, also when asked to stop."""
        gate = asyncio.Event()

        async def deed(ctx: Context, n: int) -> Any:
            while not gate.is_set():
                try:
                    await gate.wait()
                except asyncio.CancelledError:
                    if obedient:
                        raise
            return n

        self.deed = deed
        return gate

    async def _do(self, ctx: Context, n: int) -> Any:
        self.calls.append((ctx.run_id, ctx.attempt, n))
        self.begun.put_nowait(ctx)
        return {"n": n} if self.deed is None else await self.deed(ctx, n)


class Mute(HandlerLink):
    """A link to somebody far away: orders are kept, answers come when the test sends them."""

    def __init__(
        self, sink: AnswerSink, name: str = "far@elsewhere", handler: str = "far", credit: int = 64,
        further: Sequence[MethodInfo] = (),
    ) -> None:  # fmt: skip
        """``further``: methods beside ``work``."""
        work = MethodInfo(name="work", doc="", timeout=None, at_most_once=False, schema={})
        info = {each.name: each for each in (work, *further)}
        self.instance = Instance(name=name, handler=handler, methods=info, credit=credit)
        self.orders: asyncio.Queue[Order] = asyncio.Queue()
        self.cancelled: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.acknowledged: list[tuple[str, int]] = []
        self.drained = False
        self._sink = sink

    def send(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self.orders.put_nowait(order)

    def cancel(self, run_id: str, attempt: int) -> None:
        self.cancelled.put_nowait((run_id, attempt))

    def acknowledge(self, answered: Sequence[tuple[str, int]]) -> None:
        self.acknowledged.extend(answered)

    def drain(self) -> None:
        self.drained = True

    async def close(self, grace_s: float) -> None:
        pass

    def answer(self, order: Order, kind: str = "succeeded", **fields: Any) -> None:
        name = self.instance.name
        answer = Answer(run_id=order.run_id, attempt=order.attempt, instance=name, kind=kind, **fields)  # type: ignore[arg-type]
        self._sink.answer([answer])


class House:
    """One core after another over the same rows."""

    def __init__(
        self, make_ledger: Callable[[], StoredLedger], clock: HandClock, governor: GovernorSettings = OPEN_PLAN,
        pace: Pace = PACE, retention: Retention | None = None,
    ) -> None:  # fmt: skip
        self._make_ledger = make_ledger
        self._pace = pace
        self._retention = retention
        self._task: asyncio.Task[None] | None = None
        self._errands: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self.clock = clock
        self.governor = governor
        self.hands = Hands()
        self.ledger: StoredLedger
        self.engine: Engine
        self.service: Service
        self.client: LocalClient

    async def open(self, *, serve: bool = True, run: bool = True) -> None:
        """Start a core. ``serve``: with the hands; ``run``: with its engine turning."""
        self.ledger = self._make_ledger()
        await self.ledger.open()
        self.ledger.on_commit(self._nudge.set)
        self.engine = Engine(
            ledger=self.ledger, clock=self.clock, governor=self.governor, pace=self._pace, retention=self._retention
        )
        self.service = Service(self.engine, dict)
        self.client = LocalClient(self.service)
        if serve:
            self.engine.serve(self.hands)
        await self.service.guilds.load_zones()
        await self.service.measures.load()
        await self.service.upkeep.load()
        await self.service.bans.load()
        await self.service.renewal.look()
        await self.engine.recover()
        if run:
            self.run()

    def run(self) -> None:
        """Let the engine turn."""
        self._task = asyncio.create_task(self.engine.run(), name="engine")
        self._errands = asyncio.create_task(self.service.errands.run(), name="errands")

    async def close(self) -> None:
        """An orderly end."""
        if self._task is not None:
            await self.engine.drain()
        await self.kill()

    async def kill(self) -> None:
        """The end of a process that did not see it coming: nothing is drained, no outcome is taken any more."""
        for task in (self._task, self._errands):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._task = self._errands = None
        self.engine.settler.take = lambda answers: None  # type: ignore[method-assign]
        await asyncio.gather(*(link.close(0.0) for link in self.engine.fleet.links()))
        await self.ledger.close()

    async def crashed(self) -> BaseException | None:
        """Wait until the engine ends by itself, and tell why."""
        assert self._task is not None
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([self._task])
        return self._task.exception()

    # what happens

    async def heard(self, kind: str, *, count: int = 1, **facts: Any) -> Event:
        """The ``count``-th event of that kind with those fields; waits until the journal has it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self._nudge.clear()
                fitting = [event for event in await self.told(kind) if _fits(event, facts)]
                if len(fitting) >= count:
                    return fitting[count - 1]
                await self._nudge.wait()

    async def told(self, *kinds: str) -> list[Event]:
        """Everything the journal holds, of some kinds."""
        return await self.ledger.reader.journal.after(0, 1_000_000, kinds=kinds)

    async def ended(self, run_id: str) -> Run:
        """The run, once it has ended."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self._nudge.clear()
                run = await self.client.get_run(run_id)
                if run.state not in (RunState.WAITING, RunState.DISPATCHED, RunState.RUNNING):
                    return run
                await self._nudge.wait()

    async def runs(self, schedule_id: str) -> list[Run]:
        """The runs of a schedule, oldest first."""
        return list(reversed((await self.client.list_runs(schedule_id=schedule_id, limit=200)).items))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the loop turn until something in memory holds; for what no event tells."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await asyncio.sleep(0.001)

    def pass_time(self, seconds: float) -> None:
        """Time passes while the loop turns: in steps no process would be alarmed by, each watched by the leases."""
        while seconds > 0:
            step = min(2.0, seconds)
            self.clock.move(step)
            self.engine.leases.turn()
            seconds -= step
        self.engine.dispatcher.wake()

    async def forwarded(self) -> None:
        """Until there is nothing more to bring forward, of what was set so far."""
        await asyncio.gather(*self.service.measures.forwarding.under_way())

    # what the hands do

    async def working(self, run_id: str) -> None:
        """Until the hands have begun a run: sooner than its ``run.started``, which comes with the next beat."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.hands.begun.get()).run_id != run_id:
                pass

    def hold(self, *, obedient: bool = True) -> asyncio.Event:
        """See ``Hands.hold``."""
        return self.hands.hold(obedient=obedient)

    def fail_with(self, *errors: BaseException | None) -> None:
        """The hands raise these, call after call; with None, and after the last, they succeed."""
        left = list(errors)

        async def deed(ctx: Context, n: int) -> Any:
            error = left.pop(0) if left else None
            if error is not None:
                raise error
            return n

        self.hands.deed = deed

    # what people ask for

    async def why(self, run: Run) -> Why:
        """What a run waits for, once something does hold it back."""
        found: list[Why] = []
        async with asyncio.timeout(PATIENCE_S):
            while not found:
                held = (await self.client.get_run(run.id)).why
                found += [] if held is None else [held]
                await asyncio.sleep(0)
        return found[0]

    async def rewrite(self, schedule_id: str, **fields: Any) -> None:
        """Change a stored schedule behind everybody's back, as another program would."""

        async def unit(tx: Transaction) -> None:
            row = await tx.schedules.get(schedule_id)
            assert row is not None
            assert await tx.schedules.replace(msgspec.structs.replace(row, **fields), expected=row.revision)

        await self.ledger.write(unit)

    async def schedule(
        self, trigger: Trigger | None = None, *, handler: str = "hands", method: str = "work",
        guild_id: str | None = "1", **fields: Any,
    ) -> Schedule:  # fmt: skip
        """Create a schedule; by default a one-shot far ahead, to be run by hand."""
        trigger = trigger or DateTrigger(at=self.clock.in_s(86_400 * 365))
        spec = ScheduleSpec(handler=handler, method=method, trigger=trigger, guild_id=guild_id, **fields)
        return await self.client.create_schedule(spec)

    async def every(self, seconds: float, *, first_in: float = 0.05, **fields: Any) -> Schedule:
        """A series whose first time is close, once it is saved; the clock is moved to the others."""
        trigger = IntervalTrigger(every=f"PT{seconds:g}S", start=self.clock.in_s(first_in + SAVED_WITHIN_S))
        schedule = await self.schedule(trigger, **fields)
        self.clock.move(SAVED_WITHIN_S)
        return schedule

    async def run_now(self, schedule: Schedule, **args: Any) -> Run:
        """Run a schedule now."""
        return await self.client.run_schedule(schedule.id, args=args)


def _fits(event: Event, facts: dict[str, Any]) -> bool:
    return all(getattr(event, name, None) == value or event.data.get(name) == value for name, value in facts.items())
