"""APScheduler, and the two adapters it needs: our Trigger and our DataStore. Nothing else imports it.

``AsyncScheduler`` (role: scheduler) drives the tick through its public DataStore interface: it acquires due
schedules, asks each trigger for the next fire time, adds a job per fire, and releases the schedules. Here acquiring
takes from the horizon, a job is only the signal that its schedule fires, and releasing commits the tick in one
transaction. APScheduler's own stores, brokers, executors and its job half are not used.

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
from functools import lru_cache
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


@lru_cache(maxsize=1024)
def moment(instant: int) -> datetime:
    """An instant as APScheduler wants it. Schedules come due together, so few instants make many of them."""
    return to_datetime(instant)


class RuleTrigger(Trigger):
    """Lets APScheduler ask a schedule's rule for its next due time."""

    def __init__(self, tick: Tick, id: str) -> None:
        self._tick = tick
        self._id = id
        self._asked = False
        self.failure: str | None = None

    def next(self) -> datetime | None:
        if self._asked:
            return None
        self._asked = True
        try:
            due = self._tick.look(self._id)
        except Exception as error:  # any fault in one rule must not reach the loop that serves all schedules
            log.exception("rule failed", schedule_id=self._id)
            self.failure = f"{type(error).__name__}: {error}"
            return None
        return None if due is None else moment(due)

    def __getstate__(self) -> Any:
        raise TypeError("a RuleTrigger lives in memory; the ledger stores the trigger as JSON")

    def __setstate__(self, state: Any) -> None:
        raise TypeError("a RuleTrigger lives in memory; the ledger stores the trigger as JSON")


class DueSchedule(Schedule):
    """A due schedule as APScheduler reads it. Only three fields differ from one to the next, so only they are set:
    building the library's own record checks and converts eighteen, for thousands of schedules a tick."""

    __slots__ = ("id", "next_fire_time", "trigger")

    task_id = TASK_ID
    job_executor = TASK_ID
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012 - shared by all and written by none
    metadata: dict[str, Any] = {}  # noqa: RUF012 - APScheduler copies it
    paused = False
    coalesce = CoalescePolicy.latest
    misfire_grace_time = None
    max_jitter = None
    job_result_expiration_time = timedelta()

    def __init__(self, id: str, trigger: Trigger, next_fire_time: datetime) -> None:
        set_field = object.__setattr__
        set_field(self, "id", id)
        set_field(self, "trigger", trigger)
        set_field(self, "next_fire_time", next_fire_time)


class LedgerDataStore(DataStore):
    """The ledger in the shape APScheduler wants: acquire, add_job and release are one tick."""

    def __init__(self, tick: Tick, clock: Clock, longest_sleep_s: float) -> None:
        self._tick = tick
        self._clock = clock
        self._longest_sleep = int(longest_sleep_s * SECOND)
        self._taken: dict[str, tuple[ScheduleRow, RuleTrigger]] = {}
        self._offset: float | None = None
        self.clock_jumps = 0

    async def start(self, exit_stack: AsyncExitStack, event_broker: EventBroker, logger: logging.Logger) -> None:
        exit_stack.push_async_callback(self._tick.idle)

    async def acquire_schedules(self, scheduler_id: str, lease_duration: timedelta, limit: int) -> list[Schedule]:
        self._watch_clock()
        taken = await self._tick.take(max(limit, TICK_LIMIT))
        schedules: list[Schedule] = []
        self._taken = {}
        for plan, due in taken:
            trigger = RuleTrigger(self._tick, plan.row.id)
            self._taken[plan.row.id] = (plan.row, trigger)
            schedules.append(DueSchedule(plan.row.id, trigger, moment(due)))
        return schedules

    async def add_job(self, job: Job) -> None:
        id = job.schedule_id
        if id is not None and self._taken[id][1].failure is None:
            self._tick.fire(id)

    async def release_schedules(self, scheduler_id: str, results: Sequence[ScheduleResult]) -> None:
        await self._tick.commit()
        for row, trigger in self._taken.values():
            if trigger.failure is not None:
                await self._tick.block(row, trigger.failure)

    async def get_next_schedule_run_time(self) -> datetime | None:
        latest = self._clock.now() + self._longest_sleep
        soonest = self._tick.soonest()
        return to_datetime(latest if soonest is None else min(soonest, latest))

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
