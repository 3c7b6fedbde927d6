"""Schedules: definitions in one table, where they stand in another, one record for everybody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, delete, exists, func, literal_column, or_, select, text, update

from core.ledger import tables
from core.ledger.buckets import hold, in_buckets
from core.ledger.connection import Reading, Session, Step, Violation
from core.ledger.links import forget_links, write_links
from core.ledger.over import OVER, OVER_OF, STILL_OVER
from core.ledger.port import NameTaken, ScheduleFilter, StaleAdvance, Within
from core.ledger.rows import Advance, DueRow, HeededRow, ScheduleRow
from core.ledger.statement import Change, HasEntry, Insert, Query, among, fields_of, given
from core.ledger.tables import runs, schedules, standings
from schedule_zero.schedule import MESSAGES

_FIELDS: Final = fields_of(ScheduleRow)
_STANDING: Final = tuple(column.name for column in standings.columns)
_DEFINED: Final = tuple(column.name for column in schedules.columns)
_DEAD: Final = frozenset({"done", "deleted"})
MANY: Final = 100  # rows worth a visit of their own

_COLUMNS: Final = [standings.c[name] if name in _STANDING and name != "id" else schedules.c[name] for name in _FIELDS]
_BOTH: Final = schedules.join(standings, schedules.c.id == standings.c.id)
_ACTIVE: Final = text(f"standings.{tables.SCHEDULE_ACTIVE}")
_LIVE: Final = text(f"schedules.{tables.SCHEDULE_LIVE}")
# Said in the words of an index; a guild of None is a place of its own.
_IN_GUILD: Final = func.coalesce(schedules.c.guild_id, tables.NO_GUILD) == bindparam("guild_id")


def _rows(*parameters: str, where: Sequence[Any], **more: Any) -> Query[ScheduleRow]:
    return Query(_select(where, **more), ScheduleRow, *parameters)


def _select(where: Sequence[Any], order: Sequence[Any] = (), limit: bool = False, keep: bool = False) -> Select[Any]:
    statement = select(*_COLUMNS).select_from(_BOTH).where(*where).order_by(*order)
    if keep:
        statement = statement.with_for_update(of=standings, key_share=True)
    return statement.limit(bindparam("limit")) if limit else statement


_GET: Final = _rows("id", where=[schedules.c.id == bindparam("id")])
_GET_MANY: Final = _rows("ids", where=[among(schedules.c.id, "ids")])
# Other cores change schedules as well: what a change is made of is locked where it stands.
_GET_AND_KEEP: Final = _rows("id", where=[schedules.c.id == bindparam("id")], keep=True)
_GET_MANY_AND_KEEP: Final = _rows("ids", where=[among(schedules.c.id, "ids")], keep=True)
_BY_NAME: Final = _rows(
    "guild_id",
    "name",
    where=[
        _IN_GUILD,
        schedules.c.name == bindparam("name"),
        _LIVE,
    ],
)
_DUE: Final[Query[DueRow]] = Query(
    select(standings.c.id, standings.c.revision, standings.c.next_due)
    .where(_ACTIVE, standings.c.next_due <= bindparam("until"))
    .order_by(standings.c.next_due, standings.c.id)
    .limit(bindparam("limit")),
    DueRow, "until", "limit",
)  # fmt: skip
_WITHIN: Final = in_buckets(schedules.c.guild_id)
_DUE_WITHIN: Final[Query[DueRow]] = Query(
    select(standings.c.id, standings.c.revision, standings.c.next_due)
    .join_from(standings, schedules, schedules.c.id == standings.c.id)
    .where(_ACTIVE, standings.c.next_due <= bindparam("until"), _WITHIN)
    .order_by(standings.c.next_due, standings.c.id)
    .limit(bindparam("limit")),
    DueRow, "until", "limit", "within",
)  # fmt: skip
_OVER_BY: Final = (text(f"standings.{tables.SCHEDULE_PAUSED}"), standings.c.paused_until <= bindparam("until"))
_SOONEST: Final = [standings.c.paused_until, standings.c.id]
_RESUMABLE: Final = _rows("until", "limit", where=_OVER_BY, order=_SOONEST, limit=True)
_RESUMABLE_WITHIN: Final = _rows("until", "limit", "within", where=[*_OVER_BY, _WITHIN], order=_SOONEST, limit=True)
_NEXT_DUE: Final[Query[int | None]] = Query(
    select(func.min(standings.c.next_due)).where(_ACTIVE, standings.c.next_due > bindparam("instant")),
    int | None,
    "instant",
)
_COUNT: Final[Query[int]] = Query(select(func.count()).where(_IN_GUILD, _LIVE), int, "guild_id")
_OWNERS: Final[Query[tuple[str, int]]] = Query(
    select(schedules.c.owner_id, func.count())
    .where(_IN_GUILD, _LIVE)
    .group_by(schedules.c.owner_id)
    .order_by(func.count().desc(), schedules.c.owner_id)
    .limit(bindparam("limit")),
    tuple[str, int],
    "guild_id",
    "limit",
)
_ENTRY: Final = HasEntry(schedules.c.metadata, bindparam("key"), bindparam("value"))
_COUNT_WITH: Final[Query[int]] = Query(
    select(func.count()).where(_IN_GUILD, _LIVE, _ENTRY),
    int,
    "guild_id",
    "key",
    "value",
)
_COUNT_OWNED_WITH: Final[Query[int]] = Query(
    select(func.count()).where(
        schedules.c.owner_id == bindparam("owner_id"),
        _IN_GUILD,
        _LIVE,
        _ENTRY,
    ),
    int,
    "owner_id",
    "guild_id",
    "key",
    "value",
)
_HANDLERS: Final[Query[str]] = Query(select(schedules.c.handler).where(_LIVE).distinct(), str)
_HEEDED: Final[Query[HeededRow]] = Query(
    select(schedules.c.calendar, schedules.c.active_hours, func.count())
    .where(_IN_GUILD, _LIVE, or_(schedules.c.calendar.is_not(None), schedules.c.active_hours.is_not(None)))
    .group_by(schedules.c.calendar, schedules.c.active_hours),
    HeededRow,
    "guild_id",
)
_HEEDING: Final[Query[str]] = Query(
    select(schedules.c.id).where(
        _IN_GUILD, _LIVE, or_(among(schedules.c.calendar, "texts"), among(schedules.c.active_hours, "texts"))
    ),
    str,
    "guild_id",
    "texts",
)
_LIVE_IDS: Final[Query[str]] = Query(select(schedules.c.id).where(_IN_GUILD, _LIVE), str, "guild_id")
_TOTAL: Final[Query[int]] = Query(select(func.count()).select_from(standings).where(_ACTIVE), int)


class Schedules:
    """Reading schedules, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def get(self, id: str) -> ScheduleRow | None:
        """The schedule with that id, deleted ones included."""
        return _only(await self._reading.fetch(_GET, id))

    async def get_many(self, ids: Sequence[str]) -> dict[str, ScheduleRow]:
        """The schedules that exist, by id."""
        return {row.id: row for row in await self._reading.fetch(_GET_MANY, ids)}

    async def by_name(self, guild_id: str | None, name: str) -> ScheduleRow | None:
        """The schedule that holds this name in its guild."""
        return _only(await self._reading.fetch(_BY_NAME, guild_id or "", name))

    async def page(
        self,
        filter: ScheduleFilter,  # noqa: A002
        after: str | None,
        limit: int,
    ) -> list[ScheduleRow]:
        """A page of a listing; deleted schedules only when asked for by state."""
        shape = tuple(bool(value) for value in _wanted(filter).values())
        values = [value for value in _wanted(filter).values() if value]
        query = _page(shape, len(filter.metadata), filter.guild_id is None and not filter.any_guild)
        pairs = [part for pair in filter.metadata for part in pair]
        return await self._reading.fetch(query, after or "", *values, *pairs, limit)

    async def due_until(self, until: int, limit: int, within: Within = None) -> list[DueRow]:
        """Active schedules due by an instant, soonest first."""
        if within is not None:
            return await self._reading.fetch(_DUE_WITHIN, until, limit, within)
        return await self._reading.fetch(_DUE, until, limit)

    async def next_due_after(self, instant: int) -> int | None:
        """The soonest due instant after another."""
        return (await self._reading.fetch(_NEXT_DUE, instant))[0]

    async def resumable(self, until: int, limit: int, within: Within = None) -> list[ScheduleRow]:
        """Paused schedules whose pause is over by an instant."""
        if within is not None:
            return await self._reading.fetch(_RESUMABLE_WITHIN, until, limit, within)
        return await self._reading.fetch(_RESUMABLE, until, limit)

    async def count(self, guild_id: str | None) -> int:
        """How many live schedules a guild has."""
        return (await self._reading.fetch(_COUNT, guild_id or ""))[0]

    async def owners(self, guild_id: str, limit: int) -> list[tuple[str, int]]:
        """Who has most of a guild's live schedules, and how many."""
        return await self._reading.fetch(_OWNERS, guild_id, limit)

    async def count_with(self, entry: tuple[str, str], guild_id: str) -> int:
        """How many live schedules with that entry in their metadata a guild has."""
        return (await self._reading.fetch(_COUNT_WITH, guild_id, *entry))[0]

    async def count_owned_with(self, entry: tuple[str, str], guild_id: str | None, owner_id: str) -> int:
        """How many live schedules with that entry in their metadata one person has in a guild, or outside any."""
        return (await self._reading.fetch(_COUNT_OWNED_WITH, owner_id, guild_id or "", *entry))[0]

    async def heeded(self, guild_id: str) -> list[HeededRow]:
        """What calendars and hours the live schedules of a guild heed."""
        return await self._reading.fetch(_HEEDED, guild_id)

    async def heeding(self, guild_id: str, texts: Sequence[str]) -> list[str]:
        """The ids of those whose calendar or hours are one of these, as they are stored."""
        return await self._reading.fetch(_HEEDING, guild_id, list(texts)) if texts else []

    async def live(self, guild_id: str) -> list[str]:
        """The ids of all live schedules of a guild."""
        return await self._reading.fetch(_LIVE_IDS, guild_id)

    async def total(self) -> int:
        """How many schedules are active."""
        return (await self._reading.fetch(_TOTAL))[0]

    async def over(self, since: int, before: int, limit: int, guild_id: str | None = None) -> list[tuple[int, str]]:
        """(updated, id) of schedules that are over: see ``core.ledger.over``."""
        if guild_id is not None:
            return await self._reading.fetch(OVER_OF, since, before, limit, guild_id)
        return await self._reading.fetch(OVER, since, before, limit)

    async def handlers(self) -> set[str]:
        """The handlers of live schedules."""
        return set(await self._reading.fetch(_HANDLERS))


def _only(rows: list[ScheduleRow]) -> ScheduleRow | None:
    return rows[0] if rows else None


def _wanted(asked: ScheduleFilter) -> dict[str, str | None]:
    return {
        "guild_id": None if asked.any_guild else asked.guild_id,
        "state": asked.state,
        "handler": asked.handler,
        "not_handler": asked.not_handler,
        "owner_id": asked.owner_id,
        "jobs_or_owner_id": asked.jobs_or_owner_id,
        "text": asked.text and asked.text.replace("/", "//").replace("%", "/%").replace("_", "/_"),
    }


@lru_cache(maxsize=128)
def _page(shape: tuple[bool, ...], entries: int, no_guild: bool) -> Query[ScheduleRow]:
    """The listing for filters of one shape: which of them are set, and how many metadata entries must match."""
    conditions: dict[str, ColumnElement[bool]] = {
        "guild_id": schedules.c.guild_id == bindparam("guild_id"),
        "state": standings.c.state == bindparam("state"),
        "handler": schedules.c.handler == bindparam("handler"),
        "not_handler": schedules.c.handler != bindparam("not_handler"),
        "owner_id": schedules.c.owner_id == bindparam("owner_id"),
        "jobs_or_owner_id": or_(schedules.c.handler != MESSAGES, schedules.c.owner_id == bindparam("jobs_or_owner_id")),
        "text": or_(*(column.icontains(bindparam("text"), escape="/") for column in _searched())),
    }
    names = [name for name, wanted in zip(conditions, shape, strict=True) if wanted]
    where: list[ColumnElement[bool]] = [schedules.c.id > bindparam("after"), *(conditions[name] for name in names)]
    if no_guild:
        where.append(schedules.c.guild_id.is_(None))
    if "state" not in names:
        where.append(standings.c.state != literal_column("'deleted'"))
    for place in range(entries):
        where.append(HasEntry(schedules.c.metadata, bindparam(f"key{place}"), bindparam(f"value{place}")))
        names += [f"key{place}", f"value{place}"]
    return _rows("after", *names, "limit", where=where, order=[schedules.c.id], limit=True)


def _searched() -> list[Any]:
    return [func.coalesce(schedules.c.name, literal_column("''")), schedules.c.words, schedules.c.args]


# ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────

_ADD_STANDING: Final = Insert(standings, _STANDING)
_ADD: Final = Insert(schedules, _DEFINED)
_standing_of: Final = attrgetter(*_STANDING)
_defined_of: Final = attrgetter(*(name for name in _DEFINED if name != "live"))
_LIVE_AT: Final = _DEFINED.index("live")

_UNREVISED: Final = exists().where(standings.c.id == bindparam("id"), standings.c.revision == bindparam("expected"))
_REPLACE: Final = Change(
    update(schedules).where(schedules.c.id == bindparam("id"), _UNREVISED)
    .values({name: bindparam(f"new_{name}") for name in _DEFINED if name != "id"}),
    "id", "expected", *(f"new_{name}" for name in _DEFINED if name != "id"),
)  # fmt: skip
_REPLACE_STANDING: Final = Change(
    update(standings).where(standings.c.id == bindparam("id"), standings.c.revision == bindparam("expected"))
    .values({name: bindparam(f"new_{name}") for name in _STANDING if name != "id"}),
    "id", "expected", *(f"new_{name}" for name in _STANDING if name != "id"),
)  # fmt: skip

_STEPS: Final = given(*fields_of(Advance))
_FITS: Final = (
    standings.c.id == _STEPS.c.id,
    standings.c.revision == _STEPS.c.revision,
    standings.c.next_due == _STEPS.c.due,
    standings.c.state
    == "active",  # not in the words of an index: it is found by its id, never among all that are active
)
_MOVED: Final = {name: _STEPS.c[name] for name in ("next_due", "last_due", "fired")}
# Two statements, because leaving ``state`` alone leaves two indexes alone: 6 µs instead of 9 µs a schedule.
_ADVANCE: Final = Change(update(standings).values(_MOVED).where(*_FITS), "rows")
_ADVANCE_LAST: Final = Change(update(standings).values({**_MOVED, "state": _STEPS.c.state}).where(*_FITS), "rows")
_FREE_NAMES: Final = Change(
    update(schedules).values(live=literal_column("0")).where(
        among(schedules.c.id, "ids"),
        exists().where(standings.c.id == schedules.c.id, text("standings.state IN ('deleted', 'done')")),
    ),
    "ids",
)  # fmt: skip
_STALE: Final[Query[str]] = Query(select(_STEPS.c.id).where(~exists().where(*_FITS)), str, "rows")

_HEEDS: Final = given("id", "calendar", "active_hours", "exceptions", "note", "updated")
_RENEW: Final = Change(
    update(schedules)
    .values({name: _HEEDS.c[name] for name in ("calendar", "active_hours", "exceptions", "note", "updated")})
    .where(schedules.c.id == _HEEDS.c.id),
    "rows",
)
_STANDS: Final = given("id", "revision", "state", "next_due")
_RENEW_STANDING: Final = Change(
    update(standings)
    .values({name: _STANDS.c[name] for name in ("revision", "state", "next_due")})
    .where(standings.c.id == _STANDS.c.id),
    "rows",
)

_FAILED: Final = given("id", "failures")
_COUNT_FAILURES: Final = Change(
    update(standings).values(failures=_FAILED.c.failures).where(standings.c.id == _FAILED.c.id), "rows"
)

_PURGEABLE: Final[Query[str]] = Query(
    select(schedules.c.id)
    .select_from(_BOTH)
    .where(
        text(f"schedules.{tables.SCHEDULE_DEAD}"),
        schedules.c.updated < bindparam("before"),
        text("standings.state = 'deleted'"),
        ~exists().where(runs.c.schedule_id == schedules.c.id),
    )
    .limit(bindparam("limit")),
    str,
    "before",
    "limit",
)
_PURGE: Final = Change(delete(schedules).where(among(schedules.c.id, "ids")), "ids")
_PURGE_STANDING: Final = Change(delete(standings).where(among(standings.c.id, "ids")), "ids")


class ScheduleChanges(Schedules):
    """Changing schedules, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def get(self, id: str) -> ScheduleRow | None:
        """The schedule with that id, as it stays until the transaction ends."""
        return _only(await self._session.fetch(_GET_AND_KEEP if self._session.shared else _GET, id))

    async def get_many(self, ids: Sequence[str]) -> dict[str, ScheduleRow]:
        """The schedules that exist, by id, as they stay until the transaction ends."""
        query = _GET_MANY_AND_KEEP if self._session.shared else _GET_MANY
        return {row.id: row for row in await self._session.fetch(query, sorted(ids))}

    async def count(self, guild_id: str | None) -> int:
        """How many live schedules a guild has; nobody else adds one until the transaction ends."""
        self._count_alone(guild_id)
        return await super().count(guild_id)

    async def count_with(self, entry: tuple[str, str], guild_id: str) -> int:
        """As ``count``, of those with an entry."""
        self._count_alone(guild_id)
        return await super().count_with(entry, guild_id)

    async def count_owned_with(self, entry: tuple[str, str], guild_id: str | None, owner_id: str) -> int:
        """As ``count_with``, of one person's."""
        self._count_alone(guild_id)
        return await super().count_owned_with(entry, guild_id, owner_id)

    def _count_alone(self, guild_id: str | None) -> None:
        hold(self._session, (f"schedules:{guild_id or ''}",))

    async def insert(self, rows: Sequence[ScheduleRow]) -> None:
        """Add schedules. Raises NameTaken: here where it is one, so that its refusal costs nobody else anything; at the
        end of the unit where they are many, which then need no visit of their own."""
        definitions = [_definition(row) for row in rows]
        steps = (
            Step(_ADD, definitions, refused=_named),
            Step(_ADD_STANDING, [_standing_of(row) for row in rows]),
        )
        if len(rows) == 1 and rows[0].name is not None:
            try:
                await self._session.change(*steps)
            except Violation as violation:
                raise _named(violation) from violation
        elif rows:
            for step in steps:
                self._session.later(step)
            if len(rows) >= MANY:
                await self._session.send()
        write_links(self._session, [row for row in rows if row.follows], new=True)

    async def replace(self, row: ScheduleRow, *, expected: int) -> bool:
        """Write the whole row if the revision still is the expected one. Raises NameTaken."""
        try:
            touched = await self._session.change(
                Step(_REPLACE, (row.id, expected, *_definition(row)[1:])),
                Step(_REPLACE_STANDING, (row.id, expected, *_standing_of(row)[1:])),
            )
        except Violation as violation:
            raise _named(violation) from violation
        if touched == 1:
            write_links(self._session, [row], new=False)
        return touched == 1

    async def renew(self, rows: Sequence[ScheduleRow]) -> None:
        """Write what schedules heed, whether and when they are due next, and their revision, of rows that were read in this
        transaction; everything else of them stays as it is."""
        if rows:
            heeds = sorted(
                (row.id, row.calendar, row.active_hours, row.exceptions, row.note, row.updated) for row in rows
            )
            self._session.later(Step(_RENEW, (heeds,), len(rows)))
            stands = sorted((row.id, row.revision, row.state, row.next_due) for row in rows)
            self._session.later(Step(_RENEW_STANDING, (stands,), len(rows)))

    async def advance(self, steps: Sequence[Advance]) -> None:
        """Step schedules forward. Raises StaleAdvance, here or at the end of the unit."""
        # In the order of ids neighbours share pages, and fewer pages are written.
        ordered = _ordered(steps)
        going_on = [step for step in ordered if step[-1] == "active"]
        ending = [step for step in ordered if step[-1] != "active"]
        if going_on:
            self._session.later(Step(_ADVANCE, (going_on,), len(going_on), _stale))
        if ending:
            self._session.later(Step(_ADVANCE_LAST, (ending,), len(ending), _stale))
            self._session.later(Step(_FREE_NAMES, ([step[0] for step in ending],)))

    async def stale(self, steps: Sequence[Advance]) -> set[str]:
        """The ids of schedules that no longer stand where their step starts."""
        return set(await self._session.fetch(_STALE, _ordered(steps))) if steps else set()

    async def count_failures(self, outcomes: Mapping[str, int]) -> None:
        """Set how many lasting failures in a row schedules have."""
        if outcomes:
            self._session.later(Step(_COUNT_FAILURES, (sorted(outcomes.items()),)))

    async def purge(self, before: int, limit: int) -> int:
        """Remove deleted schedules that nothing refers to any more."""
        ids = await self._session.fetch(_PURGEABLE, before, limit)
        await self.remove(ids)
        return len(ids)

    async def purge_over(self, ids: Sequence[str], before: int) -> int:
        """Remove those of some schedules that are over still; how many."""
        if self._session.shared:  # another core may run one by hand: it waits, or it came first
            await self._session.fetch(_GET_MANY_AND_KEEP, sorted(ids))
        still = await self._session.fetch(STILL_OVER, ids, before)
        await self.remove(still)
        return len(still)

    async def remove(self, schedule_ids: Sequence[str]) -> None:
        """Remove schedules that are deleted or over, and that no run refers to."""
        if schedule_ids:
            ids = list(schedule_ids)
            self._session.later(Step(_PURGE, (ids,)))
            self._session.later(Step(_PURGE_STANDING, (ids,)))
            forget_links(self._session, ids)


def _ordered(steps: Sequence[Advance]) -> list[tuple[Any, ...]]:
    return sorted((s.id, s.revision, s.due, s.next_due, s.last_due, s.fired, s.state) for s in steps)


def _stale() -> StaleAdvance:
    return StaleAdvance("a schedule no longer stands where its step starts")


def _definition(row: ScheduleRow) -> tuple[Any, ...]:
    """What stands of a schedule in the table of definitions, in its order."""
    values = _defined_of(row)
    return (*values[:_LIVE_AT], int(row.state not in _DEAD), *values[_LIVE_AT:])


def _named(violation: Violation) -> Exception:
    if "schedules_name" in violation.about:
        return NameTaken("a schedule of this guild has that name already")
    return violation
