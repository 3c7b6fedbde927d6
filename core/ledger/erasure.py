"""Erasure: what is kept of one guild or one person, found and removed a page at a time.

Large tables that have no index for it are looked through in spans of their key, beside the writer; only what was found is
given to a transaction. Which column holds what of whom is said here and nowhere else, table by table.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, bindparam, delete, func, literal_column, or_, select, update

from core.ledger.connection import Reading, Session, Step
from core.ledger.journal import note_thinned
from core.ledger.ports.erasure import Place, Whom
from core.ledger.statement import Change, Query, among, given
from core.ledger.tables import (
    answers,
    attempts,
    handler_history,
    journal,
    notes,
    run_log,
    run_told,
    runs,
    standings,
    undos,
)
from core.ledger.tables import schedules as kept

SPAN: Final = 10_000
"""Rows looked through by one question."""
_KEYS: Final[dict[Place, Column[Any]]] = {
    "journal": journal.c.seq,
    "answers": answers.c.key,
    "undos": undos.c.token,
}
_FIRST: Final[dict[Place, Any]] = {"journal": 0, "answers": "", "undos": ""}


def _escaped(text: str) -> str:
    """A text as it stands in a pattern."""
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")


def _pattern(whom: Whom) -> str:
    """A pattern for texts in which somebody's id stands."""
    return f"%{_escaped(whom.text)}%"


def _like(column: ColumnElement[Any], parameter: str = "pattern") -> ColumnElement[bool]:
    return column.like(bindparam(parameter), escape="/")


# Under this name rows that are given hold numbers.
_NUMBERS: Final = given("seq", parameter="keys")


def _among_keys(key: Column[Any]) -> ColumnElement[bool]:
    """Whether a row is one of those whose keys are given."""
    return key.in_(select(_NUMBERS.c.seq)) if key.type.python_type is int else among(key, "keys")


_OF_GUILD: Final[dict[Place, ColumnElement[bool]]] = {
    "journal": journal.c.guild_id == bindparam("id"),
    "answers": or_(_like(answers.c.key, "asked"), _like(answers.c.answer)),
    "undos": undos.c.guild_id == bindparam("id"),
}
_OF_PERSON: Final[dict[Place, ColumnElement[bool]]] = {
    "journal": or_(among(journal.c.schedule_id, "schedules"), _like(journal.c.data)),
    "answers": or_(_like(answers.c.key, "asked"), _like(answers.c.answer)),
    "undos": or_(undos.c.actor == bindparam("id"), among(undos.c.schedule_id, "schedules"), _like(undos.c.before)),
}  # fmt: skip
_NAMES: Final[dict[Place, tuple[str, ...]]] = {
    "journal": ("schedules", "pattern"),
    "answers": ("asked", "pattern"),
    "undos": ("id", "schedules", "pattern"),
}
_GUILD_NAMES: Final[dict[Place, tuple[str, ...]]] = {
    "journal": ("id",), "answers": ("asked", "pattern"), "undos": ("id",),
}  # fmt: skip


def _given(whom: Whom, names: Sequence[str]) -> list[Any]:
    asked = f"member:{_escaped(whom.id)}:%" if whom.person else f"%:{_escaped(whom.id)}:%"
    values: dict[str, Any] = {
        "id": whom.id, "schedules": list(whom.schedules), "asked": asked,
        "pattern": _pattern(whom),
    }  # fmt: skip
    return [values[name] for name in names]


@lru_cache(maxsize=16)
def _span(place: Place) -> Query[Any]:
    """The last key of the rows that one question looks through; nothing where fewer are left."""
    key = _KEYS[place]
    statement = select(key).where(key > bindparam("after")).order_by(key)
    return Query(
        statement.offset(literal_column(str(SPAN - 1))).limit(literal_column("1")), key.type.python_type, "after"
    )


@lru_cache(maxsize=16)
def _found(place: Place, person: bool, last: bool) -> Query[Any]:
    key = _KEYS[place]
    where = [key > bindparam("after"), (_OF_PERSON if person else _OF_GUILD)[place]]
    names = ["after", *(_NAMES if person else _GUILD_NAMES)[place]]
    if not last:
        where.append(key <= bindparam("upto"))
        names.append("upto")
    return Query(select(key).where(*where).order_by(key), key.type.python_type, *names)


_ENDED_OF_GUILD: Final[Query[str]] = Query(
    select(runs.c.id).where(runs.c.guild_id == bindparam("guild_id"), runs.c.ended.is_not(None)).order_by(runs.c.id)
    .limit(bindparam("limit")),
    str, "guild_id", "limit",
)  # fmt: skip
_OPEN_OF_GUILD: Final[Query[str]] = Query(
    select(runs.c.id).where(runs.c.guild_id == bindparam("guild_id"), runs.c.ended.is_(None)).order_by(runs.c.id)
    .limit(bindparam("limit")),
    str, "guild_id", "limit",
)  # fmt: skip
_ENDED_OF: Final[Query[str]] = Query(
    select(runs.c.id).where(among(runs.c.schedule_id, "ids"), runs.c.ended.is_not(None)).limit(bindparam("limit")),
    str, "ids", "limit",
)  # fmt: skip
_OPEN_OF: Final[Query[str]] = Query(
    select(runs.c.id).where(among(runs.c.schedule_id, "ids"), runs.c.ended.is_(None)).limit(bindparam("limit")),
    str, "ids", "limit",
)  # fmt: skip
_RUNS_OF: Final[Query[str]] = Query(
    select(runs.c.id).where(runs.c.schedule_id == bindparam("schedule_id"), runs.c.id > bindparam("after"))
    .order_by(runs.c.id).limit(bindparam("limit")),
    str, "schedule_id", "after", "limit",
)  # fmt: skip
_SCHEDULES_OF_GUILD: Final[Query[str]] = Query(
    select(kept.c.id).where(kept.c.guild_id == bindparam("guild_id")).order_by(kept.c.id).limit(bindparam("limit")),
    str, "guild_id", "limit",
)  # fmt: skip
_STANDING_OF_GUILD: Final[Query[str]] = Query(
    select(kept.c.id).join_from(kept, standings, standings.c.id == kept.c.id)
    .where(kept.c.guild_id == bindparam("guild_id"), standings.c.state != literal_column("'deleted'"))
    .order_by(kept.c.id).limit(bindparam("limit")),
    str, "guild_id", "limit",
)  # fmt: skip
_OWNED: Final[Query[str]] = Query(
    select(kept.c.id).where(kept.c.owner_id == bindparam("owner_id")).order_by(kept.c.id).limit(bindparam("limit")),
    str, "owner_id", "limit",
)  # fmt: skip


class Erasure:
    """Finding, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def look_through(self, place: Place, whom: Whom, after: str) -> tuple[list[Any], str | None]:
        """The keys, in the next span of a table, of what is kept of somebody there, and where the span ends; None: with
        the table."""
        key_type = _KEYS[place].type.python_type
        begin = key_type(after) if after else _FIRST[place]
        ends = await self._reading.fetch(_span(place), begin)
        names = (_NAMES if whom.person else _GUILD_NAMES)[place]
        given = [begin, *_given(whom, names), *ends]
        found = await self._reading.fetch(_found(place, whom.person, not ends), *given)
        return found, str(ends[0]) if ends else None

    async def runs_of_guild(self, guild_id: str, limit: int, *, ended: bool) -> list[str]:
        """Some runs of a guild that have ended, or have not."""
        return await self._reading.fetch(_ENDED_OF_GUILD if ended else _OPEN_OF_GUILD, guild_id, limit)

    async def runs_of(self, schedule_ids: Sequence[str], limit: int, *, ended: bool) -> list[str]:
        """Some runs of these schedules that have ended, or have not."""
        return await self._reading.fetch(_ENDED_OF if ended else _OPEN_OF, list(schedule_ids), limit)

    async def runs_behind(self, schedule_id: str, after: str, limit: int) -> list[str]:
        """The runs of one schedule behind another, in order."""
        return await self._reading.fetch(_RUNS_OF, schedule_id, after, limit)

    async def schedules_of_guild(self, guild_id: str, limit: int, *, standing: bool) -> list[str]:
        """Some schedules of a guild; ``standing``: of those that are not deleted."""
        return await self._reading.fetch(_STANDING_OF_GUILD if standing else _SCHEDULES_OF_GUILD, guild_id, limit)

    async def owned(self, owner_id: str, limit: int) -> list[str]:
        """Some schedules of a person, deleted ones included."""
        return await self._reading.fetch(_OWNED, owner_id, limit)


# ── removing ───────────────────────────────────────────────────────────────────────────────────────────────────

_REMOVE: Final[dict[Place, Change]] = {
    place: Change(delete(key.table).where(_among_keys(key)), "keys") for place, key in _KEYS.items()
}
_REMOVE_EVENTS_ABOUT: Final = Change(
    delete(journal).where(_among_keys(journal.c.seq), among(journal.c.schedule_id, "schedules")), "keys", "schedules"
)


def _renamed(column: Column[Any]) -> ColumnElement[Any]:
    return func.replace(column, bindparam("text"), bindparam("instead"))


def _scrub(key: Column[Any], *columns: Column[Any]) -> Change:
    """Put another name in the place of somebody's, in texts of these rows in which it stands."""
    return Change(
        update(key.table)
        .values({column.name: _renamed(column) for column in columns})
        .where(_among_keys(key), or_(*(_like(column) for column in columns))),
        "keys", "pattern", "text", "instead",
    )  # fmt: skip


_SCRUB_EVENTS: Final = _scrub(journal.c.seq, journal.c.data)
_SCRUB_RUNS: Final = (
    _scrub(runs.c.id, runs.c.args, runs.c.result, runs.c.reason, runs.c.error),
    _scrub(attempts.c.run_id, attempts.c.error),
    _scrub(run_told.c.run_id, run_told.c.note),
    _scrub(run_log.c.run_id, run_log.c.text),
)
_REMOVE_HISTORY: Final = Change(delete(handler_history).where(handler_history.c.guild == bindparam("guild")), "guild")
_REMOVE_NOTES: Final = Change(
    delete(notes).where(
        or_(notes.c.key == bindparam("id"), notes.c.key == bindparam("scope"), _like(notes.c.key, "within")),
        ~among(notes.c.kind, "except_for"),
    ),
    "id", "scope", "within", "except_for",
)  # fmt: skip
_SCRUB_NOTES: Final = Change(
    update(notes).values(document=_renamed(notes.c.document)).where(_like(notes.c.document)),
    "pattern",
    "text",
    "instead",
)
_REMOVE_KIND: Final = Change(delete(notes).where(notes.c.kind == bindparam("kind")), "kind")


class ErasureChanges(Erasure):
    """Removing, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def remove(self, place: Place, whom: Whom, keys: Sequence[Any]) -> None:
        """Remove what was found of somebody in a table; where others stand in the same row, only their name."""
        if not keys:
            return
        keys = list(keys)
        if place == "journal":
            self._session.untold = True
            await note_thinned(self._session)
        if not whom.person or place in ("answers", "undos"):
            self._session.later(Step(_REMOVE[place], (keys,)))
        else:
            self._session.later(Step(_REMOVE_EVENTS_ABOUT, (keys, list(whom.schedules))))
            self._session.later(Step(_SCRUB_EVENTS, (keys, _pattern(whom), whom.text, whom.instead)))

    async def scrub_runs(self, whom: Whom, run_ids: Sequence[str]) -> None:
        """Take a person's id out of what these runs say."""
        for change in _SCRUB_RUNS:
            self._session.later(Step(change, (list(run_ids), _pattern(whom), whom.text, whom.instead)))

    async def remove_small(self, whom: Whom, except_for: Sequence[str]) -> None:
        """Remove figures and notes of somebody; not the notes of some kinds, in which a person's name alone goes."""
        scope = f"{'user' if whom.person else 'guild'}:{whom.id}"
        if not whom.person:  # what it used of its quotas stays: numbers, that go by their age
            self._session.later(Step(_REMOVE_HISTORY, (whom.id,)))
        self._session.later(Step(_REMOVE_NOTES, (whom.id, scope, f"%/{_escaped(whom.id)}", list(except_for))))
        if whom.person:
            self._session.later(Step(_SCRUB_NOTES, (_pattern(whom), whom.text, whom.instead)))

    async def remove_kind(self, kind: str) -> None:
        """Remove all notes of a kind."""
        self._session.later(Step(_REMOVE_KIND, (kind,)))
