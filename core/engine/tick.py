"""The tick: due schedules become runs, all in one transaction.

``scheduler`` drives it through APScheduler's DataStore: take (what is due), look (per schedule, the next time), fire
(per schedule, buffered), commit (one transaction, ``tick_unit``). A crash before the commit leaves everything due as it
was; after it, everything is there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import structlog

from core.engine.admit import Firing, look
from core.engine.blocking import block_uncomputable
from core.engine.entitle import Entitler
from core.engine.horizon import Horizon
from core.engine.plan import Plan, PlanBook
from core.engine.ports import Clock
from core.engine.territory import Territory
from core.engine.tick_unit import Committed, TickUnit
from core.ledger.port import (
    Ledger,
    OccurrenceTaken,
    StaleAdvance,
    StoreClosed,
    StoreError,
    Transaction,
)
from core.ledger.rows import RunRow, ScheduleRow
from schedule_zero.ids import IdMaker
from schedule_zero.instant import SECOND

log = structlog.get_logger("schedule_zero.tick")

REFUSED_PAUSE_S: Final = 1.0
FORESIGHT: Final = 30 * SECOND
PREPARED_AT_ONCE: Final = 200


class Consequences(Protocol):
    """What the engine does with a committed tick."""

    def runs_created(self, runs: Sequence[RunRow]) -> None: ...
    def runs_withdrawn(self, run_ids: Sequence[str]) -> None: ...
    def cancel_open(self, run_ids: Sequence[str]) -> None: ...
    async def schedules_changed(self, rows: Sequence[ScheduleRow]) -> None: ...


class Tick:
    """Takes due schedules out of the horizon and commits what they turn into."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, book: PlanBook, horizon: Horizon, entitler: Entitler, ids: IdMaker,
        consequences: Consequences, territory: Territory | None = None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ledger = ledger
        self._book = book
        self._horizon = horizon
        self._entitler = entitler
        self._ids = ids
        self._consequences = consequences
        self._territory = Territory() if territory is None else territory
        self._forgotten = 0
        self._taken: dict[str, tuple[Plan, int]] = {}
        self._unplanned: set[str] = set()
        self._firings: list[Firing] = []
        self._looked: dict[str, Firing] = {}
        self._committing: deque[tuple[asyncio.Task[None], TickUnit]] = deque()
        self._behind = False
        self._behind_since = 0.0
        self._caught_up = asyncio.Event()
        self._caught_up.set()
        self.now = clock.now()
        self.last_commit: int | None = None
        self.fired = 0
        self.missed = 0

    async def take(self, limit: int) -> list[tuple[Plan, int]]:
        """Up to ``limit`` due schedules, each with its due instant. Reads further ahead when the horizon is used up."""
        self.now = self._clock.now()
        if self._horizon.needs_more(self.now):
            await self.refill()
        due = self._horizon.pop_due(self.now, limit)
        # Held from here on: what leaves the book while others are read stands nowhere else any more, and must fire all the same.
        plans = {id: plan for id, instant in due if (plan := self._ready(id, instant)) is not None}
        missing = [id for id, _ in due if id not in plans]
        if missing:
            for row in (await self._ledger.reader.schedules.get_many(missing)).values():
                plan = await self._compile(row)
                if plan is not None:
                    plans[row.id] = plan
        self._behind = self._horizon.look_at() <= self.now
        if self._behind and self._caught_up.is_set():
            self._caught_up.clear()
            self._behind_since = self._clock.monotonic()
        taken = [(plan, instant) for id, instant in due if (plan := plans.get(id)) is not None]
        self._taken = {plan.row.id: (plan, instant) for plan, instant in taken}
        self._firings, self._looked = [], {}
        return taken

    def _ready(self, id: str, due: int) -> Plan | None:
        """The plan at hand, if it knows the schedule as it stands at this due time."""
        plan = self._book.known(id)
        return plan if plan is not None and plan.row.next_due == due else None

    async def look_ahead(self, pause_s: float) -> None:
        """Keep plans of what is due soon compiled, until cancelled."""
        while True:
            if not await self.prepare():
                await asyncio.sleep(pause_s)

    async def prepare(self) -> int:
        """Compile plans of schedules that will be due soon, so that a storm finds them ready; how many."""
        soon = self._horizon.until_instant(self._unplanned, self._clock.now() + FORESIGHT, PREPARED_AT_ONCE)
        if not soon or len(self._unplanned) > self._book.capacity:
            return 0
        self._unplanned.difference_update(soon)
        for row in (await self._ledger.reader.schedules.get_many(soon)).values():
            if self._book.known(row.id) is None:
                await self._compile(row)
        return len(soon)

    async def refill(self) -> None:
        """Move the horizon on. The horizon is widened first, so that schedules saved meanwhile are not overlooked."""
        while True:
            forgotten = self._forgotten
            until = self.now + self._horizon.window
            self._horizon.until = until
            within = self._territory.within()
            rows = await self._ledger.reader.schedules.due_until(until, self._horizon.capacity, within)
            if forgotten == self._forgotten:  # else the territory changed while it was read
                break
        if len(rows) == self._horizon.capacity:
            until = rows[-1].next_due - 1
        self._horizon.extend(rows, until)
        self._unplanned.update(row.id for row in rows if self._book.known(row.id) is None)

    def forget(self) -> None:
        """The territory has changed: what is due there is read again."""
        self._forgotten += 1
        self._unplanned.clear()
        self._horizon.clear()

    def look(self, id: str) -> int | None:
        """The next due time after now, and what lies behind; computed once per tick."""
        plan, due = self._taken[id]
        if id not in self._looked:
            self._looked[id] = look(plan, due, self.now)
        return self._looked[id].next_due

    def fire(self, id: str) -> None:
        """This schedule fires in this tick."""
        self._firings.append(self._looked[id])

    async def commit(self) -> None:
        """Hand the tick to the ledger. What is in a tick is in no other one until it is committed.

        When more is due than one tick takes, this returns when only the store has work to do for it, so that it writes
        while the next tick is computed. Else ticks wait for each other, and so hold more.
        """
        firings, self._firings = self._firings, []
        if self._territory.shared:  # what was given up since it was taken is another core's to fire
            firings = [firing for firing in firings if self._territory.owns(firing.plan.row.guild_id)]
        made = TickUnit(firings, self.now, self._entitler, self._make_id) if firings else None
        await self._committed(but=1 if self._behind else 0)
        if made is None:
            if not self._behind:
                self._caught_up.set()
            return
        task = asyncio.create_task(self._settle(made), name="tick commit")
        task.add_done_callback(lambda _: made.worked_out.set())
        self._committing.append((task, made))
        if self._behind:
            await made.worked_out.wait()
        else:  # the last of its storm; but another may have come by then
            task.add_done_callback(lambda _: None if self._behind else self._caught_up.set())

    async def idle(self) -> None:
        """Wait until everything handed over is committed."""
        await self._committed(but=0)

    async def _committed(self, *, but: int) -> None:
        """Wait until no more than so many ticks are on their way. Raises what ended one of them."""
        while self._committing:
            oldest = self._committing[0]
            if len(self._committing) <= but and not oldest[0].done():
                return
            await oldest[0]
            if self._committing and self._committing[0] is oldest:  # else somebody else waited for it as well
                self._committing.popleft()

    def note(self, row: ScheduleRow) -> bool:
        """A schedule was saved or changed. Whether its due time is now the soonest of all."""
        self._book.drop(row.id)
        due = row.next_due if row.state == "active" else None
        if due is not None and self._horizon.covers(due):
            self._unplanned.add(row.id)
        return self._horizon.put(row.id, row.revision, due)

    def look_at(self) -> int:
        """The next instant at which something may be due.

        What is being committed is not in the horizon until it is, and may be due again before anything else is.
        """
        instants = (made.soonest for task, made in self._committing if not task.done())
        return min([self._horizon.look_at(), *(at for at in instants if at is not None)])

    def lag(self, now: int) -> int:
        """How long, in microseconds, the known due time that waits longest has been waiting."""
        waiting = [firing.due for firing in self._on_their_way()]
        soonest = self._horizon.soonest()
        return max(0, now - min(waiting if soonest is None else [soonest, *waiting], default=now))

    async def caught_up(self, patience_s: float) -> None:
        """Wait while more is due than one tick takes, until that has lasted so long: fairness can only weigh runs that
        are there."""
        if self._caught_up.is_set():
            return
        try:
            async with asyncio.timeout(self._behind_since + patience_s - self._clock.monotonic()):
                await self._caught_up.wait()
        except TimeoutError:
            return

    def overdue(self, now: int) -> int:
        """How many known due times lie behind now: the backlog of the tick."""
        return self._horizon.count_until(now) + sum(1 for _ in self._on_their_way())

    def _on_their_way(self) -> Iterator[Firing]:
        """What was taken and is not committed: it is not in the horizon."""
        for task, made in self._committing:
            if not task.done():
                yield from made.firings

    async def _settle(self, made: TickUnit) -> None:
        log.debug("tick commits", schedules=len(made.firings))
        try:
            done = await self._write(made)
        except StoreClosed:
            raise
        except StoreError as error:
            log.warning("the store refused; due schedules wait", error=str(error))
            await asyncio.sleep(REFUSED_PAUSE_S)
            self._put_back(made.firings)
            return
        log.debug("tick committed", runs=len(done.runs))
        self._after(made.firings, done)
        if done.refused:
            await self._reread(done.refused)

    async def _write(self, made: TickUnit) -> Committed:
        try:
            return await self._ledger.write(made.trusting)
        except (StaleAdvance, OccurrenceTaken) as error:
            # Somebody edited one of them meanwhile, or the clock went back: now each is looked at before it moves.
            log.debug("a tick is looked through", reason=str(error), schedules=len(made.firings))
            return await self._ledger.write(made.doubting)

    def _make_id(self) -> str:
        return self._ids.make("run", self.now)

    def _after(self, firings: Sequence[Firing], done: Committed) -> None:
        for firing, step in zip((f for f in firings if f.plan.row.id not in done.refused), done.advances, strict=True):
            row = firing.plan.row
            self._horizon.put(row.id, row.revision, firing.next_due)
            row.fired, row.last_due, row.next_due = step.fired, step.last_due, step.next_due
        self.fired += len(firings) - len(done.refused)
        self.missed += done.missed
        self.last_commit = self._clock.now()
        self._consequences.runs_withdrawn(done.withdrawn)
        self._consequences.runs_created(done.runs)
        self._consequences.cancel_open(done.cancel)

    async def _reread(self, ids: set[str]) -> None:
        """Edited, paused or deleted while it was being ticked: what stands in the ledger now is what counts."""
        await self._consequences.schedules_changed(
            list((await self._ledger.reader.schedules.get_many(list(ids))).values())
        )

    def _put_back(self, firings: Sequence[Firing]) -> None:
        for firing in firings:
            self._horizon.put(firing.plan.row.id, firing.plan.row.revision, firing.due)

    async def _compile(self, row: ScheduleRow) -> Plan | None:
        """Compile a plan; a schedule whose rule cannot be computed any more is blocked, not lost and not retried."""
        try:
            return self._book.add(row)
        except Exception as error:  # any fault in one stored schedule must not end the loop that serves all
            log.exception("rule cannot be computed", schedule_id=row.id)
            await self.block(row, str(error))
            return None

    async def block(self, row: ScheduleRow, reason: str) -> None:
        """Block one schedule with an event, so that its owner hears of it."""
        now = self._clock.now()
        self._book.drop(row.id)

        async def unit(tx: Transaction) -> bool:
            current = await tx.schedules.get(row.id)
            if current is None or current.revision != row.revision or current.state != "active":
                return False
            told = block_uncomputable(current, reason, now)
            await tx.schedules.replace(current, expected=row.revision)
            await tx.journal.append([told])
            return True

        try:
            blocked = await self._ledger.write(unit)
        except StoreClosed:
            raise
        except StoreError as error:
            log.warning("the store refused; the schedule is blocked later", schedule_id=row.id, error=str(error))
            await asyncio.sleep(REFUSED_PAUSE_S)
            self._horizon.put(row.id, row.revision, row.next_due)
        else:
            if blocked:
                self._horizon.put(row.id, row.revision + 1, None)
            else:
                await self._reread({row.id})
