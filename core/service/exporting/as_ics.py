"""An export as iCalendar (RFC 5545): when active schedules are due, for a calendar program.

What a recurrence rule says is written as one; of all else (what heeds a calendar, hours or blackouts, has single times
moved, or follows no such rule) the next times are listed. Schedules without times of their own are no events.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import structlog

from core.engine.plan import rule_of, stored_trigger
from core.ledger.rows import ScheduleRow
from core.service.exporting.things import Guild, Item
from core.service.own_zone import OwnZone
from core.service.policy import read_policy
from core.timing.as_recurrence import recurrence_of
from core.timing.compile import compile_rule
from core.timing.rule import Rule
from schedule_zero.instant import to_datetime
from schedule_zero.schedule import MESSAGES
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger

LISTED: Final = 50
"""Times of a schedule that no recurrence rule describes."""
_PRODUCT: Final = "-//ScheduleZero//export//EN"
_UTC: Final = "UTC"
_TITLE: Final = 100
log = structlog.get_logger("schedule_zero.export")


class IcsFile:
    """A calendar: its time zones, then an event for each schedule."""

    media_type = "text/calendar; charset=utf-8"
    ending = "ics"
    names_zones = True

    def beginning(self, scope: dict[str, str | None], at: str, guilds: Sequence[Guild], own: OwnZone) -> str:
        """What opens it."""
        return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{_PRODUCT}\r\nCALSCALE:GREGORIAN\r\n"

    def zones(self, rows: Sequence[ScheduleRow]) -> set[str]:
        """The zones that events of these may be written in."""
        found = set()
        for row in rows:
            trigger = stored_trigger(row)
            if row.state == "active" and isinstance(trigger, (CronTrigger, IntervalTrigger, RRuleTrigger)):
                try:
                    found.add(rule_of(row, read_policy(row.policy), trigger).zone.key)
                except ValueError:  # it cannot be followed, and is no event
                    continue
        return found - {_UTC}

    def with_zones(self, names: Sequence[str]) -> str:
        """What a calendar program has to know of zones."""
        return "".join(map(_zone, names))

    def page(self, items: Sequence[Item], *, first: bool, now: int) -> str:
        """Some schedules, as events."""
        return "".join(_event(item, now) for item in items)

    def end(self) -> str:
        """What closes it."""
        return "END:VCALENDAR\r\n"


@lru_cache(maxsize=64)
def _zone(name: str) -> str:
    from icalendar import Timezone  # noqa: PLC0415 - imported when somebody exports

    return str(Timezone.from_tzid(name).to_ical().decode())


def _event(item: Item, now: int) -> str:
    row = item.row
    if row.state != "active" or row.next_due is None:
        return ""
    from icalendar import Event  # noqa: PLC0415

    event = Event()
    try:
        event = _timed(event, row, row.next_due)
    except ValueError as error:  # a rule that cannot be followed any more
        log.warning("a schedule is no event", schedule_id=row.id, error=str(error))
        return ""
    event.add("uid", f"{row.id}@schedule-zero")
    event.add("dtstamp", to_datetime(now))
    event.add("created", to_datetime(row.created))
    event.add("last-modified", to_datetime(row.updated))
    event.add("sequence", row.revision)
    event.add("summary", _title(item))
    event.add("description", _description(item))
    event.add("transp", "TRANSPARENT")
    return str(event.to_ical().decode())


def _timed(event: Any, row: ScheduleRow, due: int) -> Any:
    """The event with its times. Raises ValueError."""
    policy, trigger = read_policy(row.policy), stored_trigger(row)
    rule = rule_of(row, policy, trigger)
    plain = row.calendar is None and row.active_hours is None and row.exceptions is None and row.count is None
    if plain and rule.recurring:
        own = compile_rule(
            trigger, timezone=row.timezone, anchor=row.anchor, dst=policy.dst, month_end=policy.month_end,
            start=row.start, until=row.until,
        )  # fmt: skip
        written = recurrence_of(trigger, own, due, row.until)
        if written is not None:
            from icalendar import vRecur  # noqa: PLC0415

            text, place = written
            event.add("dtstart", to_datetime(due) if place.key == _UTC else to_datetime(due).astimezone(place))
            event.add("rrule", vRecur.from_ical(text))
            return event
    times = _listed(rule, row, due)
    event.add("dtstart", to_datetime(times[0]))
    if times[1:]:
        event.add("rdate", [to_datetime(at) for at in times[1:]])
    return event


def _listed(rule: Rule, row: ScheduleRow, due: int) -> list[int]:
    left = LISTED if row.count is None else min(LISTED, max(1, row.count - row.fired))
    return rule.upcoming(due - 1, left) or [due]


def _title(item: Item) -> str:
    row = item.row
    said = str(item.args.get("content", "")).strip() if row.handler == MESSAGES else ""
    text = row.name or said or f"{row.handler}.{row.method}"
    return text.splitlines()[0][:_TITLE]


def _description(item: Item) -> str:
    said = str(item.args.get("content", "")) if item.row.handler == MESSAGES else ""
    return "\n\n".join(part for part in (item.row.words, said) if part)
