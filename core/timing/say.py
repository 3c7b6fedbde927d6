"""Triggers said back in words, in such a way that the words mean the trigger when they are read again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cronsim.cronsim import CronSim, Field, SpecItem

from core.timing.clock import Clock, clock_of
from core.timing.cron import read_fields
from core.timing.cron_field import Mark, known_to_cronsim
from core.timing.grammar.vocabulary import DAY_NAMES, MONTH_NAMES, ordinal
from core.timing.interval import read_every
from core.timing.locales import DateOrder
from core.timing.recurrence_set import read_set
from core.timing.series import ALL_DAYS, ALL_WEEKDAYS, Series, evenly, series_of
from core.timing.zones import zone
from schedule_zero.instant import DAY, SECOND, from_datetime, to_datetime
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, TextTrigger, Trigger

_DAY_SECONDS: Final = 86_400
_ORDINALS: Final = {-1: "last", 1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
_LARGEST: Final = {
    Field.SECOND: (60, 0, "a minute"),
    Field.MINUTE: (60, 0, "an hour"),
    Field.HOUR: (24, 0, "a day"),
    Field.MONTH: (12, 1, "a year"),
}
"""The longest step in a field of a cron expression that is what it says, its first value, and after what it begins anew.
In the fields of days a star means more than its values."""
_NUMBER_TH: Final = re.compile(r"\b(\d+)th\b")
_PARTS: Final = ((_DAY_SECONDS // 24, "hour"), (60, "minute"), (1, "second"))


def say(trigger: Trigger, *, timezone: str, hour24: bool, order: DateOrder | None = None) -> str:
    """A trigger in words; where people would say it, in words that mean it when they are read.

    The trigger must be one that ``compile_rule`` takes, or text. ``order``: whether dates are said day or month first;
    None: the day.
    """
    if isinstance(trigger, DateTrigger):
        return say_wall(_wall(trigger.at, trigger.timezone or timezone), hour24=hour24, order=order)
    if isinstance(trigger, TextTrigger):
        return trigger.text
    if isinstance(trigger, CronTrigger):
        return _say_cron(trigger.expression, hour24)
    series = series_of(trigger)
    if series is not None:
        return say_series(series, hour24=hour24, order=order)
    if isinstance(trigger, IntervalTrigger):
        return _say_interval(trigger.every)
    return _say_set(trigger.rule)


def _say_set(text: str) -> str:
    """A recurrence that people would not say: its rule as written, and how many dates stand beside it."""
    found = read_set(text)
    if found.rule is None:
        return f"on {_dates(len(found.added) + (found.start is not None))}"
    said = f"by the rule {found.rule_text}"
    said += f", with {_dates(len(found.added))} more" if found.added else ""
    return said + (f", without {_dates(len(found.excluded))}" if found.excluded else "")


def _dates(number: int) -> str:
    return f"{number} date{'s' * (number != 1)}"


def say_bounded(
    trigger: Trigger,
    clock: Clock,
    *,
    hour24: bool,
    start: int | None = None,
    until: int | None = None,
    count: int | None = None,
    order: DateOrder | None = None,
) -> str:
    """A trigger in words with the bounds it does not hold itself (instants)."""
    said = say(trigger, timezone=clock.zone.key, hour24=hour24, order=order)
    if start is not None and ", starting " not in said:
        said += f", starting {_say_bound(clock.wall(start), 0, hour24, order)}"
    if until is not None:
        said += f", until {_say_bound(clock.wall(until), _DAY_SECONDS - 1, hour24, order)}"
    return said + (f", {count} times" if count is not None else "")


def say_wall(wall: int, *, hour24: bool, order: DateOrder | None = None) -> str:
    """A wall as a date with its weekday, and the time of day."""
    return f"{_say_date(wall, order)} at {say_time(wall % DAY // SECOND, hour24=hour24)}"


def _say_date(wall: int, order: DateOrder | None) -> str:
    moment = to_datetime(wall)
    month = MONTH_NAMES[moment.month - 1]
    day = f"{month} {moment.day}" if order == "month" else f"{moment.day} {month}"
    return f"{DAY_NAMES[moment.weekday()]} {day} {moment.year}"


def _say_bound(wall: int, plain: int, hour24: bool, order: DateOrder | None) -> str:
    """A start or an end; its time of day only where it is not the ``plain`` one that a date alone stands for."""
    return _say_date(wall, order) if wall % DAY // SECOND == plain else say_wall(wall, hour24=hour24, order=order)


def say_time(second: int, *, hour24: bool) -> str:
    """A time of day: 18:30, or 6:30pm."""
    hour, minute, rest = second // 3600, second // 60 % 60, second % 60
    seconds = f":{rest:02}" if rest else ""
    if hour24:
        return f"{hour:02}:{minute:02}{seconds}"
    minutes = f":{minute:02}{seconds}" if minute or rest else ""
    return f"{(hour + 11) % 12 + 1}{minutes}{'am' if hour < 12 else 'pm'}"


def say_length(seconds: int) -> str:
    """15 minutes, 1 hour 30 minutes."""
    said = []
    for size, unit in _PARTS:
        number, seconds = divmod(seconds, size)
        if number:
            said.append(f"{number} {unit}{'s' * (number > 1)}")
    return " ".join(said)


def say_series(series: Series, *, hour24: bool, order: DateOrder | None = None) -> str:
    """A series as a phrase that begins with "every"."""
    since = "" if series.start is None else f", starting {say_wall(series.start, hour24=hour24, order=order)}"
    start = "" if series.every == 1 else since
    if series.unit == "second":
        return f"every {_counted(series.every)}{since}"
    step = evenly(series.times)
    if step is not None and series.unit == "day" and series.every == 1:
        return _say_window(series, step, hour24)
    times = _joined(say_time(second, hour24=hour24) for second in series.times)
    return f"every {_say_days(series)} at {times}{start}"


def _say_interval(every: str) -> str:
    """An interval of months that counts from the making of its schedule, or one of broken seconds."""
    months, micros = read_every(every)
    if micros:
        return f"every {micros / SECOND:g} seconds"
    number, unit = (months // 12, "year") if months % 12 == 0 else (months, "month")
    return f"every {unit if number == 1 else f'{number} {unit}s'}"


def _say_window(series: Series, step: int, hour24: bool) -> str:
    first, last = series.times[0], series.times[-1]
    days = f" on {_weekdays(series.weekdays)}" if series.weekdays else ""
    if first == 0 and last + step == _DAY_SECONDS:
        return f"every {_counted(step)}{days or ' on the clock'}"
    if step == 3600 and 0 < first < 3600 and first % 60 == 0 and last + step - first == _DAY_SECONDS:
        minute = first // 60
        return f"every hour at {minute} minute{'s' * (minute > 1)} past{days}"
    between = f" between {say_time(first, hour24=hour24)} and {say_time(last, hour24=hour24)}"
    return f"every {_counted(step)}{between}{days}"


def _counted(seconds: int) -> str:
    """A length behind "every": the number one is left out."""
    said = say_length(seconds)
    return said.removeprefix("1 ") if said in ("1 hour", "1 minute", "1 second") else said


def _say_days(series: Series) -> str:
    unit, every = series.unit, series.every
    if unit == "day" and series.weekdays:
        missing = [DAY_NAMES[number] for number in range(7) if number not in series.weekdays]
        if len(missing) == 1:
            return f"day except {missing[0]}"
        return "weekday" if series.weekdays == (0, 1, 2, 3, 4) else _weekdays(series.weekdays)
    if unit == "week" and every == 2 and len(series.weekdays) == 1:
        return f"other {DAY_NAMES[series.weekdays[0]]}"
    steps = unit if every == 1 else f"{every} {unit}s"
    return f"{steps}{_say_day_of(series)}"


def _say_day_of(series: Series) -> str:
    if series.unit == "week":
        return f" on {_weekdays(series.weekdays)}"
    if series.month is not None and len(series.month_days) == 1 and series.month_days[0] > 0:
        return f" on {series.month_days[0]} {MONTH_NAMES[series.month - 1]}"
    of_month = "" if series.month is None else f" of {MONTH_NAMES[series.month - 1]}"
    if series.nth:
        return f" on the {_nth(series.nth)}{of_month}"
    if series.last_weekday:
        return f" on the last weekday{of_month}"
    if series.month_days == (-1,):
        return f" on the last day{of_month}"
    if not series.month_days:
        return ""
    clamped = ", or the last day," if max(series.month_days) > 28 else ""
    return (
        f" on the {_joined('last day' if day == -1 else ordinal(day) for day in series.month_days)}{clamped}{of_month}"
    )


def _nth(nth: tuple[tuple[int, int], ...]) -> str:
    """First and third Monday; first Monday and second Friday."""
    weekdays = {number for _, number in nth}
    if len(weekdays) == 1:
        return f"{_joined(_ORDINALS[n] for n, _ in nth)} {DAY_NAMES[nth[0][1]]}"
    return _joined(f"{_ORDINALS[n]} {DAY_NAMES[number]}" for n, number in nth)


def _weekdays(weekdays: tuple[int, ...]) -> str:
    return "weekdays" if weekdays == (0, 1, 2, 3, 4) else _joined(DAY_NAMES[number] for number in weekdays)


def _joined(items: Iterable[str]) -> str:
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


@lru_cache(maxsize=2048)  # many people want the same times, and to say "every two minutes" all of a day are listed
def _say_cron(expression: str, hour24: bool) -> str:
    plain, long = _without_long_steps(expression)
    series = series_of(CronTrigger(expression=plain))
    said = _explained(plain) if series is None else say_series(series, hour24=hour24)
    if not long:
        return said
    return f"{said.partition(' (cron ')[0]}, for {_joined(long)} (cron {' '.join(expression.split())})"


def _without_long_steps(expression: str) -> tuple[str, list[str]]:
    """The expression with the first value alone for a step longer than its field, and why it is so; */90 is a 0."""
    parts = expression.split()
    if "/" not in expression or len(parts) not in (5, 6):
        return expression, []
    plain, long = [], []
    for field, part in zip(list(Field)[-len(parts) :], parts, strict=True):
        terms = [_without_long_step(field, term) for term in part.split(",")]
        plain.append(",".join(term for term, _ in terms))
        long += [why for _, why in terms if why is not None]
    return " ".join(plain), long


def _without_long_step(field: Field, term: str) -> tuple[str, str | None]:
    values, _, step = term.partition("/")
    if field not in _LARGEST or not (step.isascii() and step.isdecimal()):
        return term, None
    size, first, whole = _LARGEST[field]
    if int(step) <= size:
        return term, None
    return str(first) if values == "*" else values.partition("-")[0], f"a step of {step} is longer than {whole}"


def _explained(expression: str) -> str:
    """A cron expression that people would not say, in cronsim's words, with the expression behind them."""
    # Imported when such an expression turns up; firing needs none of it.
    from cronsim.explain import Expression  # noqa: PLC0415

    fields, parts = read_fields(expression), expression.upper().split()
    if not fields.both_days and (fields.days == ALL_DAYS or fields.weekdays == ALL_WEEKDAYS):
        # Either day field will do, and one holds every day: the other says nothing, which cronsim's words overlook.
        parts[-3] = parts[-1] = "*"
    parts = known_to_cronsim(parts if len(parts) == 6 else ["0", *parts])
    marked = any(isinstance(item, tuple) for item in fields.days)
    if marked:
        parts[3] = "LW"  # stands in for what cronsim has no words for
    text = Expression(parts).explain()
    if marked:
        text = text.replace("the last weekday", _joined(_say_month_day(item) for item in sorted(fields.days, key=str)))
    if not fields.both_days:  # and where both do say something, it says "and" of what is "or"
        text = text.replace(" and on ", " or on ", 1)
    text = _NUMBER_TH.sub(lambda match: ordinal(int(match[1])), text)  # it says "31th"
    return f"{text[:1].lower()}{text[1:]} (cron {' '.join(expression.split())})"


def _say_month_day(item: SpecItem) -> str:
    """A day of the month as a cron expression marks it: the weekday nearest the 15th, the last day but 3."""
    if not isinstance(item, tuple):
        return {CronSim.LAST: "the last day", CronSim.LAST_WEEKDAY: "the last weekday"}.get(
            item, f"the {ordinal(item)}"
        )
    mark, number = item
    if mark == Mark.NEAREST_WEEKDAY:
        return f"the weekday nearest the {ordinal(number)}"
    day = f"the last day but {number}"
    return day if mark == Mark.BEFORE_LAST else f"the weekday nearest {day}"


def _wall(text: str, timezone: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return from_datetime(moment.replace(tzinfo=UTC))
    return clock_of(zone(timezone)).wall(from_datetime(moment))
