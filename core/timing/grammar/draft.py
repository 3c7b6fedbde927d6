"""What a recurring phrase has said so far, and whether its parts go together."""

from __future__ import annotations

from typing import Final

import msgspec

from core.timing.grammar.once import Moment, Now
from core.timing.grammar.times import DAY_SECONDS, PERIOD_TIMES, Length, Time, in_period
from core.timing.grammar.tokens import Refused
from core.timing.series import Series

PER_UNIT: Final = {"second": 1, "minute": 60, "hour": 3600}


class Draft(msgspec.Struct):
    """What the clauses read so far have said."""

    unit: str | None = None
    every: int = 1
    times: list[Time] = []
    period: str | None = None
    window: tuple[int, int] | None = None
    weekdays: tuple[int, ...] = ()
    except_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    nth: tuple[tuple[int, int], ...] = ()
    last_weekday: bool = False
    month: int | None = None
    on_the_clock: bool = False
    minute: int | None = None
    """The minute of the hour for steps of whole hours."""
    tally: tuple[int, str] | None = None
    """So many times in such a unit: as many times of day, or days, must be named."""
    bi: str | None = None
    """The unit of a word such as bi-weekly."""
    instead: tuple[str, ...] = ()
    """What the whole text may mean, where a tally or a word such as bi-weekly does not say it."""
    instead_on_days: tuple[str, ...] = ()
    """The same where it names days."""
    clear: tuple[str, ...] = ()
    """The whole text with clear times, for midnight and for hours that come twice a day."""
    bound_time: int | None = None
    """The time of day (seconds) that a start or an end brings along; the one of the series, if it has no other."""
    unclear: Refused | None = None
    """Why the times of day are not known, unless a part of the day tells."""
    lasts: Length | None = None
    start: Moment | None = None
    until: Moment | None = None
    count: int | None = None

    @property
    def has_days(self) -> bool:
        return bool(self.weekdays or self.month_days or self.nth or self.last_weekday or self.except_days)


class Recurring(msgspec.Struct, frozen=True):
    """A recurring time: the series, its bounds, and what nobody said."""

    series: Series
    start: Moment | None = None
    until: Moment | None = None
    count: int | None = None
    defaulted_time: bool = False
    part_of_day: bool = False
    """A part of the day was said, and no time in it."""
    defaulted_day: bool = False


def take_unit(draft: Draft, unit: str, number: int) -> None:
    """Say how often it comes: every so many units. Raises Refused when that was said before, and differently."""
    if draft.unit is not None and (draft.unit, draft.every) != (unit, number):
        raise Refused("the words say in two ways how often it comes")
    draft.unit, draft.every = unit, number


def take_steps(draft: Draft, unit: str, number: int) -> None:
    """The same in any unit people use. Raises Refused for no time at all, and for more than a hundred years."""
    if unit in PER_UNIT:
        unit, number = "second", number * PER_UNIT[unit]
    elif unit in ("fortnight", "quarter"):
        unit, number = ("week", 2 * number) if unit == "fortnight" else ("month", 3 * number)
    if not 0 < number <= 36_525 * DAY_SECONDS or (unit != "second" and number > 1_200):
        raise Refused("a repetition comes at least once in a hundred years, and after some time")
    take_unit(draft, unit, number)


def take_weekdays(draft: Draft, weekdays: tuple[int, ...]) -> None:
    """Say on which weekdays. Raises Refused when days were named before."""
    if draft.weekdays or draft.month_days or draft.nth or draft.last_weekday:
        raise Refused("the words name the day twice")
    draft.weekdays = weekdays


def finished(draft: Draft, now: Now, until: Moment | None) -> Recurring:
    """Check that the clauses go together, and fill in what they leave open."""
    if draft.bi is not None:
        _decide_bi(draft)
    if draft.unit is None and (draft.weekdays or draft.on_the_clock or draft.minute is not None):
        draft.unit, draft.every = ("week", 1) if draft.weekdays else ("second", 3600)
    if draft.unit is None and draft.tally is None:
        raise Refused("the words do not say how often it comes; try 'every day at 9'")
    if draft.tally is not None:
        _check_tally(draft, *draft.tally)
    if draft.except_days:
        _leave_out(draft)
    if draft.unclear is not None and draft.period is None:
        raise draft.unclear
    defaulted_day = draft.unit in ("week", "month", "year") and not draft.has_days
    series = _within_days(draft) if draft.unit == "second" else _on_calendar(draft, now)
    return Recurring(
        series=series,
        start=draft.start,
        until=until,
        count=draft.count,
        defaulted_time=series.unit != "second" and not draft.times and draft.unit != "second" and draft.window is None,
        part_of_day=draft.period is not None and not draft.times,
        defaulted_day=defaulted_day,
    )


def _named_days(draft: Draft) -> int:
    return len(draft.weekdays) + len(draft.month_days) + len(draft.nth) + draft.last_weekday


def _decide_bi(draft: Draft) -> None:
    """Bi-weekly on one day can only be every two weeks. Raises Refused where it may be twice a week."""
    unit, days = draft.bi, _named_days(draft)
    if days == 1 and unit in ("week", "month") and draft.unit in (None, unit):
        draft.unit, draft.every = unit, 2
        return
    offers = draft.instead_on_days if days else draft.instead
    raise Refused(f"that can be every 2 {unit}s or twice a {unit}", offers)


def _check_tally(draft: Draft, number: int, unit: str) -> None:
    """Raises Refused unless the words name as many times of day or days."""
    named = len(draft.times) if unit == "day" else _named_days(draft)
    if named != number or unit in PER_UNIT:
        what = {"day": "at which times", "hour": "at which minutes", "minute": "how often"}.get(unit, "on which days")
        raise Refused(f"{number} times {'an' if unit == 'hour' else 'a'} {unit}: say {what}", draft.instead)


def _leave_out(draft: Draft) -> None:
    """Take the days behind "except" from the others. Raises Refused where that leaves none, or names none."""
    left = tuple(sorted(set(draft.weekdays or range(7)) - set(draft.except_days)))
    steady = draft.unit in ("day", "second") or (draft.unit == "week" and draft.every == 1 and draft.weekdays)
    if not left or not steady or draft.month_days or draft.nth or draft.last_weekday:
        raise Refused("'except' goes with every day, or with every so many minutes or hours")
    draft.weekdays = left


def _on_calendar(draft: Draft, now: Now) -> Series:
    if draft.window is not None or draft.on_the_clock or draft.minute is not None:
        raise Refused("a span of hours goes with every so many minutes or hours")
    unit = draft.unit or "day"
    if unit == "week" and draft.every == 1 and draft.weekdays:
        unit = "day"
    if unit == "day" and draft.weekdays and draft.every > 1:
        raise Refused("every so many days and a weekday do not go together; say 'every 2 weeks on' that day")
    if draft.weekdays and unit in ("month", "year"):
        raise Refused("say which of the weekdays in the month, such as 'the first monday of the month'")
    if unit == "year" and not draft.month and draft.has_days:
        raise Refused("say which month, such as 'every year on 3 march'")
    if not draft.times and draft.bound_time is not None:
        draft.times = [Time(draft.bound_time)]
    times = [time if draft.period is None else in_period(time, draft.period) for time in draft.times]
    if any(time.either for time in times):
        raise Refused("that hour comes twice a day; add am or pm", draft.clear)
    if draft.has_days and any(time.midnight for time in times):
        clear = "0:00 or 23:59" if any(time.midnight and not time.second for time in times) else "the hour in figures"
        raise Refused(f"midnight stands at both ends of a day; write {clear}", draft.clear)
    if draft.has_days and draft.period == "night" and any(time.second < 5 * 3600 for time in times):
        raise Refused("the hours after midnight belong to the next day; name that day and leave out 'night'")
    default = now.default if draft.period is None else PERIOD_TIMES[draft.period]
    return Series(
        unit=unit,
        every=draft.every,
        times=tuple(sorted({time.second for time in times})) or (default,),
        weekdays=draft.weekdays if len(draft.weekdays) < 7 else (),
        month_days=draft.month_days,
        nth=draft.nth,
        last_weekday=draft.last_weekday,
        month=draft.month,
        # Every day or every friday needs no start to count from; every 7 days takes its weekday from it.
        start=draft.start.wall if draft.start is not None and (draft.every > 1 or not draft.has_days) else None,
    )


def _within_days(draft: Draft) -> Series:
    """Every so many minutes or hours: in real time, or at fixed times where hours, days or the clock are named."""
    if draft.times or draft.period:
        raise Refused("every so many minutes or hours has no time of day; say between which hours, or from when")
    if draft.month_days or draft.nth or draft.last_weekday or draft.month:
        raise Refused("every so many minutes or hours goes with weekdays, not with days of the month")
    if draft.window is None and not draft.weekdays and not draft.on_the_clock and draft.minute is None:
        return Series(unit="second", every=draft.every, start=None if draft.start is None else draft.start.wall)
    if draft.every % 60:
        raise Refused("seconds cannot be kept to hours or days; use whole minutes")
    if draft.window is None and DAY_SECONDS % draft.every:
        raise Refused("those steps do not divide a day; say between which hours they run")
    first, last = draft.window or (0, DAY_SECONDS - 1)
    if draft.minute is not None:
        if draft.every % 3600:
            raise Refused("a minute of the hour goes with steps of whole hours")
        first += (draft.minute * 60 - first) % 3600
    times = tuple(range(first, last + 1, draft.every))
    weekdays = draft.weekdays if len(draft.weekdays) < 7 else ()
    return Series(unit="day", times=times, weekdays=weekdays)
