"""Triggers as recurrence rules of RFC 5545, where one says the same: for calendar programs, which know nothing else.

What is written is checked against the rule itself: the next times of both must be the same ones.
"""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cronsim.cronsim import CronSim
from dateutil.rrule import rrulestr

from core.timing.cron import Fields, read_fields
from core.timing.interval import read_every
from core.timing.recurrence_set import read_set
from core.timing.rule import Rule
from schedule_zero.instant import DAY, HOUR, MINUTE, SECOND, from_datetime, to_datetime
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger, Trigger

CHECKED: Final = 6
"""Times that are compared."""
_UTC: Final = ZoneInfo("UTC")
_WEEKDAYS: Final = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_LENGTHS: Final = ((DAY, "DAILY"), (HOUR, "HOURLY"), (MINUTE, "MINUTELY"), (SECOND, "SECONDLY"))
_SHORTEST_MONTH: Final = 28


def recurrence_of(trigger: Trigger | None, rule: Rule, due: int, until: int | None) -> tuple[str, ZoneInfo] | None:
    """The RRULE that says when a trigger is due from a due time on, and the zone it is meant in; None: none does.

    Args:
        rule: the trigger's own, computing, with nothing laid around it.
        due: a time of it, which is to be DTSTART.
        until: nothing is due behind it.
    """
    written = _written(trigger, rule, due)
    if written is None:
        return None
    text, place = written
    if until is not None and "UNTIL=" not in text:
        text += f";UNTIL={to_datetime(until):%Y%m%dT%H%M%SZ}"
    return (text, place) if _says_the_same(text, place, rule, due) else None


def _written(trigger: Trigger | None, rule: Rule, due: int) -> tuple[str, ZoneInfo] | None:
    if isinstance(trigger, RRuleTrigger):
        read = read_set(trigger.rule)
        alone = read.rule is not None and not read.added and not read.excluded and "COUNT=" not in read.rule_text
        return (read.rule_text, rule.zone) if alone else None
    if isinstance(trigger, CronTrigger):
        text = _of_cron(trigger.expression)
        return None if text is None else (text, rule.zone)
    if isinstance(trigger, IntervalTrigger):
        return _of_interval(trigger.every, rule, due)
    return None


def _of_interval(every: str, rule: Rule, due: int) -> tuple[str, ZoneInfo] | None:
    months, length = read_every(every)
    if not months:  # absolute time, which only the wall of UTC follows
        unit, name = next((unit, name) for unit, name in _LENGTHS if length % unit == 0 or unit == SECOND)
        return (f"FREQ={name};INTERVAL={length // unit}", _UTC) if length % unit == 0 else None
    day = to_datetime(due).astimezone(rule.zone).day
    return (f"FREQ=MONTHLY;INTERVAL={months};BYMONTHDAY={day}", rule.zone) if day <= _SHORTEST_MONTH else None


@lru_cache(maxsize=512)
def _of_cron(expression: str) -> str | None:
    fields = read_fields(expression)
    days = _days(fields)
    if days is None:
        return None
    parts = [*_times(fields), *days]
    if len(fields.months) < 12:
        parts.append(f"BYMONTH={_listed(fields.months)}")
    return ";".join(parts)


def _times(fields: Fields) -> list[str]:
    seconds = f"BYSECOND={_listed(fields.seconds)}"
    minutes = f"BYMINUTE={_listed(fields.minutes)}"
    if len(fields.hours) < 24:
        return ["FREQ=DAILY", f"BYHOUR={_listed(fields.hours)}", minutes, seconds]
    if len(fields.minutes) < 60:
        return ["FREQ=HOURLY", minutes, seconds]
    return ["FREQ=MINUTELY", seconds]


def _days(fields: Fields) -> list[str] | None:
    """What of each day field is named; None where a rule of days cannot say it."""
    last = CronSim.LAST in fields.days
    days = sorted(day for day in fields.days if isinstance(day, int) and day != CronSim.LAST)
    weekdays = sorted(day for day in fields.weekdays if isinstance(day, int))
    if len(days) + last < len(fields.days) or len(weekdays) < len(fields.weekdays) or (days and days[0] < 1):
        return None
    any_day, any_weekday = len(days) == 31, len({day % 7 for day in weekdays}) == 7
    if not fields.both_days and (any_day or any_weekday):
        return []
    if not fields.both_days or (days and days[-1] > _SHORTEST_MONTH and not any_day):
        return None  # either will do; or a month's end may stand for a day it lacks
    found = [] if any_day else [f"BYMONTHDAY={_listed([*days, *([-1] if last else [])])}"]
    return found if any_weekday else [*found, f"BYDAY={','.join(_WEEKDAYS[day % 7] for day in weekdays)}"]


def _listed(numbers: object) -> str:
    assert isinstance(numbers, (list, tuple))
    return ",".join(map(str, numbers))


def _says_the_same(text: str, place: ZoneInfo, rule: Rule, due: int) -> bool:
    begin = to_datetime(due).astimezone(UTC if place is _UTC else place)
    expected = rule.upcoming(due - 1, CHECKED)
    if "UNTIL=" not in text:  # else whoever looks for a next time that never comes looks to the end of the calendar
        text += f";UNTIL={to_datetime(expected[-1] + SECOND):%Y%m%dT%H%M%SZ}"
    try:
        told = rrulestr(text, dtstart=begin)
        found = [from_datetime(moment) for moment, _ in zip(told, range(CHECKED), strict=False)]
    except ValueError:  # what one of the two refuses
        return False
    return found == expected
