"""Outcomes: which ends of a job's runs are told, in the channel that somebody chose for them.

Every run's end passes here, and most are told to nobody: which schedules have somebody to tell is remembered, and
forgotten when the journal says that the schedule changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from cogs.job.running import LONGEST_WATCH
from cogs.telling import Telling, telling_of
from cogs.texts import is_job
from schedule_zero import instant
from schedule_zero.client import CoreClient
from schedule_zero.errors import NotFound
from schedule_zero.event import Event, EventKind
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule

REMEMBERED: Final = 20_000
_ENDS: Final[dict[str, RunState]] = {
    EventKind.RUN_SUCCEEDED: RunState.SUCCEEDED, EventKind.RUN_FAILED: RunState.FAILED,
    EventKind.RUN_TIMED_OUT: RunState.TIMED_OUT,
}  # fmt: skip
_LOOKED_BACK: Final = 20

Find = Callable[[str], Awaitable[Schedule | None]]


class Outcomes:
    """Knows what is told of the runs of jobs. ``find`` gives a schedule, or None if there is none any more."""

    def __init__(self, core: CoreClient, find: Find) -> None:
        self._core = core
        self._find = find
        self._tellings: OrderedDict[str, Telling | None] = OrderedDict()

    async def telling(self, event: Event) -> Telling | None:
        """Where this event is told as the outcome of a job's run; None: nowhere."""
        if event.schedule_id is None:
            return None
        if event.kind.startswith("schedule."):
            self._tellings.pop(event.schedule_id, None)
            return None
        ended = _ENDS.get(event.kind)
        if ended is None or event.guild_id is None or event.run_id is None:
            return None
        telling = await self._telling_of(event.schedule_id)
        if telling is None or not await self._is_told(event, event.run_id, ended, telling):
            return None
        return telling

    async def _telling_of(self, schedule_id: str) -> Telling | None:
        if schedule_id in self._tellings:
            self._tellings.move_to_end(schedule_id)
            return self._tellings[schedule_id]
        schedule = await self._find(schedule_id)
        telling = None if schedule is None or not is_job(schedule) else telling_of(schedule)
        self._tellings[schedule_id] = telling
        while len(self._tellings) > REMEMBERED:
            self._tellings.popitem(last=False)
        return telling

    async def _is_told(self, event: Event, run_id: str, ended: RunState, telling: Telling) -> bool:
        failed = ended is not RunState.SUCCEEDED
        if telling.on == "always" or (telling.on == "fail" and failed):
            return True
        if telling.on == "change" and await self._failed_before(event, run_id) is (not failed):
            return True
        return await self._was_waited_for(event, run_id)

    async def _failed_before(self, event: Event, run_id: str) -> bool:
        """Whether the run before this one failed; a first run counts as if one had succeeded before."""
        runs = await self._core.list_runs(schedule_id=event.schedule_id, limit=_LOOKED_BACK)
        before = (run for run in runs.items if run.id < run_id and run.state in _ENDS.values())
        run = next(before, None)
        return run is not None and run.state is not RunState.SUCCEEDED

    async def _was_waited_for(self, event: Event, run_id: str) -> bool:
        """Whether somebody started it and waited, until the answer could not be kept up to date any longer."""
        try:
            run = await self._core.get_run(run_id)
        except NotFound:
            return False
        lasted = instant.parse(event.at) - instant.parse(run.due)
        return run.occurrence.startswith("m:") and lasted >= LONGEST_WATCH * instant.SECOND
