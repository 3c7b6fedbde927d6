"""Audit lines as they are answered: what was, and what became of it, in the words of the API, and secrets hidden. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from core.engine.fleet import Fleet
from core.engine.plan import exceptions_of, stored_trigger
from core.ledger.rows import AuditedRow, ScheduleRow, links_of
from core.service import access
from core.service.closings import shown_calendar, shown_hours
from core.service.render import zone_or_utc
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.instant import spell
from schedule_zero.masking import MASK, masked
from schedule_zero.schedule import MESSAGES
from schedule_zero.views import AuditLine

ANOTHER: Final = f"{MASK} (another)"
"""What stands where a secret became another one: both are hidden, and the change is not."""
OF_SETTINGS: Final = frozenset({Action.GUILD_SETTINGS, Action.GUILD_REVERT})
_OF_SCHEDULES: Final = frozenset({"schedule", "chain"})
_INSTANTS: Final = frozenset({"created", "expires", "last_used", "revoked", "at", "until"})

_row: Final = msgspec.json.Decoder(ScheduleRow).decode
_anything: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Definitions(msgspec.Struct, frozen=True):
    """A schedule before and after a change; None: there was none, or what is stored is of another version's form."""

    before: ScheduleRow | None
    after: ScheduleRow | None


def is_of_schedule(line: AuditedRow) -> bool:
    """Whether a line keeps a schedule as it was and as it became."""
    return line.action.partition(".")[0] in _OF_SCHEDULES and line.action != Action.SCHEDULE_RUN


def definitions_in(line: AuditedRow) -> Definitions:
    """The schedule a line is about (``is_of_schedule``), before and after."""
    return Definitions(_schedule_in(line.before), _schedule_in(line.after))


def document_in(text: str | None) -> dict[str, Any]:
    """What a line says that something was; nothing where it was not there."""
    return {} if text is None else _anything(text)


def line_view(actor: Actor, line: AuditedRow, fleet: Fleet) -> AuditLine:
    """A line as whoever asks may see it."""
    view = AuditLine(
        id=str(line.id), at=spell(line.at), guild_id=line.guild_id, actor=line.actor, via=line.via, action=line.action,
        target=line.target,
    )  # fmt: skip
    if is_of_schedule(line):
        _tell_schedule(view, actor, line, fleet)
    elif not access.may_see_change(actor, line):
        view.hidden = True
    else:
        view.before, view.after = _told(line.before), _told(line.after)
    return view


def _tell_schedule(view: AuditLine, actor: Actor, line: AuditedRow, fleet: Fleet) -> None:
    found = definitions_in(line)
    row = found.after or found.before
    if row is None:  # a person was taken out of the line, or it cannot be read any more
        view.hidden = line.after is not None
        return
    if not access.may_see(actor, row):
        view.hidden = True
        return
    view.title = _title_of(row)
    view.before, view.after = _shown(found.before, fleet), _shown(found.after, fleet)
    if found.before is not None and found.after is not None and view.before and view.after:
        old, new = _anything(found.before.args), _anything(found.after.args)
        view.after["args"] = _told_apart(old, new, view.before["args"], view.after["args"])


def _title_of(row: ScheduleRow) -> str:
    said = str(_anything(row.args).get("content", "")).strip() if row.handler == MESSAGES else ""
    return (row.name or said or f"{row.handler}.{row.method}").splitlines()[0]


def _shown(row: ScheduleRow | None, fleet: Fleet) -> dict[str, Any] | None:
    """A schedule's definition and state; what it does not have is left out."""
    if row is None:
        return None
    place = zone_or_utc(row.timezone)
    info = fleet.method(row.handler, row.method, row.guild_id)
    args = masked(_anything(row.args), None if info is None else info.schema)
    facts = {
        "name": row.name, "owner_id": row.owner_id, "handler": row.handler, "method": row.method,
        "trigger": msgspec.to_builtins(stored_trigger(row)), "words": row.words, "timezone": row.timezone,
        "start": _spelled(row.start, place), "until": _spelled(row.until, place), "count": row.count,
        "calendar": msgspec.to_builtins(shown_calendar(row)),
        "active_hours": msgspec.to_builtins(shown_hours(row)), "policy": _anything(row.policy),
        "after": msgspec.to_builtins(links_of(row)), "metadata": _anything(row.metadata), "state": row.state,
        "paused_until": _spelled(row.paused_until, place), "note": row.note, **_exceptions(row, place),
    }  # fmt: skip
    return {"args": args, **{name: value for name, value in facts.items() if value not in (None, (), [], {})}}


def _exceptions(row: ScheduleRow, place: ZoneInfo) -> dict[str, Any]:
    """The single due times that were skipped or moved."""
    known = exceptions_of(row)
    return {
        "skipped": [spell(each, place) for each in known.skipped],
        "moved": {spell(int(each), place): spell(to, place) for each, to in known.moved.items()},
    }


def _told_apart(old: Any, new: Any, was: Any, is_now: Any) -> Any:
    """What is shown of new arguments, with a secret that became another one marked as such."""
    if was == is_now == MASK:
        return ANOTHER if old != new else MASK
    if isinstance(was, Mapping) and isinstance(is_now, Mapping):
        return {name: _told_apart(old.get(name), new[name], was.get(name), each) for name, each in is_now.items()}
    if isinstance(was, list) and isinstance(is_now, list) and len(was) == len(is_now):
        return [_told_apart(*each) for each in zip(old, new, was, is_now, strict=True)]
    return is_now


def _told(text: str | None) -> dict[str, Any] | None:
    """What is no schedule: as it was written, with its instants in words."""
    return None if text is None else {name: _in_words(name, value) for name, value in _anything(text).items()}


def _in_words(name: str, value: Any) -> Any:
    if name in _INSTANTS and isinstance(value, int):
        return spell(value)
    if isinstance(value, dict):
        return {within: _in_words(within, each) for within, each in value.items()}
    return [_in_words("", each) for each in value] if isinstance(value, list) else value


def _schedule_in(text: str | None) -> ScheduleRow | None:
    try:
        return None if text is None else _row(text)
    except msgspec.ValidationError:  # lines are kept for longer than the form of a row
        return None


def _spelled(instant: int | None, place: ZoneInfo) -> str | None:
    return None if instant is None else spell(instant, place)
