"""Runs with their attempts and leases, as the core asks the store for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from core.ledger.ports.within import Within
from core.ledger.rows import AttemptRow, Ended, LeaseRow, Move, RunRow
from schedule_zero.run import RunState


class RunFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which runs a listing wants; newest first, keyed by id. ``owner_id``: runs of that person's schedules;
    ``jobs_or_owner_id``: those, and runs of jobs."""

    guild_id: str | None = None
    any_guild: bool = False
    schedule_id: str | None = None
    owner_id: str | None = None
    jobs_or_owner_id: str | None = None
    handler: str | None = None
    state: str | None = None
    since: int | None = None


class ActiveRun(msgspec.Struct, frozen=True, gc=False):
    """A run that has not ended, as overlap and catch-up need it."""

    id: str
    schedule_id: str
    state: RunState
    attempt: int
    due: int
    charged: str | None = None
    occurrence: str = ""


class ReadyRun(msgspec.Struct, gc=False):
    """What an attempt needs of a run and its schedule. ``args``: the run's own, else the schedule's newest."""

    run: RunRow
    args: str
    owner_id: str
    metadata: str
    policy: str
    revision: int
    schedule_state: str
    failures: int


class RunReads(Protocol):
    """Reading runs."""

    async def get(self, id: str) -> RunRow | None: ...
    async def get_many(self, ids: Sequence[str]) -> dict[str, RunRow]: ...
    async def standing(self, ids: Sequence[str]) -> dict[str, tuple[RunState, int]]:
        """(state, attempt) of runs: what an answer's fence is checked against."""
        ...

    async def by_occurrence(self, schedule_id: str, occurrence: str) -> RunRow | None: ...
    async def by_occurrences(self, keys: Sequence[tuple[str, str]]) -> list[RunRow]:
        """The runs there are for these (schedule, occurrence)."""
        ...

    async def page(self, filter: RunFilter, before: str | None, limit: int) -> list[RunRow]: ...  # noqa: A002
    async def attempts(self, run_ids: Sequence[str]) -> dict[str, list[AttemptRow]]: ...
    async def newest(self, schedule_ids: Sequence[str]) -> dict[str, RunRow]:
        """The newest run of each schedule that has any."""
        ...

    async def active(self, schedule_ids: Sequence[str]) -> dict[str, list[ActiveRun]]:
        """Waiting, dispatched and running runs of these schedules, oldest due first."""
        ...

    async def ready(self, run_ids: Sequence[str]) -> dict[str, ReadyRun]:
        """Runs with what an attempt needs of their schedules."""
        ...

    async def waiting(
        self, after: tuple[int, str] | None, limit: int, within: Within = None, *, but: Sequence[str | None] = ()
    ) -> list[RunRow]:
        """All waiting runs by (due, id), a page after a key; for filling the queue at start and after overflow.

        Args:
            but: leave out those of these guilds; None among them: of no guild.
        """
        ...

    async def count_waiting(self, guild_id: str, most: int) -> int:
        """How many runs of a guild wait, whatever for; ``most``: that many, or more."""
        ...

    async def waiting_of(self, guild_id: str | None, start: tuple[int, str], limit: int) -> list[RunRow]:
        """Waiting runs of one guild, or of none (None), by (due, id) from a key on."""
        ...

    async def put_off(
        self, guild_id: str | None, after: int, behind: tuple[int, str] | None, limit: int
    ) -> list[RunRow]:
        """Runs of a guild, or of none (None), that wait for their first attempt, and may not begin before an instant that
        lies behind this one because a calendar quota is used up; a page by (due, id), after a key."""
        ...

    async def put_off_guilds(self, after: int) -> list[str | None]:
        """Whose runs ``put_off`` tells of."""
        ...

    async def open(self, within: Within = None) -> list[tuple[RunRow, AttemptRow, LeaseRow]]:
        """Every dispatched or running run with its current attempt and lease; for recovery at start."""
        ...

    async def counts(self) -> dict[RunState, int]:
        """How many runs stand in each active state."""
        ...


class RunWrites(RunReads, Protocol):
    """Changing runs. The table of transitions is checked here and nowhere else."""

    @property
    def ended(self) -> Sequence[Ended]:
        """The runs that this unit has ended so far, by moving or by inserting them."""
        ...

    async def insert(self, rows: Sequence[RunRow]) -> None:
        """Raises OccurrenceTaken, here or at the end of the unit, when (schedule, occurrence) exists."""
        ...

    async def move(self, moves: Sequence[Move]) -> None:
        """Apply transitions. Raises ForbiddenTransition when one is not in the table, and StaleMove, here or at the end
        of the unit, when a run or its schedule does not stand (any more) where the move starts from: a defect in a unit
        that read them in this transaction, and what one that did not read them relies on."""
        ...

    async def charge_again(self, rows: Sequence[RunRow]) -> None:
        """Write ``not_before``, ``reason`` and ``charged`` of runs that still wait for their first attempt."""
        ...

    async def begin(self, attempts: Sequence[AttemptRow], leases: Sequence[LeaseRow]) -> None:
        """Write new attempts with their leases."""
        ...

    async def started(self, starts: Sequence[tuple[str, int, int]]) -> None:
        """Set ``started`` of attempts: (run, attempt, instant)."""
        ...

    async def finish(self, ended: Sequence[AttemptRow]) -> None:
        """Write the end of attempts (``ended`` … ``error``), and ``started`` where none is noted; drop their leases."""
        ...

    async def note_late(self, answers: Sequence[AttemptRow]) -> None:
        """Keep a late answer's outcome on its attempt if it comes from the attempt's instance and nothing stands there
        yet; nothing else changes."""
        ...

    async def extend(self, leases: Sequence[LeaseRow]) -> None:
        """Persist remaining lease times."""
        ...

    async def remove(self, run_ids: Sequence[str]) -> None:
        """Remove runs that have ended, with their attempts and logs."""
        ...

    async def purge(self, before: int, limit: int) -> int:
        """Remove runs that ended before an instant, with their attempts and logs; how many."""
        ...

    async def purge_guild(self, guild_id: str, before: int, limit: int) -> int:
        """The same of one guild."""
        ...
