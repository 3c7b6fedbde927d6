"""APScheduler, and the two adapters it needs: our Trigger and our DataStore. Nothing else imports it.

``AsyncScheduler`` (role: scheduler) drives the tick through its public DataStore interface: it acquires what is due,
asks each trigger for the next fire time, adds a job per fire, and releases what it acquired. Here acquiring takes from
the horizon, a job is only the signal to fire, and releasing commits the tick in one transaction. APScheduler's own
stores, brokers, executors and its job half are not used.

All schedules that are due at one instant are one Schedule to it: people want things on the hour, and its bookkeeping
for each of thousands would come out the same [20,000 at one instant: a tenth of the loop's time].

Guards against 4.0.0a6, each with a test of its name in ``tests/engine/test_apscheduler_traps.py``:

- a trigger that raises ends the scheduler, or lends the next schedule its time: ours never raises, and what it
  returns is only for APScheduler's own bookkeeping; the tick keeps the true times;
- the catch-up loop walks every missed fire: ours answers the second question of a tick with None;
- a schedule added between the query and the sleep is overlooked: the query does not suspend, and the sleep is bounded;
- an exception out of a store method ends the scheduler: here it ends the process, which is meant (crash-only).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from apscheduler import (
    AsyncScheduler,
    CoalescePolicy,
    ConflictPolicy,
    Job,
    JobResult,
    Schedule,
    ScheduleResult,
    SchedulerRole,
    ScheduleUpdated,
    Task,
)
from apscheduler.abc import DataStore, EventBroker, Trigger
from apscheduler.eventbrokers.local import LocalEventBroker

from core.engine.ports import Clock
from core.engine.tick import Tick
from core.ledger.rows import ScheduleRow
from schedule_zero.instant import SECOND, to_datetime

log = structlog.get_logger("schedule_zero.scheduler")

TICK_LIMIT: Final = 1000
CLOCK_JUMP: Final = SECOND
TASK_ID: Final = "run"


class InstantTrigger(Trigger):
    """Lets APScheduler ask the rules of the schedules that are due at one instant for their next due times.

    Attributes:
        firing: those whose rule answered.
        failures: those whose rule raised, each with what.
    """

    def __init__(self, tick: Tick, rows: Sequence[ScheduleRow]) -> None:
        self._tick = tick
        self._rows = rows
        self._asked = False
        self.firing: list[ScheduleRow] = []
        self.failures: list[tuple[ScheduleRow, str]] = []

    def next(self) -> datetime | None:
        """The soonest of them, once; then None."""
        if self._asked:
            return None
        self._asked = True
        soonest: int | None = None
        for row in self._rows:
            try:
                due = self._tick.look(row.id)
            except Exception as error:  # any fault in one rule must not reach the loop that serves all schedules
                log.exception("rule failed", schedule_id=row.id)
                self.failures.append((row, f"{type(error).__name__}: {error}"))
                continue
            self.firing.append(row)
            if due is not None and (soonest is None or due < soonest):
                soonest = due
        return None if soonest is None else to_datetime(soonest)

    def __getstate__(self) -> Any:
        raise TypeError("an InstantTrigger lives in memory; the ledger stores the trigger as JSON")

    def __setstate__(self, state: Any) -> None:
        raise TypeError("an InstantTrigger lives in memory; the ledger stores the trigger as JSON")


class LedgerDataStore(DataStore):
    """The ledger in the shape APScheduler wants: acquire, add_job and release are one tick."""

    def __init__(self, tick: Tick, clock: Clock, longest_sleep_s: float) -> None:
        self._tick = tick
        self._clock = clock
        self._longest_sleep = int(longest_sleep_s * SECOND)
        self._taken: dict[str, InstantTrigger] = {}
        self._offset: float | None = None
        self.clock_jumps = 0

    async def start(self, exit_stack: AsyncExitStack, event_broker: EventBroker, logger: logging.Logger) -> None:
        exit_stack.push_async_callback(self._tick.idle)

    async def acquire_schedules(self, scheduler_id: str, lease_duration: timedelta, limit: int) -> list[Schedule]:
        self._watch_clock()
        by_instant: dict[int, list[ScheduleRow]] = {}
        for plan, due in await self._tick.take(max(limit, TICK_LIMIT)):
            by_instant.setdefault(due, []).append(plan.row)
        self._taken = {str(due): InstantTrigger(self._tick, rows) for due, rows in by_instant.items()}
        return [_due_at(due, self._taken[str(due)]) for due in by_instant]

    async def add_job(self, job: Job) -> None:
        for row in self._taken[job.schedule_id or ""].firing:
            self._tick.fire(row.id)

    async def release_schedules(self, scheduler_id: str, results: Sequence[ScheduleResult]) -> None:
        await self._tick.commit()
        for trigger in self._taken.values():
            for row, failure in trigger.failures:
                await self._tick.block(row, failure)

    async def get_next_schedule_run_time(self) -> datetime | None:
        latest = self._clock.now() + self._longest_sleep
        return to_datetime(min(self._tick.look_at(), latest))

    def _watch_clock(self) -> None:
        """Notice a wall clock that was set. Due times follow the new time; leases and back-off do not."""
        offset = self._clock.now() - self._clock.monotonic() * 1e6
        if self._offset is not None and abs(offset - self._offset) > CLOCK_JUMP:
            self.clock_jumps += 1
            log.warning("the wall clock jumped", seconds=round((offset - self._offset) / 1e6, 3))
        self._offset = offset

    # The rest of the interface belongs to APScheduler's own schedules and jobs, which live elsewhere here.

    async def add_task(self, task: Task) -> None:
        raise _elsewhere("tasks")

    async def remove_task(self, task_id: str) -> None:
        raise _elsewhere("tasks")

    async def get_task(self, task_id: str) -> Task:
        raise _elsewhere("tasks")

    async def get_tasks(self) -> list[Task]:
        return []

    async def get_schedules(self, ids: set[str] | None = None) -> list[Schedule]:
        raise _elsewhere("schedules")

    async def add_schedule(self, schedule: Schedule, conflict_policy: ConflictPolicy) -> None:
        raise _elsewhere("schedules")

    async def remove_schedules(self, ids: Iterable[str]) -> None:
        raise _elsewhere("schedules")

    async def get_jobs(self, ids: Iterable[UUID] | None = None) -> list[Job]:
        return []

    async def acquire_jobs(self, scheduler_id: str, lease_duration: timedelta, limit: int | None = None) -> list[Job]:
        raise _elsewhere("jobs")

    async def release_job(self, scheduler_id: str, job: Job, result: JobResult) -> None:
        raise _elsewhere("jobs")

    async def get_job_result(self, job_id: UUID) -> JobResult | None:
        raise _elsewhere("jobs")

    async def extend_acquired_schedule_leases(
        self, scheduler_id: str, schedule_ids: set[str], duration: timedelta
    ) -> None:
        """Nothing to extend: a taken schedule is in this process alone and in no heap."""

    async def reap_abandoned_jobs(self, scheduler_id: str) -> None:
        """Nothing to reap: runs live in the ledger, where recovery looks after them."""

    async def cleanup(self) -> None:
        """Nothing to clean: the janitor keeps the ledger."""


def _due_at(instant: int, trigger: InstantTrigger) -> Schedule:
    """What is due at an instant, as APScheduler reads it."""
    return Schedule(
        id=str(instant), task_id=TASK_ID, trigger=trigger, next_fire_time=to_datetime(instant), job_executor=TASK_ID,
        coalesce=CoalescePolicy.latest,
        misfire_grace_time=None,  # type: ignore[arg-type] # None is "for ever"; a6 annotates the converter's result
    )  # fmt: skip


def _elsewhere(what: str) -> TypeError:
    return TypeError(f"{what} are kept by the ledger and changed through the service, not through APScheduler")


class Scheduler:
    """The running scheduler: starts, wakes, stops."""

    def __init__(self, tick: Tick, clock: Clock, longest_sleep_s: float) -> None:
        self._tick = tick
        self.store = LedgerDataStore(tick, clock, longest_sleep_s)
        self._broker = LocalEventBroker()
        self._running = False
        self._scheduler = AsyncScheduler(
            self.store,
            self._broker,
            identity="schedule-zero",
            role=SchedulerRole.scheduler,
            cleanup_interval=None,  # type: ignore[arg-type] # None is "never"; a6 annotates the converter's result
            logger=logging.getLogger("apscheduler"),
        )

    async def run(self) -> None:
        """Serve due schedules until cancelled."""
        async with self._scheduler:
            self._running = True
            try:
                await self._scheduler.run_until_stopped()
            finally:
                self._running = False

    async def note(self, rows: Sequence[ScheduleRow]) -> None:
        """Schedules were saved or changed; wakes the loop when one of them is due sooner than all others."""
        soonest = [row.next_due for row in rows if self._tick.note(row) and row.next_due is not None]
        if soonest and self._running:
            due = to_datetime(min(soonest))
            await self._broker.publish_local(ScheduleUpdated(schedule_id="*", task_id=TASK_ID, next_fire_time=due))
