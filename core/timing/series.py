"""Recurring times in the terms people use, between words and triggers.

``Series`` is what a phrase such as "every other friday at 18:00" says. ``trigger_of`` chooses the plainest trigger that
means the same; ``series_of`` finds the series in a trigger again, so that any trigger a person would write can be said
back in words and be given another time of day.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise, product
from typing import Final

import msgspec
from cronsim.cronsim import CronSim, SpecItem

from core.timing.clock import Clock, clock_of
from core.timing.cron import Fields, cron_pattern, read_fields
from core.timing.interval import read_every
from core.timing.recurrence import WEEKDAYS, Recurrence
from core.timing.recurrence_set import read_set
from core.timing.rrule import RRulePattern
from core.timing.zones import zone
from schedule_zero.instant import DAY, SECOND, from_datetime, spell_duration, to_datetime
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger, Trigger

_DAY_SECONDS: Final = 86_400
ALL_DAYS: Final = frozenset(range(1, 32))
ALL_WEEKDAYS: Final = frozenset(range(8))
_MOST_POSITIONS: Final = 366


class Unsaid(ValueError):
    """A series that no trigger of ours can hold; one sentence with the remedy."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What recurring words say. Weekdays count from Monday = 0; times are seconds of the day, in order."""

    unit: str
    """``second`` for real time, else ``day``, ``week``, ``month`` or ``year``."""
    every: int = 1
    times: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    """Days of the month; -1 is the last."""
    nth: tuple[tuple[int, int], ...] = ()
    """Pairs of ordinal (-1 the last) and weekday within the month."""
    last_weekday: bool = False
    """The last of Monday to Friday in the month."""
    month: int | None = None
    start: int | None = None
    """The wall the series counts from, where that matters; for real time the instant, shown as a wall."""


def trigger_of(series: Series, clock: Clock, after: int) -> Trigger:
    """The plainest trigger for a series whose first due time comes after an instant.

    Raises:
        Unsaid: the parts do not go together in one trigger.
    """
    timezone = clock.zone.key
    if series.unit == "second":
        start = None if series.start is None else _local(series.start)
        return IntervalTrigger(every=spell_duration(series.every * SECOND), start=start, timezone=timezone)
    wall = clock.highest(after) if series.start is None else series.start - 1
    series = _with_day(series, wall)
    short = _short_month(series)
    if series.every == 1 and not short:
        expression = _cron(series)
        if expression is not None:
            return CronTrigger(expression=expression, timezone=timezone)
        return RRuleTrigger(rule=_positions(series), timezone=timezone)
    if short and len(series.times) > 1:
        raise Unsaid("a day after the 28th takes one time of day: shorter months lack it")
    first = _first(series, wall)
    if len(series.month_days) == len(series.times) == 1 and series.month_days[0] > 0:
        return IntervalTrigger(every=_months(series), start=_local(first), timezone=timezone)
    return RRuleTrigger(rule=_rrule(series), start=_local(first), timezone=timezone)


def series_of(trigger: Trigger) -> Series | None:
    """The series a trigger means, or None where people would not say it that way."""
    try:
        if isinstance(trigger, CronTrigger):
            return _of_cron(trigger.expression)
        if isinstance(trigger, IntervalTrigger):
            return _of_interval(trigger)
        if isinstance(trigger, RRuleTrigger):
            return _of_set(trigger)
    except ValueError:
        return None  # Not a rule at all; whoever compiles it hears why.
    return None


@lru_cache(maxsize=512)  # a day in steps of two minutes has 720 times, and to be said it is asked about thrice
def evenly(times: tuple[int, ...]) -> int | None:
    """The step in seconds, if at least four times follow each other evenly."""
    if len(times) < 4:
        return None
    steps = {later - earlier for earlier, later in pairwise(times)}
    return steps.pop() if len(steps) == 1 else None


def _with_day(series: Series, wall: int) -> Series:
    """Weekly, monthly or yearly without a day is on the day of its first due time."""
    if series.unit == "day" or series.weekdays or series.month_days or series.nth or series.last_weekday:
        return series
    plain = Series(unit="day", times=series.times[:1])
    moment = to_datetime(_next(_cron(plain) or "", wall))
    if series.unit == "week":
        return msgspec.structs.replace(series, weekdays=(moment.weekday(),))
    month = moment.month if series.unit == "year" else None
    return msgspec.structs.replace(series, month_days=(moment.day,), month=month)


def _short_month(series: Series) -> bool:
    """A day that some months lack, said alone: by words it is then the last day, which cron cannot say."""
    if max(series.month_days, default=0) > (28 if series.month in (None, 2) else 31):
        if len(series.month_days) > 1:
            raise Unsaid("days after the 28th go into a schedule of their own: shorter months lack them")
        return True
    return False


def _first(series: Series, wall: int) -> int:
    """The wall that a series with steps counts from: its first due time. For every month on a day that some lack it is
    the last such day that was, so that a shorter month coming next already counts."""
    expression = _cron(series)
    if expression is None:
        raise Unsaid("times at different minutes go into schedules of their own when they come every so many weeks")
    last = cron_pattern(expression).last_until(wall) if series.every == 1 else None
    return last if last is not None else _next(expression, wall)


def _next(expression: str, wall: int) -> int:
    found = cron_pattern(expression).next_after(wall)
    if found is None:
        raise Unsaid("that never comes")
    return found


def _product(times: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """The hours and the minutes in some times of day."""
    return sorted({time // 3600 for time in times}), sorted({time // 60 % 60 for time in times})


def _cron(series: Series) -> str | None:
    """The series as a cron expression, of six fields if its times have seconds; None when its times are not all
    combinations of some hours and minutes."""
    hours, minutes = _product(series.times)
    seconds = {time % 60 for time in series.times}
    if len(hours) * len(minutes) != len(series.times) or len(seconds) > 1:
        return None
    second = f"{seconds.pop()} " if seconds != {0} else ""
    day, month, weekday = "*", "*" if series.month is None else str(series.month), "*"
    if series.month_days:
        day = ",".join("L" if number == -1 else str(number) for number in series.month_days)
    elif series.last_weekday:
        day = "LW"
    elif series.nth:
        weekday = ",".join(f"{(number + 1) % 7}{'L' if n == -1 else f'#{n}'}" for n, number in series.nth)
    elif series.weekdays:
        weekday = _weekday_field(series.weekdays)
    return f"{second}{_clock_fields(series, hours, minutes)} {day} {month} {weekday}"


def _weekday_field(weekdays: tuple[int, ...]) -> str:
    """Cron counts weekdays from Sunday = 0."""
    numbers = sorted((number + 1) % 7 for number in weekdays)
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


def _step(series: Series) -> int | None:
    """The even step of a series through the day, if it has one."""
    return evenly(series.times) if series.unit == "day" else None


def _clock_fields(series: Series, hours: list[int], minutes: list[int]) -> str:
    """The minute and the hour field.

    Steps through the day are starred and so follow the clock through a clock change. Named times of day are not, even
    where a star would be shorter: each of them is to be due once on every day.
    """
    step = _step(series)
    if step is None:
        return f"{_ranged(minutes)} {_ranged(hours)}"
    minute = "*" if step == 60 else f"*/{step // 60}"
    whole_hours = minutes == list(range(0, 60, step // 60)) and len(minutes) > 1
    if len(hours) == 24:
        hour = "*"
    elif minutes == [0] and hours[0] == 0 and series.times[-1] + step == _DAY_SECONDS:
        hour = f"*/{step // 3600}"
    else:
        hour = _ranged(hours)
    return f"{minute if whole_hours else _ranged(minutes)} {hour}"


def _ranged(numbers: list[int]) -> str:
    """A cron field without a star: a range, with a step if need be, where that is shorter than a list."""
    step = numbers[1] - numbers[0] if len(numbers) > 2 else 0
    if (step == 1 or (step and len(numbers) > 3)) and numbers == list(range(numbers[0], numbers[-1] + 1, step)):
        return f"{numbers[0]}-{numbers[-1]}" + (f"/{step}" if step > 1 else "")
    return ",".join(map(str, numbers))


def _clock_parts(times: tuple[int, ...], *, choose: bool) -> str:
    """BYHOUR and BYMINUTE; with ``choose`` BYSETPOS leaves the wanted ones of their combinations."""
    hours, minutes = _product(times)
    if any(time % 60 for time in times):
        raise Unsaid("times of day go to the minute; for seconds use a cron expression of six fields")
    parts = f"BYHOUR={_list(hours)};BYMINUTE={_list(minutes)};BYSECOND=0"
    made = [hour * 3600 + minute * 60 for hour, minute in product(hours, minutes)]
    if len(made) == len(times):
        return parts
    if not choose or len(made) > _MOST_POSITIONS:
        raise Unsaid(
            "those times of day do not fit one rule; take steps that divide the hour, or end before a full hour"
        )
    return f"{parts};BYSETPOS={_list([place for place, time in enumerate(made, 1) if time in times])}"


def _positions(series: Series) -> str:
    """A daily rule for times of day that no cron expression holds, such as 9:00 and 17:30."""
    if series.month_days or series.nth or series.last_weekday or series.month is not None:
        raise Unsaid("times at different minutes go into schedules of their own when they come monthly")
    days = f";BYDAY={_weekday_list(series.weekdays)}" if series.weekdays else ""
    return f"FREQ=DAILY{days};{_clock_parts(series.times, choose=True)}"


def _rrule(series: Series) -> str:
    parts = [f"FREQ={ {'day': 'DAILY', 'week': 'WEEKLY', 'month': 'MONTHLY', 'year': 'YEARLY'}[series.unit] }"]
    if series.every > 1:
        parts.append(f"INTERVAL={series.every}")
    if series.month is not None:
        parts.append(f"BYMONTH={series.month}")
    if series.weekdays:
        parts.append(f"BYDAY={_weekday_list(series.weekdays)}")
    if series.month_days:
        parts.append(f"BYMONTHDAY={_list(sorted(series.month_days))}")
    if series.nth:
        parts.append(f"BYDAY={','.join(f'{n}{WEEKDAYS[number]}' for n, number in series.nth)}")
    if series.last_weekday:
        parts += ["BYDAY=MO,TU,WE,TH,FR", "BYSETPOS=-1"]
        if len(series.times) > 1:
            raise Unsaid("the last weekday of every so many months takes one time of day")
    if len(series.times) > 1:
        parts.append(_clock_parts(series.times, choose=series.unit == "day"))
    return ";".join(parts)


def _weekday_list(weekdays: tuple[int, ...]) -> str:
    return ",".join(WEEKDAYS[number] for number in weekdays)


def _list(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def _months(series: Series) -> str:
    return f"P{series.every}{'Y' if series.unit == 'year' else 'M'}"


def _local(wall: int) -> str:
    """A wall as an ISO 8601 local time."""
    return to_datetime(wall).isoformat()[:-6]


def _wall(text: str | None, timezone: str | None) -> int | None:
    """The wall in a trigger's start; None without one, or where it is an instant of an unknown zone."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return from_datetime(moment.replace(tzinfo=UTC))
    return None if timezone is None else clock_of(zone(timezone)).wall(from_datetime(moment))


def _of_cron(expression: str) -> Series | None:
    """The series of an expression, if the words for it would give an expression that treats clock changes alike."""
    fields = read_fields(expression)
    series = _of_fields(fields)
    if series is None:
        return None
    starred = _step(series) is not None and "*" in _clock_fields(series, [*fields.hours], [*fields.minutes])
    return series if starred == fields.hour_by_hour else None


def _of_fields(fields: Fields) -> Series | None:
    every_day = fields.days == ALL_DAYS
    every_weekday = fields.weekdays == ALL_WEEKDAYS
    month = None if len(fields.months) == 12 else fields.months[0]
    if len(fields.seconds) > 1 or (month is not None and len(fields.months) > 1):
        return None
    if not (every_day or every_weekday) or not (fields.both_days or (every_day and every_weekday)):
        return None
    times = fields.times()
    if not every_day:
        return _of_month_days(fields.days, times, month)
    if every_weekday:
        return None if month is not None else Series(unit="day", times=times)
    marked = sorted((item[1], (item[0] - 1) % 7) for item in fields.weekdays if isinstance(item, tuple))
    if marked:
        nth = tuple((-1 if n == CronSim.LAST else n, number) for n, number in marked)
        unit = "month" if month is None else "year"
        return Series(unit=unit, times=times, nth=nth, month=month) if len(nth) == len(fields.weekdays) else None
    plain = {(item - 1) % 7 for item in fields.weekdays if isinstance(item, int)}
    return None if month is not None else Series(unit="day", times=times, weekdays=tuple(sorted(plain)))


def _of_month_days(days: frozenset[SpecItem], times: tuple[int, ...], month: int | None) -> Series | None:
    unit = "month" if month is None else "year"
    if days == {CronSim.LAST_WEEKDAY}:
        return Series(unit=unit, times=times, last_weekday=True, month=month)
    if any(isinstance(item, tuple) for item in days):
        return None  # 15W and L-3 have no words of ours
    numbers = sorted(-1 if item == CronSim.LAST else item for item in days if isinstance(item, int))
    if numbers[-1] > (30 if month in (4, 6, 9, 11) else 28 if month in (None, 2) else 31):
        return None  # In words such a day falls on the last one of shorter months; cron leaves those out.
    if CronSim.LAST_WEEKDAY in numbers:
        return None
    return Series(unit=unit, times=times, month_days=tuple(numbers), month=month)


def _of_interval(trigger: IntervalTrigger) -> Series | None:
    months, every = read_every(trigger.every)
    start = _wall(trigger.start, trigger.timezone)
    if every:
        return Series(unit="second", every=every // SECOND, start=start) if every % SECOND == 0 else None
    if start is None:
        return None
    moment, times = to_datetime(start), (start % DAY // SECOND,)
    if months % 12 == 0:
        return Series(
            unit="year", every=months // 12, times=times, month_days=(moment.day,), month=moment.month, start=start
        )
    return Series(unit="month", every=months, times=times, month_days=(moment.day,), start=start)


def _of_set(trigger: RRuleTrigger) -> Series | None:
    found = read_set(trigger.rule)
    if found.rule is None or found.added or found.excluded:
        return None
    start = _wall(trigger.start, trigger.timezone) if found.start is None else found.start.wall
    return _of_rrule(found.rule, start)


def _of_rrule(rule: Recurrence, start: int | None) -> Series | None:
    odd = (rule.count, rule.until, rule.byweekno, rule.byyearday, rule.wkst, rule.bymonth)
    if any(odd) or rule.bysecond not in ((), (0,)) or rule.freq in ("HOURLY", "MINUTELY", "YEARLY"):
        return None
    times = _times_of(rule, start)
    if not times:
        return None
    days = tuple(number for n, number in rule.byday if n == 0)
    nth = tuple((n, number) for n, number in rule.byday if n)
    first = None
    if rule.interval > 1 and start is not None:
        first = RRulePattern(rule, start, clamp=False).next_after(start - 1)
    plain = Series(unit="day", every=rule.interval, times=times, start=first)
    if rule.freq == "DAILY":
        fits = not rule.bymonthday and not (days and rule.interval > 1)
        return msgspec.structs.replace(plain, weekdays=days) if fits else None
    if rule.freq == "WEEKLY":
        if not days and start is not None:
            days = (to_datetime(start).weekday(),)
        unit = "week" if rule.interval > 1 else "day"
        fits = bool(days) and not rule.bysetpos
        return msgspec.structs.replace(plain, unit=unit, weekdays=days) if fits else None
    if rule.bymonthday and not rule.byday and not rule.bysetpos and all(-1 <= day <= 28 for day in rule.bymonthday):
        return msgspec.structs.replace(plain, unit="month", month_days=rule.bymonthday)
    plainly = all(n in (-1, 1, 2, 3, 4, 5) for n, _ in nth) and not rule.bymonthday
    if nth and plainly and not days and not rule.bysetpos:
        return msgspec.structs.replace(plain, unit="month", nth=nth)
    last = days == (0, 1, 2, 3, 4) and rule.bysetpos == (-1,) and not rule.bymonthday
    return msgspec.structs.replace(plain, unit="month", last_weekday=True) if last else None


def _times_of(rule: Recurrence, start: int | None) -> tuple[int, ...]:
    """The times of day of a rule; none where they cannot be told."""
    if start is None and not (rule.byhour and rule.byminute and rule.bysecond):
        return ()
    second = 0 if start is None else start % DAY // SECOND
    hours, minutes = rule.byhour or (second // 3600,), rule.byminute or (second // 60 % 60,)
    rest = rule.bysecond[0] if rule.bysecond else second % 60
    times = [hour * 3600 + minute * 60 + rest for hour, minute in product(hours, minutes)]
    if rule.freq != "DAILY" or not rule.bysetpos:
        return tuple(times)
    beyond = len(times) + 1  # -1 is the last
    return tuple(
        time for place, time in enumerate(times, 1) if place in rule.bysetpos or place - beyond in rule.bysetpos
    )
