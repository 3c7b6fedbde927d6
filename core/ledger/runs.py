"""Runs, their attempts and leases; the one place that applies the table of transitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import astuple
from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    null,
    select,
    tuple_,
    update,
)

from core.ledger.connection import Session, Step, Violation
from core.ledger.dead import forget_dead
from core.ledger.listing import Listing
from core.ledger.logs import forget_logs
from core.ledger.port import ActiveRun, ForbiddenTransition, OccurrenceTaken, ReadyRun, RunFilter, StaleMove, Within
from core.ledger.rows import AttemptRow, Ended, LeaseRow, Move, RunRow
from core.ledger.statement import Change, Insert, Query, among, fields_of, given
from core.ledger.tables import attempts, leases, runs, schedules, standings
from core.ledger.waiting import ACTIVE, COLUMNS, WITHIN, WaitingRuns
from schedule_zero.run import TERMINAL, TRANSITIONS, RunState

_ALLOWED: Final = frozenset((before, after) for before, afters in TRANSITIONS.items() for after in afters)
# Sorts behind every id: the end of the table where nothing bounds a purge.
_BEYOND: Final[ColumnElement[str]] = literal_column("'~'")

_ATTEMPT: Final = [attempts.c[name] for name in fields_of(AttemptRow)]
_IDS: Final = given("id", parameter="ids")
_GIVEN_IDS: Final = among(runs.c.id, "ids")
_OPEN: Final = and_(ACTIVE, runs.c.state != literal_column("'waiting'"))

_GET: Final[Query[RunRow]] = Query(select(*COLUMNS).where(runs.c.id == bindparam("id")), RunRow, "id")
_GET_MANY: Final[Query[RunRow]] = Query(select(*COLUMNS).where(_GIVEN_IDS), RunRow, "ids")
_STANDING: Final[Query[tuple[str, RunState, int]]] = Query(
    select(runs.c.id, runs.c.state, runs.c.attempt).where(_GIVEN_IDS), tuple[str, RunState, int], "ids"
)
_BY_OCCURRENCE: Final[Query[RunRow]] = Query(
    select(*COLUMNS).where(
        runs.c.schedule_id == bindparam("schedule_id"), runs.c.occurrence == bindparam("occurrence")
    ),
    RunRow,
    "schedule_id",
    "occurrence",
)
_KEYS: Final = given("schedule_id", "occurrence")
_BY_OCCURRENCES: Final[Query[RunRow]] = Query(
    select(*COLUMNS)
    .join_from(runs, _KEYS, and_(runs.c.schedule_id == _KEYS.c.schedule_id, runs.c.occurrence == _KEYS.c.occurrence))
    .order_by(runs.c.id),
    RunRow,
    "rows",
)
_ATTEMPTS: Final[Query[AttemptRow]] = Query(
    select(*_ATTEMPT).where(among(attempts.c.run_id, "ids")).order_by(attempts.c.run_id, attempts.c.attempt),
    AttemptRow,
    "ids",
)
_OF_ONE: Final = runs.alias("of_one")
_NEWEST_ID: Final = (
    select(func.max(_OF_ONE.c.id)).where(_OF_ONE.c.schedule_id == _IDS.c.id).correlate(_IDS).scalar_subquery()
)
_NEWEST: Final[Query[RunRow]] = Query(
    select(*COLUMNS).where(runs.c.id.in_(select(_NEWEST_ID).select_from(_IDS))), RunRow, "ids"
)
_ACTIVE_OF: Final[Query[ActiveRun]] = Query(
    select(*(runs.c[name] for name in fields_of(ActiveRun)))
    .where(ACTIVE, among(runs.c.schedule_id, "ids"))
    .order_by(runs.c.due, runs.c.id),
    ActiveRun,
    "ids",
)
# A run without its lease must still be found at start; it then counts as run out.
_OPEN_RUNS: Final[Query[tuple[RunRow, AttemptRow, LeaseRow]]] = Query(
    select(
        *COLUMNS,
        *_ATTEMPT,
        attempts.c.run_id,
        attempts.c.attempt,
        func.coalesce(leases.c.instance, attempts.c.instance),
        func.coalesce(leases.c.remaining, literal_column("0")),
        func.coalesce(leases.c.at_most_once, literal_column("0")),
    )
    .join_from(runs, attempts, and_(attempts.c.run_id == runs.c.id, attempts.c.attempt == runs.c.attempt))
    .outerjoin(leases, and_(leases.c.run_id == runs.c.id, leases.c.attempt == runs.c.attempt))
    .where(_OPEN)
    .order_by(runs.c.due, runs.c.id),
    tuple[RunRow, AttemptRow, LeaseRow],
)
_OPEN_RUNS_WITHIN: Final[Query[tuple[RunRow, AttemptRow, LeaseRow]]] = Query(
    _OPEN_RUNS.select.where(WITHIN), tuple[RunRow, AttemptRow, LeaseRow], "within"
)
_PAGES: Final = Listing(
    RunRow,
    runs.c.id,
    {"state": runs.c.state == bindparam("state"), "since": runs.c.due >= bindparam("since")},
)
_COUNTS: Final[Query[tuple[RunState, int]]] = Query(
    select(runs.c.state, func.count()).where(ACTIVE).group_by(runs.c.state), tuple[RunState, int]
)
_READY: Final[Query[tuple[RunRow, str, str, str, str, int, str, int]]] = Query(
    select(
        *COLUMNS,
        func.coalesce(runs.c.args, schedules.c.args),
        schedules.c.owner_id,
        schedules.c.metadata,
        schedules.c.policy,
        standings.c.revision,
        standings.c.state,
        standings.c.failures,
    )
    .join_from(runs, schedules, schedules.c.id == runs.c.schedule_id)
    .join(standings, standings.c.id == runs.c.schedule_id)
    .where(_GIVEN_IDS),
    tuple[RunRow, str, str, str, str, int, str, int],
    "ids",
)


class Runs(WaitingRuns):
    """Reading runs, beside the writer or inside a transaction."""

    async def get(self, id: str) -> RunRow | None:
        """The run with that id."""
        return _only(await self._reading.fetch(_GET, id))

    async def get_many(self, ids: Sequence[str]) -> dict[str, RunRow]:
        """The runs that exist, by id."""
        return {row.id: row for row in await self._reading.fetch(_GET_MANY, ids)}

    async def standing(self, ids: Sequence[str]) -> dict[str, tuple[RunState, int]]:
        """(state, attempt) of the runs that exist."""
        return {id: (state, attempt) for id, state, attempt in await self._reading.fetch(_STANDING, ids)}

    async def by_occurrence(self, schedule_id: str, occurrence: str) -> RunRow | None:
        """The run of a schedule for that occurrence."""
        return _only(await self._reading.fetch(_BY_OCCURRENCE, schedule_id, occurrence))

    async def by_occurrences(self, keys: Sequence[tuple[str, str]]) -> list[RunRow]:
        """The runs there are for these (schedule, occurrence)."""
        return await self._reading.fetch(_BY_OCCURRENCES, list(keys)) if keys else []

    async def page(self, filter: RunFilter, before: str | None, limit: int) -> list[RunRow]:  # noqa: A002 - the port's
        """A page of a listing, newest first."""
        return await _PAGES.page(self._reading, filter, before, limit)

    async def attempts(self, run_ids: Sequence[str]) -> dict[str, list[AttemptRow]]:
        """The attempts of runs that have any, first try first."""
        found: dict[str, list[AttemptRow]] = {}
        for row in await self._reading.fetch(_ATTEMPTS, run_ids):
            found.setdefault(row.run_id, []).append(row)
        return found

    async def newest(self, schedule_ids: Sequence[str]) -> dict[str, RunRow]:
        """The newest run of each schedule that has any."""
        return {row.schedule_id: row for row in await self._reading.fetch(_NEWEST, schedule_ids)}

    async def active(self, schedule_ids: Sequence[str]) -> dict[str, list[ActiveRun]]:
        """The runs of these schedules that have not ended, oldest due first."""
        found: dict[str, list[ActiveRun]] = {}
        for run in await self._reading.fetch(_ACTIVE_OF, schedule_ids):
            found.setdefault(run.schedule_id, []).append(run)
        return found

    async def ready(self, run_ids: Sequence[str]) -> dict[str, ReadyRun]:
        """What attempts of these runs need."""
        return {row[0].id: ReadyRun(*row) for row in await self._reading.fetch(_READY, run_ids)}

    async def open(self, within: Within = None) -> list[tuple[RunRow, AttemptRow, LeaseRow]]:
        """Every run that is out, with its attempt and lease."""
        if within is not None:
            return await self._reading.fetch(_OPEN_RUNS_WITHIN, within)
        return await self._reading.fetch(_OPEN_RUNS)

    async def counts(self) -> dict[RunState, int]:
        """How many runs stand in each active state that has any."""
        return dict(await self._reading.fetch(_COUNTS))


def _only(rows: list[RunRow]) -> RunRow | None:
    return rows[0] if rows else None


# ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────

# What a run or an attempt gets only later is not sent along while it has none of it: every value that is bound costs
# as much as a fifth of an index entry.
_RUN_LATER: Final = {"state": RunState.WAITING, "attempt": 0, "lost": 0} | dict.fromkeys(
    ("result", "reason", "error", "missed", "ended", "own_args")
)
_ATTEMPT_LATER: Final[dict[str, Any]] = dict.fromkeys(("started", "ended", "outcome", "cause", "error"))
_ADD: Final = Insert(runs, fields_of(RunRow))
_ADD_FRESH: Final = Insert(runs, [name for name in fields_of(RunRow) if name not in _RUN_LATER])
_ADD_ATTEMPTS: Final = Insert(attempts, fields_of(AttemptRow))
_ADD_FRESH_ATTEMPTS: Final = Insert(attempts, [name for name in fields_of(AttemptRow) if name not in _ATTEMPT_LATER])
_ADD_LEASES: Final = Insert(leases, fields_of(LeaseRow))


def _adding(
    rows: Sequence[Any], later: Mapping[str, Any], fresh: Insert, full: Insert,
    refused: Callable[[Violation], Exception] | None = None,
) -> Step:  # fmt: skip
    gained, nothing = attrgetter(*later), tuple(later.values())
    insert = fresh if all(gained(row) == nothing for row in rows) else full
    read = attrgetter(*insert.columns)
    return Step(insert, [read(row) for row in rows], refused=refused)


def _taken(violation: Violation) -> Exception:
    if "occurrence" in violation.about:
        return OccurrenceTaken("this schedule already has a run for that occurrence")
    return violation


# What a move may set besides; a column no move of a call sets is not sent along.
_OPTIONAL: Final = ("not_before", "args", "result", "reason", "error")
_optional: Final = attrgetter(*_OPTIONAL)
_ALWAYS: Final = ("run_id", "before", "before_attempt", "after", "attempt", "lost")
_SCHEDULED: Final = ("revision", "failures")


@lru_cache(maxsize=64)
def _move(ending: bool, scheduled: bool, set_by: tuple[str, ...]) -> Change:
    """Moves that end runs, or that do not, and set these of the optional columns.

    Two statements, because an index is rewritten whenever a column it names is set: leaving ``ended`` alone halves
    the cost of a move. ``scheduled``: each holds only while its schedule stands as it says.
    """
    moves = given(*_ALWAYS, *set_by, *(_SCHEDULED if scheduled else ()), *(("at",) if ending else ()))
    values: dict[str, Any] = {name: moves.c[name] if name in set_by else null() for name in _OPTIONAL}
    values["args"] = func.coalesce(moves.c.args, runs.c.args) if "args" in set_by else None
    values |= {"state": moves.c.after, "attempt": moves.c.attempt, "lost": moves.c.lost}
    if values["args"] is None:
        del values["args"]
    if ending:
        values["ended"] = moves.c["at"]
    stands = [runs.c.id == moves.c.run_id, runs.c.state == moves.c.before, runs.c.attempt == moves.c.before_attempt]
    if scheduled:
        stands += [standings.c.id == runs.c.schedule_id, *(standings.c[name] == moves.c[name] for name in _SCHEDULED)]
    return Change(update(runs).values(values).where(*stands), "rows")


def _moving(moves: Sequence[Move], *, ending: bool, scheduled: bool) -> Step:
    columns = zip(*map(_optional, moves), strict=True)
    set_by = tuple(name for name, values in zip(_OPTIONAL, columns, strict=True) if values.count(None) < len(values))
    read = attrgetter(*_ALWAYS, *set_by, *(_SCHEDULED if scheduled else ()), *(("at",) if ending else ()))
    return Step(_move(ending, scheduled, set_by), ([read(move) for move in moves],), len(moves), _stale)


_CHARGES: Final = given("id", "not_before", "reason", "charged")
_CHARGE_AGAIN: Final = Change(
    update(runs)
    .values({name: _CHARGES.c[name] for name in ("not_before", "reason", "charged")})
    .where(
        runs.c.id == _CHARGES.c.id, runs.c.state == literal_column("'waiting'"), runs.c.attempt == literal_column("0")
    ),
    "rows",
)
_STARTS: Final = given("run_id", "attempt", "started")
_STARTED: Final = Change(
    update(attempts)
    .values(started=_STARTS.c.started)
    .where(attempts.c.run_id == _STARTS.c.run_id, attempts.c.attempt == _STARTS.c.attempt),
    "rows",
)
_RESULT: Final = ("ended", "outcome", "cause", "error")
_ENDED: Final = given("run_id", "attempt", *_RESULT, "started")
_THAT_ATTEMPT: Final = (attempts.c.run_id == _ENDED.c.run_id, attempts.c.attempt == _ENDED.c.attempt)
_FINISH: Final = Change(
    update(attempts)
    .values(
        {name: _ENDED.c[name] for name in _RESULT} | {"started": func.coalesce(attempts.c.started, _ENDED.c.started)}
    )
    .where(*_THAT_ATTEMPT),
    "rows",
)
_LATE: Final = given("run_id", "attempt", "instance", *_RESULT)
_NOTE_LATE: Final = Change(
    update(attempts)
    .values({name: _LATE.c[name] for name in _RESULT})
    .where(*(attempts.c[name] == _LATE.c[name] for name in ("run_id", "attempt", "instance")))
    .where(attempts.c.outcome.is_(None)),
    "rows",
)
_HELD: Final = given("run_id", "attempt")
_DROP_LEASES: Final = Change(
    delete(leases).where(tuple_(leases.c.run_id, leases.c.attempt).in_(select(_HELD.c.run_id, _HELD.c.attempt))), "rows"
)
_EXTENSIONS: Final = given(*fields_of(LeaseRow))
_EXTEND: Final = Change(
    update(leases)
    .values(instance=_EXTENSIONS.c.instance, remaining=_EXTENSIONS.c.remaining)
    .where(leases.c.run_id == _EXTENSIONS.c.run_id, leases.c.attempt == _EXTENSIONS.c.attempt),
    "rows",
)

# Ids sort by time of creation: the first run made at or after the instant ends the search.
_FIRST_KEPT: Final = (
    select(runs.c.id).where(runs.c.created >= bindparam("before")).order_by(runs.c.id).limit(literal_column("1"))
).scalar_subquery()
_PURGEABLE: Final[Query[str]] = Query(
    select(runs.c.id)
    .where(runs.c.id < func.coalesce(_FIRST_KEPT, _BEYOND), runs.c.ended < bindparam("before"))
    .order_by(runs.c.id)
    .limit(bindparam("limit")),
    str,
    "before",
    "limit",
)
# The same of one guild, along its own index.
_FIRST_KEPT_OF: Final = (
    select(runs.c.id)
    .where(runs.c.guild_id == bindparam("guild_id"), runs.c.created >= bindparam("before"))
    .order_by(runs.c.id)
    .limit(literal_column("1"))
).scalar_subquery()
_PURGEABLE_OF: Final[Query[str]] = Query(
    select(runs.c.id)
    .where(
        runs.c.guild_id == bindparam("guild_id"),
        runs.c.id < func.coalesce(_FIRST_KEPT_OF, _BEYOND),
        runs.c.ended < bindparam("before"),
    )
    .order_by(runs.c.id)
    .limit(bindparam("limit")),
    str,
    "guild_id",
    "before",
    "limit",
)
_PURGE_ATTEMPTS: Final = Change(delete(attempts).where(among(attempts.c.run_id, "ids")), "ids")
_PURGE: Final = Change(delete(runs).where(_GIVEN_IDS), "ids")


class RunChanges(Runs):
    """Changing runs, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    @property
    def ended(self) -> Sequence[Ended]:
        """The runs that this unit has ended so far."""
        return self._session.ended

    async def insert(self, rows: Sequence[RunRow]) -> None:
        """Add runs. Raises OccurrenceTaken, here or at the end of the unit."""
        if rows:
            step = _adding(rows, _RUN_LATER, _ADD_FRESH, _ADD, _taken)
            self._session.later(step)
            if step.statement is _ADD:  # fresh ones all wait
                self._session.ended += [Ended(r.id, r.schedule_id, r.state) for r in rows if r.state in TERMINAL]

    async def move(self, moves: Sequence[Move]) -> None:
        """Apply transitions. Raises ForbiddenTransition; StaleMove here or at the end of the unit."""
        alike: dict[tuple[bool, bool], list[Move]] = {}
        for move in moves:
            if (move.before, move.after) not in _ALLOWED:
                raise ForbiddenTransition(f"run {move.run_id}: {move.before} → {move.after} is not in the table")
            alike.setdefault((move.after in TERMINAL, move.revision is not None), []).append(move)
        for (ending, scheduled), some in alike.items():
            self._session.later(_moving(some, ending=ending, scheduled=scheduled))
            if ending:
                self._session.ended += [Ended(move.run_id, move.schedule_id, move.after) for move in some]

    async def charge_again(self, rows: Sequence[RunRow]) -> None:
        """Write which periods runs are charged to now, and when they may begin."""
        if rows:
            self._session.later(Step(_CHARGE_AGAIN, ([(r.id, r.not_before, r.reason, r.charged) for r in rows],)))

    async def begin(self, attempts: Sequence[AttemptRow], leases: Sequence[LeaseRow]) -> None:
        """Write new attempts with their leases."""
        if attempts:
            self._session.later(_adding(attempts, _ATTEMPT_LATER, _ADD_FRESH_ATTEMPTS, _ADD_ATTEMPTS))
        if leases:
            self._session.later(Step(_ADD_LEASES, [astuple(row) for row in leases]))

    async def started(self, starts: Sequence[tuple[str, int, int]]) -> None:
        """Set when attempts were started."""
        if starts:
            self._session.later(Step(_STARTED, (list(starts),)))

    async def finish(self, ended: Sequence[AttemptRow]) -> None:
        """Write how attempts ended, and drop their leases."""
        if ended:
            self._session.later(Step(_FINISH, (_results(ended),)))
            self._session.later(Step(_DROP_LEASES, ([(row.run_id, row.attempt) for row in ended],)))

    async def note_late(self, answers: Sequence[AttemptRow]) -> None:
        """Keep late answers on attempts that have none yet, if they come from whom the attempt was given."""
        if answers:
            read = attrgetter("run_id", "attempt", "instance", *_RESULT)
            self._session.later(Step(_NOTE_LATE, ([read(row) for row in answers],)))

    async def extend(self, leases: Sequence[LeaseRow]) -> None:
        """Write what remains of leases."""
        if leases:
            self._session.later(Step(_EXTEND, ([astuple(row) for row in leases],)))

    async def purge(self, before: int, limit: int) -> int:
        """Remove runs that ended before an instant."""
        ids = await self._session.fetch(_PURGEABLE, before, limit)
        await self.remove(ids)
        return len(ids)

    async def purge_guild(self, guild_id: str, before: int, limit: int) -> int:
        """Remove a guild's runs that ended before an instant."""
        ids = await self._session.fetch(_PURGEABLE_OF, guild_id, before, limit)
        await self.remove(ids)
        return len(ids)

    async def remove(self, run_ids: Sequence[str]) -> None:
        """Remove runs that have ended, with all that is kept of them."""
        if run_ids:
            ids = list(run_ids)
            self._session.later(Step(_PURGE_ATTEMPTS, (ids,)))
            forget_dead(self._session, ids)
            forget_logs(self._session, ids)
            self._session.later(Step(_PURGE, (ids,)))


def _results(rows: Sequence[AttemptRow]) -> list[tuple[Any, ...]]:
    return [(row.run_id, row.attempt, row.ended, row.outcome, row.cause, row.error, row.started) for row in rows]


def _stale() -> StaleMove:
    return StaleMove("a run was not in the state its move starts from")
