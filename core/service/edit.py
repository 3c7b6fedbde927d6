"""Edit: a schedule changed in part. From the row that is there and what shall be different to the row to write."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.engine.plan import stored_trigger
from core.ledger.rows import ScheduleRow
from core.service.closings import shown_calendar, shown_hours
from core.service.draft import Draft
from core.service.due import next_due
from core.service.policy import read_policy, said_in
from core.service.shape import shaped
from schedule_zero.errors import FieldError, Invalid
from schedule_zero.instant import spell
from schedule_zero.schedule import ScheduleSpec

_FIXED: Final = {"guild_id", "owner_id"}
_fields: Final = frozenset(ScheduleSpec.__struct_fields__)


def require_fields(changes: dict[str, Any]) -> None:
    """Raises Invalid unless every field there is may be changed."""
    mistakes = [FieldError(field, "there is no such field") for field in sorted(set(changes) - _fields)]
    mistakes += [FieldError(field, "cannot be changed") for field in sorted(set(changes) & _FIXED)]
    if mistakes:
        raise Invalid(f"{mistakes[0].field}: {mistakes[0].message}", tuple(mistakes))


def spec_of(row: ScheduleRow, changes: dict[str, Any]) -> ScheduleSpec:
    """The spec a row was made from, with changes over it. A trigger that stays keeps its stored form.

    Raises:
        Invalid: a change has the wrong type.
    """
    stored = said_in(read_policy(row.policy), stored_trigger(row), renewed="trigger" in changes)
    whole: dict[str, Any] = {
        "handler": row.handler, "method": row.method, "trigger": msgspec.json.decode(row.trigger),
        "guild_id": row.guild_id, "name": row.name, "args": msgspec.json.decode(row.args), "timezone": row.timezone,
        "start": None if row.start is None else spell(row.start),
        "until": None if row.until is None else spell(row.until), "count": row.count, "policy": stored,
        "metadata": msgspec.json.decode(row.metadata), "calendar": msgspec.to_builtins(shown_calendar(row)),
        "active_hours": msgspec.to_builtins(shown_hours(row)), "after": msgspec.json.decode(row.after),
    }  # fmt: skip
    if "trigger" in changes:  # a new rule brings its own bounds
        whole["start"] = whole["until"] = whole["count"] = None
    elif "timezone" in changes and whole["trigger"] is not None:  # or the rule's own zone would win over the new one
        whole["trigger"].pop("timezone", None)
    return shaped({**whole, **changes, "policy": _merged(stored, changes.get("policy", {}))}, ScheduleSpec)


def _merged(stored: dict[str, Any], changes: Any) -> Any:
    if not isinstance(changes, dict):
        return changes
    merged = {**stored, **changes}
    if isinstance(changes.get("retry"), dict):
        merged["retry"] = {**stored.get("retry", {}), **changes["retry"]}
    return merged


def edited(made: Draft, current: ScheduleRow, now: int) -> ScheduleRow:
    """The new definition with what the ticks know. Due times of an unchanged rule stay due, also those behind now; of a
    changed one those behind now that it has as well."""
    row = made.row
    if made.same_rule:
        state, due = current.state, current.next_due
        if state == "done" and row.follows:  # its own times are over, those of others are not
            state = "active"
        elif state == "active" and due is None and not row.follows:
            state = "done"
    else:
        state = "active" if current.state == "done" else current.state
        due = next_due(current, made.rule, now) or row.next_due
    return msgspec.structs.replace(
        row, state=state, paused_until=current.paused_until, note=current.note, last_due=current.last_due,
        failures=current.failures, fired=current.fired if row.trigger == current.trigger else 0,
        next_due=due if state == "active" else None,
    )  # fmt: skip
