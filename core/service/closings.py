"""Closings: what a guild keeps of calendars, active hours and blackouts, and what of it a schedule is made with.

Pure. A schedule's row holds its calendar and its hours whole; what changes here is written into the rows that use it, in
the same transaction (``closing_changes``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal, TypeVar

import msgspec
import structlog

from core.engine.kept_days import calendar_in
from core.engine.plan import active_hours_of, calendar_of, exceptions_of, rule_of
from core.ledger.rows import ScheduleRow
from core.service.due import next_due
from core.service.policy import Mistakes, read_policy
from core.timing.exceptions import Exceptions
from core.timing.hours import require_lengths
from core.timing.rule import BadPattern, Rule
from schedule_zero.schedule import MESSAGES, ActiveHours, Calendar

log = structlog.get_logger("schedule_zero.closings")

V = TypeVar("V")
Heeded = TypeVar("Heeded", Calendar | None, ActiveHours | None)

Scope = Literal["all", "messages", "jobs"]


class StoredBlackout(msgspec.Struct, frozen=True):
    """A stretch of time in which a guild wants nothing done. Instants are microseconds."""

    begin: int
    end: int
    reason: str
    scope: Scope


class Closings(msgspec.Struct, frozen=True, omit_defaults=True):
    """One guild's document. Calendars and hours by name, blackouts by id."""

    calendars: dict[str, Calendar] = {}
    hours: dict[str, ActiveHours] = {}
    blackouts: dict[str, StoredBlackout] = {}


class _Pieces(msgspec.Struct, frozen=True):
    """A document of which some pieces may be unreadable."""

    calendars: dict[str, msgspec.Raw] = {}
    hours: dict[str, msgspec.Raw] = {}
    blackouts: dict[str, msgspec.Raw] = {}


NO_CLOSINGS: Final = Closings()
_strict: Final = msgspec.json.Decoder(Closings)
_pieces: Final = msgspec.json.Decoder(_Pieces)
_hours: Final = msgspec.json.Decoder(ActiveHours)
_blackouts: Final = msgspec.json.Decoder(StoredBlackout)
_encode: Final = msgspec.json.Encoder().encode


def closings_of(text: str | None) -> Closings:
    """A guild's document from its stored JSON. What of it cannot be read is not there, and costs nothing beside it."""
    if text is None:
        return NO_CLOSINGS
    try:
        return _strict.decode(text)
    except msgspec.ValidationError:
        return _piece_by_piece(text)


@lru_cache(maxsize=256)  # so that the log says it once
def _piece_by_piece(text: str) -> Closings:
    pieces = _pieces.decode(text)
    return Closings(
        calendars=_readable("calendar", pieces.calendars, lambda piece: calendar_in(bytes(piece).decode())),
        hours=_readable("hours", pieces.hours, _hours.decode),
        blackouts=_readable("blackout", pieces.blackouts, _blackouts.decode),
    )


def _readable(what: str, pieces: Mapping[str, msgspec.Raw], read: Callable[[msgspec.Raw], V]) -> dict[str, V]:
    found: dict[str, V] = {}
    for name, piece in pieces.items():
        try:
            found[name] = read(piece)
        except ValueError as error:
            log.warning(
                "what a server keeps closed is left out: it cannot be read", what=what, name=name, error=str(error)
            )
    return found


def calendar_for(asked: str | Calendar | None, closings: Closings, mistakes: Mistakes) -> Calendar | None:
    """The days off a schedule is made with, whole."""
    asked = Calendar(name=asked) if isinstance(asked, str) else asked
    if asked is None:
        return None
    if asked.name is None:
        if not asked.dates and asked.country is None:
            mistakes.add("calendar", "needs a name, dates or a country")
        return asked
    kept = closings.calendars.get(asked.name)
    if asked.dates or asked.country is not None:
        mistakes.add("calendar", "has a name, or dates and a country of its own, not both")
    elif kept is None:
        mistakes.add("calendar", f"there is no calendar {asked.name!r}; {_known(closings.calendars)}")
    else:
        return msgspec.structs.replace(kept, name=asked.name, on_clash=asked.on_clash)
    return None


def hours_for(
    asked: str | ActiveHours | None, closings: Closings, mistakes: Mistakes, before: ScheduleRow | None = None
) -> ActiveHours | None:
    """The active hours a schedule is made with, whole. Windows that one ``before`` already had are not judged anew."""
    asked = ActiveHours(name=asked) if isinstance(asked, str) else asked
    if asked is None:
        return None
    if asked.name is None:
        if not asked.windows:
            mistakes.add("active_hours", "needs a name, or windows such as 'MO-FR 09:00-17:00'")
        old = None if before is None else active_hours_of(before)
        try:
            if old is None or old.windows != asked.windows:
                require_lengths(asked.windows)
        except BadPattern as why:
            mistakes.add("active_hours", str(why))
        return asked
    kept = closings.hours.get(asked.name)
    if asked.windows:
        mistakes.add("active_hours", "has a name, or windows of its own, not both")
    elif kept is None:
        mistakes.add("active_hours", f"there are no hours {asked.name!r}; {_known(closings.hours)}")
    else:
        return msgspec.structs.replace(kept, name=asked.name, outside=asked.outside)
    return None


def _known(named: Mapping[str, object]) -> str:
    return f"known are {', '.join(sorted(named))}" if named else "this server has none yet"


def known_to(closings: Closings, before: ScheduleRow | None) -> Closings:
    """What a guild keeps, and what a schedule that is changed heeds of what it kept once: that goes on."""
    if before is None:
        return closings
    calendar, hours = calendar_of(before), active_hours_of(before)
    if calendar is not None and calendar.name is not None and calendar.name not in closings.calendars:
        closings = msgspec.structs.replace(closings, calendars=closings.calendars | {calendar.name: calendar})
    if hours is not None and hours.name is not None and hours.name not in closings.hours:
        closings = msgspec.structs.replace(closings, hours=closings.hours | {hours.name: hours})
    return closings


def unnamed(heeded: Heeded, kept: Mapping[str, object]) -> Heeded:
    """What goes by a name that is gone keeps what it had as its own, so that no other of that name takes its place."""
    if heeded is None or heeded.name is None or heeded.name in kept:
        return heeded
    return msgspec.structs.replace(heeded, name=None)


def blackouts_for(handler: str, closings: Closings, now: int) -> tuple[tuple[int, int, str], ...]:
    """The blackouts that concern a schedule of this handler and are not over, in order."""
    kind = "messages" if handler == MESSAGES else "jobs"
    found = [
        (each.begin, each.end, each.reason)
        for each in closings.blackouts.values()
        if each.scope in ("all", kind) and each.end > now
    ]
    return tuple(sorted(found))


def stored_exceptions(exceptions: Exceptions) -> str | None:
    """Exceptions as a row holds them."""
    empty = not (exceptions.skipped or exceptions.moved or exceptions.blackouts)
    return None if empty else _encode(exceptions).decode()


def stored(value: Calendar | ActiveHours | None) -> str | None:
    """A calendar or hours as a row holds them."""
    return None if value is None else _encode(value).decode()


def names_lost(before: ScheduleRow, after: ScheduleRow) -> tuple[str, ...]:
    """Notes on what a schedule has as its own now and had by a name before."""
    calendars, hours = (calendar_of(before), calendar_of(after)), (active_hours_of(before), active_hours_of(after))
    notes = []
    for what, keeps, (old, new) in (("calendar", "its days", calendars), ("hours", "its windows", hours)):
        if old is not None and old.name is not None and new is not None and new.name is None:
            notes.append(f"the {what} {old.name} {'are' if what == 'hours' else 'is'} gone; {keeps} are kept here")
    return tuple(notes)


def shown_calendar(row: ScheduleRow) -> Calendar | None:
    """The days off of a schedule as somebody asked for them: those that go by a name, by that alone."""
    calendar = calendar_of(row)
    if calendar is None or calendar.name is None:
        return calendar
    return Calendar(name=calendar.name, on_clash=calendar.on_clash)


def shown_hours(row: ScheduleRow) -> ActiveHours | None:
    """The active hours of a schedule as somebody asked for them."""
    hours = active_hours_of(row)
    return hours if hours is None or hours.name is None else ActiveHours(name=hours.name, outside=hours.outside)


def renewed(row: ScheduleRow, closings: Closings, now: int) -> ScheduleRow:
    """A row with what its guild keeps now; the same row where nothing of it has changed."""
    calendar, hours = unnamed(calendar_of(row), closings.calendars), unnamed(active_hours_of(row), closings.hours)
    exceptions = exceptions_of(row)
    if calendar is not None and calendar.name in closings.calendars:
        kept = closings.calendars[calendar.name]
        calendar = msgspec.structs.replace(kept, name=calendar.name, on_clash=calendar.on_clash)
    if hours is not None and hours.name in closings.hours:
        kept_hours = closings.hours[hours.name]
        hours = msgspec.structs.replace(kept_hours, name=hours.name, outside=hours.outside)
    over = tuple(each for each in exceptions.blackouts if each[1] <= now)  # gone from the document, and over
    coming = blackouts_for(row.handler, closings, now)
    if coming != tuple(each for each in exceptions.blackouts if each not in over):
        exceptions = msgspec.structs.replace(exceptions, blackouts=coming)
    changed = {
        "calendar": stored(calendar), "active_hours": stored(hours), "exceptions": stored_exceptions(exceptions),
    }  # fmt: skip
    if all(getattr(row, name) == value for name, value in changed.items()):
        return row
    return msgspec.structs.replace(row, **changed, revision=row.revision + 1, updated=now)


def refreshed(row: ScheduleRow, kept: Closings, now: int) -> ScheduleRow:
    """A schedule by what its guild keeps now, with its next due time; the same row where that changes nothing.

    A due time behind now stays due if it still is one; so does what was only put off until later and is put off no more.
    One that is left no time at all is blocked, so that its owner hears of it.
    """
    after = renewed(row, kept, now)
    if after is row or row.state != "active":
        return after
    try:
        rule = rule_of(after, read_policy(after.policy))
    except ValueError:  # it could not be followed before, either; whoever ticks it says so
        return after
    after.next_due = _put_off_no_more(row, rule, now) or next_due(row, rule, now)
    if after.next_due is None and not after.follows:
        after.state, after.note = "blocked", "its calendar, its hours or a blackout leave it no time to come"
    return after


def _put_off_no_more(row: ScheduleRow, rule: Rule, now: int) -> int | None:
    """The due time behind now of what the next one stood for, where that had been put off until later."""
    latest = rule.last_until(now)
    if row.next_due is None or latest is None or latest <= (row.last_due or 0):
        return None
    try:
        before = rule_of(row, read_policy(row.policy))
    except ValueError:
        return None
    return latest if before.nominal(row.next_due) == rule.nominal(latest) else None


def remembering(exceptions: Exceptions, row: ScheduleRow) -> Exceptions:
    """Exceptions for a schedule that has been this row: what was moved ahead and has fired is brought by no rule again."""
    last = row.last_due or 0
    done = {nominal for nominal, to in exceptions_of(row).moves().items() if to <= last < nominal}
    if not done:
        return exceptions
    moved = {key: to for key, to in exceptions.moved.items() if int(key) not in done}
    return msgspec.structs.replace(exceptions, skipped=tuple(sorted({*exceptions.skipped, *done})), moved=moved)
