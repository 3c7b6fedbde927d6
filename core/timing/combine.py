"""``when`` and ``repeat`` together: a start and a rule."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from core.timing.clock import Clock, clock_of
from core.timing.reading import Reading, Unreadable
from core.timing.recurrence_set import read_set
from core.timing.say import say_bounded, say_time
from core.timing.series import Series, Unsaid, evenly, series_of, trigger_of
from core.timing.zones import zone
from schedule_zero.instant import DAY, SECOND, from_datetime, spell
from schedule_zero.trigger import DateTrigger, IntervalTrigger, RRuleTrigger, Trigger


def combine(when: Reading, repeat: Reading | None) -> Reading:
    """One reading of both fields: ``repeat`` is the rule, ``when`` where it starts.

    A time of day or a day that ``repeat`` leaves open is the one of ``when``; the other way round a date without a time
    takes the time of the rule.

    Raises:
        Unreadable: ``when`` repeats by itself, ``repeat`` does not, or both name times of day that differ; with both
            readings.
    """
    if repeat is None:
        return when
    if not repeat.formal:  # in 'when', where an offer is read, "15m" would mean something else
        repeat = msgspec.structs.replace(repeat, text=repeat.words)
    if when.recurring or not isinstance(when.trigger, DateTrigger):
        sentence = f"'when' already says {when.words}; give one start there, or leave 'repeat' empty"
        raise Unreadable(sentence, (when, repeat))
    if not repeat.recurring:
        raise Unreadable(f"'repeat' says a single moment, {repeat.words}; say how often it comes", (when, repeat))
    if repeat.start is not None or _names_its_start(repeat.trigger):
        raise Unreadable("'repeat' names a start of its own; give it in 'when' alone", (when, repeat))
    start, clock = _start(when.trigger)
    series = series_of(repeat.trigger)
    if series is None or series.unit == "second" or evenly(series.times) is not None:
        return _joined(when, repeat, _from(repeat.trigger, when.trigger, clock.wall(start)), start, clock)
    return _at_one_time(when, repeat, series, start, clock)


def _names_its_start(rule: Trigger) -> bool:
    """Whether a recurrence brings its DTSTART along."""
    return isinstance(rule, RRuleTrigger) and read_set(rule.rule).start is not None


def started(when: Reading, rules: Iterable[Reading]) -> tuple[Reading, ...]:
    """What ``repeat`` may have meant, each from the start on; a rule that cannot begin there is no offer."""
    found = []
    for rule in rules:
        try:
            found.append(combine(when, rule))
        except Unreadable:
            continue
    return tuple(found)


def _at_one_time(when: Reading, repeat: Reading, series: Series, start: int, clock: Clock) -> Reading:
    """The series from the start on, at the time of day that one of the two says."""
    second = clock.wall(start) % DAY // SECOND
    at_start = msgspec.structs.replace(series, times=(second,))
    on_its_day = clock.first(clock.wall(start) // DAY * DAY)
    try:
        if repeat.defaulted_time and not (repeat.part_of_day and when.defaulted_time):
            return _restarted(when, repeat, at_start, start, clock)
        if when.defaulted_time:
            return _restarted(when, repeat, series, on_its_day, clock)
        if second in series.times:
            return _restarted(when, repeat, series, start, clock)
        both = (
            _restarted(when, repeat, at_start, start, clock),
            _restarted(when, repeat, series, on_its_day, clock),
        )
    except Unsaid as why:
        raise Unreadable(str(why), (when, repeat)) from why
    said, ruled = (say_time(time, hour24=when.hour24) for time in (second, series.times[0]))
    raise Unreadable(f"'when' says {said} and 'repeat' says {ruled}; say which of the two", both)


def _start(trigger: DateTrigger) -> tuple[int, Clock]:
    """The instant of ``when``, and the clock of its zone."""
    clock = clock_of(zone(trigger.timezone or "UTC"))
    moment = datetime.fromisoformat(trigger.at)
    if moment.tzinfo is not None:
        return from_datetime(moment), clock
    return clock.first(from_datetime(moment.replace(tzinfo=UTC))), clock


def _from(rule: Trigger, when: DateTrigger, wall: int) -> Trigger:
    """A rule that names no time of day, counted from the start; cron counts from nothing."""
    if isinstance(rule, IntervalTrigger):
        return msgspec.structs.replace(rule, start=when.at, timezone=when.timezone)
    if isinstance(rule, RRuleTrigger):
        return msgspec.structs.replace(rule, start=spell(wall)[: -len("+00:00")], timezone=when.timezone)
    return rule


def _restarted(when: Reading, repeat: Reading, series: Series, start: int, clock: Clock) -> Reading:
    """The reading of a series counted from the start, on the start's day where the rule named none."""
    if repeat.defaulted_day:
        unit = "week" if series.weekdays else series.unit
        series = msgspec.structs.replace(series, unit=unit, weekdays=(), month_days=(), month=None)
    series = msgspec.structs.replace(series, start=None)
    return _joined(when, repeat, trigger_of(series, clock, start - 1), start, clock)


def _joined(when: Reading, repeat: Reading, trigger: Trigger, start: int, clock: Clock) -> Reading:
    until = repeat.until if when.until is None else when.until
    count = repeat.count if when.count is None else when.count
    words = say_bounded(
        trigger, clock, hour24=when.hour24, order=when.order, start=start, until=until, count=count
    )  # fmt: skip
    return Reading(
        text=words,
        trigger=trigger,
        words=words,
        recurring=True,
        defaulted_time=when.defaulted_time and repeat.defaulted_time,
        part_of_day=when.part_of_day or repeat.part_of_day,
        start=start,
        until=until,
        count=count,
        hour24=when.hour24,
        order=when.order,
        formal=repeat.formal,
    )
