"""Triggers into rules: the one function behind firing, preview, catch-up and the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from core.timing.bounds import Bounded
from core.timing.clock import Clock, clock_of
from core.timing.cron import cron_pattern, unclamped
from core.timing.interval import IntervalRule, MonthsPattern, read_every
from core.timing.never import NeverRule
from core.timing.once import OncePattern, OnceRule
from core.timing.recurrence_rule import set_rule
from core.timing.recurrence_set import RecurrenceSet, read_set
from core.timing.rule import EARLIEST, LATEST, BadPattern, Rule
from core.timing.wall import WallRule
from core.timing.zones import BadZone, zone
from schedule_zero.instant import from_datetime, to_datetime
from schedule_zero.schedule import MonthEnd
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, Trigger

_CLOCK_CHANGES: Final = ("debian", "literal")
_MONTH_ENDS: Final = ("clamp", "skip", "last")


def month_end_of(trigger: Trigger | None) -> MonthEnd:
    """What a trigger does about days that a month lacks, where nobody says: intervals take the last day; cron and
    recurrence rules leave the month out, as their own specifications say."""
    return "clamp" if isinstance(trigger, IntervalTrigger) else "skip"


class BadTrigger(ValueError):
    """A trigger that cannot be followed: where the mistake is (``trigger.expression``) and one sentence about it."""

    def __init__(self, place: str, message: str) -> None:
        self.place = place
        self.message = message
        super().__init__(message)


def compile_rule(
    trigger: Trigger | None,
    *,
    timezone: str,
    anchor: int,
    dst: str = "debian",
    month_end: str | None = None,
    start: int | None = None,
    until: int | None = None,
) -> Rule:
    """The rule a trigger means.

    Args:
        trigger: any but text, which ``core.timing.reading`` turns into one of the others first; None: due at no time.
        timezone: the zone where the trigger names none.
        anchor: when the schedule was made; intervals and recurrence rules without a start count from it.
        dst: ``debian`` or ``literal``: what a clock change does to times read on the wall.
        month_end: ``clamp``, ``skip`` or ``last``; None is the trigger's own (``month_end_of``).
        start: nothing is due before it; intervals and recurrence rules without a start of their own count from it.
        until: nothing is due after it.

    Raises:
        BadTrigger: the trigger or a policy word cannot be followed; names the place.
    """
    if dst not in _CLOCK_CHANGES:
        raise BadTrigger("policy.dst", f"dst is debian or literal, not {dst!r}")
    if month_end is not None and month_end not in _MONTH_ENDS:
        raise BadTrigger("policy.month_end", f"month_end is clamp, skip or last, not {month_end!r}")
    literal, month_end = dst == "literal", month_end or month_end_of(trigger)
    rule: Rule
    if trigger is None:
        return NeverRule(_zone(None, timezone))
    if isinstance(trigger, DateTrigger):
        rule = _date_rule(trigger, _zone(trigger.timezone, timezone), literal)
    elif isinstance(trigger, CronTrigger):
        rule = _cron_rule(trigger, _zone(trigger.timezone, timezone), literal, month_end)
    elif isinstance(trigger, IntervalTrigger):
        rule = _interval_rule(trigger, _zone(trigger.timezone, timezone), literal, month_end, (anchor, start))
    elif isinstance(trigger, RRuleTrigger):
        began = anchor if start is None else start
        rule = _recurrence_rule(trigger, _zone(trigger.timezone, timezone), literal, month_end, began)
    else:
        raise BadTrigger("trigger.type", "text must be read into a date, cron, interval or rrule trigger first")
    return rule if start is None and until is None else Bounded(rule, start, until)


def _date_rule(trigger: DateTrigger, where: ZoneInfo, literal: bool) -> Rule:
    moment = _moment("trigger.at", trigger.at)
    if moment.tzinfo is not None:
        return OnceRule(from_datetime(moment), where)
    wall, clock = from_datetime(moment.replace(tzinfo=UTC)), clock_of(where)
    if literal and not clock.instants(wall):
        after = to_datetime(clock.wall(clock.first(wall))).isoformat()[: -len("+00:00")]
        said = (
            f"{trigger.at} does not exist in {where.key}: the clocks jump over it; write {after}, which they show next"
        )
        raise BadTrigger("trigger.at", said)
    # A one-shot that is due twice would be two; even read literally it is due the first time.
    return OnceRule(clock.first(wall), where) if literal else _once(wall, where)


def _once(wall: int, where: ZoneInfo) -> Rule:
    return WallRule(OncePattern(wall), where, as_shown=False, recurring=False)


def _cron_rule(trigger: CronTrigger, where: ZoneInfo, literal: bool, month_end: str) -> Rule:
    try:
        pattern = cron_pattern(trigger.expression, clamp=month_end != "skip")
    except BadPattern as why:
        raise BadTrigger("trigger.expression", str(why)) from why
    named = unclamped(trigger.expression) if month_end != "skip" else None
    return WallRule(pattern, where, as_shown=literal or pattern.hour_by_hour, unclamped=named)


def _interval_rule(
    trigger: IntervalTrigger, where: ZoneInfo, literal: bool, month_end: str, began: tuple[int, int | None]
) -> Rule:
    try:
        months, every = read_every(trigger.every)
    except BadPattern as why:
        raise BadTrigger("trigger.every", str(why)) from why
    anchor, start = began
    clock = clock_of(where)
    with_anchor = trigger.start is not None or start is not None
    if months:
        wall = _start_wall(trigger.start, clock, anchor if start is None else start)
        pattern = MonthsPattern(wall, months, month_end, with_anchor=with_anchor)
        return WallRule(pattern, where, as_shown=literal)
    if trigger.start is not None:
        first = _start_instant(trigger.start, clock)
    else:
        first = anchor + every if start is None else start
    return IntervalRule(first, every, where)


def _recurrence_rule(trigger: RRuleTrigger, where: ZoneInfo, literal: bool, month_end: str, began: int) -> Rule:
    try:
        found = read_set(trigger.rule)
        if found.zone is not None:
            where = _own_zone(found.zone, trigger.timezone)
        start = _set_start(found, trigger.start, clock_of(where), began)
        return set_rule(found, start, clock_of(where), literal=literal, clamp=month_end != "skip")
    except BadPattern as why:
        raise BadTrigger("trigger.rule", str(why)) from why


def _own_zone(own: ZoneInfo, named: str | None) -> ZoneInfo:
    """The zone that DTSTART names; the trigger may name it again."""
    if named is not None and _zone(named, named).key != own.key:
        said = f"the rule's DTSTART is in {own.key} and the timezone is {named}; leave one of them out"
        raise BadTrigger("trigger.timezone", said)
    return own


def _set_start(found: RecurrenceSet, text: str | None, clock: Clock, began: int) -> int:
    """The wall a recurrence counts from: its DTSTART or the trigger's start, which may say the same."""
    if found.start is None:
        return _start_wall(text, clock, began)
    if text is not None and _start_wall(text, clock, began) != found.start.wall:
        said = f"the rule's DTSTART and the start {text[:64]!r} differ; leave one of them out"
        raise BadTrigger("trigger.start", said)
    return found.start.wall


def _zone(named: str | None, default: str) -> ZoneInfo:
    try:
        return zone(default if named is None else named)
    except BadZone as why:
        raise BadTrigger("timezone" if named is None else "trigger.timezone", str(why)) from why


def _start_wall(text: str | None, clock: Clock, began: int) -> int:
    """The wall an interval or recurrence rule counts from."""
    if text is None:
        return clock.wall(began)
    moment = _moment("trigger.start", text)
    if moment.tzinfo is None:
        return from_datetime(moment.replace(tzinfo=UTC))
    return clock.wall(from_datetime(moment))


def _start_instant(text: str, clock: Clock) -> int:
    moment = _moment("trigger.start", text)
    if moment.tzinfo is None:
        return clock.first(from_datetime(moment.replace(tzinfo=UTC)))
    return from_datetime(moment)


def _moment(place: str, text: str) -> datetime:
    """Read RFC 3339, with an offset or without."""
    example = "write it like 2026-03-29T09:00:00+02:00, or without the offset for the schedule's own zone"
    try:
        moment = datetime.fromisoformat(text.strip())
        instant = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as why:
        raise BadTrigger(place, f"{text[:64]!r} is no date and time; {example}") from why
    if len(text.strip()) <= len("2026-03-29"):
        raise BadTrigger(place, f"{text!r} lacks the time of day; {example}")
    if not EARLIEST <= instant < LATEST:
        raise BadTrigger(place, f"{text!r} lies outside the years 1900 to 2199")
    return moment
