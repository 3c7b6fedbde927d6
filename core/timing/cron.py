"""Cron expressions as patterns on the wall: five fields, six with seconds in front, or an ``@`` name.

What stands in a field is read by ``core.timing.cron_field``. As in Debian's cron(8), day of month and day of week must
both match when one of them starts with a star (or is ``?``), else either will do. The search is our own: it counts on
the wall, so that no clock change can lose or double a day.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache
from typing import Final, NamedTuple

from cronsim.cronsim import CronSim, Field, SpecItem

from core.timing.cron_field import Mark, read_field
from core.timing.days import days_of
from core.timing.rule import LATEST, BadPattern, one_by_one
from schedule_zero.instant import DAY, SECOND

NAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_DAY_SECONDS: Final = 86_400
_LAST_DAY: Final = LATEST // DAY + 2  # whatever the zone, no wall of this day is due
_FEW_TIMES: Final = 48


class Fields(NamedTuple):
    """A cron expression, read. Days keep marks for what only a month can tell (``L``, ``15W``, ``MON#1``)."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[SpecItem]
    months: tuple[int, ...]
    weekdays: frozenset[SpecItem]
    both_days: bool
    """Day of month and day of week must both match."""
    hour_by_hour: bool
    """Minute or hour starts with a star: Debian lets such a job follow the clock instead of settling it."""

    def times(self) -> tuple[int, ...]:
        """The seconds of the day, in order."""
        return tuple([h * 3600 + m * 60 + s for h in self.hours for m in self.minutes for s in self.seconds])


class CronPattern:
    """The walls of one cron expression. Equal expressions share one (``cron_pattern``)."""

    __slots__ = ("_days", "_f", "_per_day", "_times")

    def __init__(self, fields: Fields, *, clamp: bool) -> None:
        self._f = fields
        self._days = days_of(fields.days, fields.months, fields.weekdays, fields.both_days, clamp)
        self._per_day = len(fields.seconds) * len(fields.minutes) * len(fields.hours)
        # Most expressions name a few times of day, and those are looked up at once. The others would cost memory.
        self._times = fields.times() if self._per_day <= _FEW_TIMES else ()

    @property
    def hour_by_hour(self) -> bool:
        return self._f.hour_by_hour

    def next_after(self, wall: int) -> int | None:
        day, second = divmod(wall // SECOND + 1, _DAY_SECONDS)
        time = self._time_from(second)
        matching = self._days.first_from(day if time is not None else day + 1)
        if matching is None:
            return None
        if time is None or matching != day:
            f = self._f
            time = f.hours[0] * 3600 + f.minutes[0] * 60 + f.seconds[0]
        return (matching * _DAY_SECONDS + time) * SECOND

    def upcoming(self, wall: int, n: int) -> list[int]:
        times = self._times
        if not times:
            return one_by_one(self.next_after, wall, n)
        found: list[int] = []
        day, second = divmod(wall // SECOND + 1, _DAY_SECONDS)
        matching = self._days.first_from(day)
        while matching is not None and matching < _LAST_DAY and len(found) < n:
            left = times if matching != day else times[bisect_left(times, second) :]
            found += [(matching * _DAY_SECONDS + time) * SECOND for time in left]
            matching = self._days.first_from(matching + 1)
        return found[:n]

    def last_until(self, wall: int) -> int | None:
        day, second = divmod(wall // SECOND, _DAY_SECONDS)
        time = self._time_until(second)
        matching = self._days.last_until(day if time is not None else day - 1)
        if matching is None:
            return None
        if time is None or matching != day:
            f = self._f
            time = f.hours[-1] * 3600 + f.minutes[-1] * 60 + f.seconds[-1]
        return (matching * _DAY_SECONDS + time) * SECOND

    def count_between(self, after: int, until: int, limit: int) -> int:
        """Counts days, not walls."""
        days = self._days
        low, low_second = divmod(after // SECOND, _DAY_SECONDS)
        high, high_second = divmod(until // SECOND, _DAY_SECONDS)
        count = self._rank(high_second) if days.first_from(high) == high else 0
        count -= self._rank(low_second) if days.first_from(low) == low else 0
        whole = days.count_between(low, high, (limit - count) // self._per_day + 1)
        return min(count + self._per_day * whole, limit)

    def _time_from(self, second: int) -> int | None:
        """The first matching second of the day at or after this one."""
        times = self._times
        if times:
            place = bisect_left(times, second)
            return times[place] if place < len(times) else None
        f = self._f
        hour, rest = divmod(second, 3600)
        minute, second = divmod(rest, 60)
        h = bisect_left(f.hours, hour)
        if h == len(f.hours):
            return None
        if f.hours[h] == hour:
            m = bisect_left(f.minutes, minute)
            if m < len(f.minutes) and f.minutes[m] == minute:
                s = bisect_left(f.seconds, second)
                if s < len(f.seconds):
                    return hour * 3600 + minute * 60 + f.seconds[s]
                m += 1
            if m < len(f.minutes):
                return hour * 3600 + f.minutes[m] * 60 + f.seconds[0]
            h += 1
        return f.hours[h] * 3600 + f.minutes[0] * 60 + f.seconds[0] if h < len(f.hours) else None

    def _time_until(self, second: int) -> int | None:
        """The last matching second of the day at or before this one."""
        times = self._times
        if times:
            place = bisect_right(times, second)
            return times[place - 1] if place else None
        f = self._f
        rank = self._rank(second) - 1
        if rank < 0:
            return None
        rest, s = divmod(rank, len(f.seconds))
        h, m = divmod(rest, len(f.minutes))
        return f.hours[h] * 3600 + f.minutes[m] * 60 + f.seconds[s]

    def _rank(self, second: int) -> int:
        """How many matching seconds the day has up to and with this one."""
        f = self._f
        hour, rest = divmod(second, 3600)
        minute, second = divmod(rest, 60)
        h = bisect_left(f.hours, hour)
        rank = h * len(f.minutes)
        if h < len(f.hours) and f.hours[h] == hour:
            m = bisect_left(f.minutes, minute)
            rank += m
            if m < len(f.minutes) and f.minutes[m] == minute:
                return rank * len(f.seconds) + bisect_right(f.seconds, second)
        return rank * len(f.seconds)


@lru_cache(maxsize=256)
def unclamped(expression: str) -> CronPattern | None:
    """The pattern without the days that ``clamp`` adds; None where it adds none.

    The expression is one that ``cron_pattern`` takes.
    """
    fields = read_fields(expression)
    named = {item if isinstance(item, int) else item[1] * (item[0] == Mark.NEAREST_WEEKDAY) for item in fields.days}
    adds = max(named) > 28 and CronSim.LAST not in fields.days and not {28, 29, 30} <= named
    return CronPattern(fields, clamp=False) if adds else None


@lru_cache(maxsize=2048)
def cron_pattern(expression: str, *, clamp: bool = False) -> CronPattern:
    """Read an expression; with ``clamp`` days 29 to 31 become the last day of shorter months.

    Raises:
        BadPattern: the expression has the wrong number of fields, a field cannot be read, or no day ever matches.
    """
    pattern = CronPattern(read_fields(expression), clamp=clamp)
    if pattern.next_after(0) is None:
        raise BadPattern(f"no date ever matches {expression!r}: the day does not exist in those months")
    return pattern


@lru_cache(maxsize=2048)  # to be compiled, said and checked, an expression is read several times over
def read_fields(expression: str) -> Fields:
    """Read an expression into its fields.

    Raises:
        BadPattern: the number of fields is wrong, or one of them cannot be read.
    """
    text = expression.strip()
    if text.startswith("@"):
        name = text.lower()
        if name not in NAMES:
            other = "; what comes every so many minutes or hours is an interval" if name.startswith("@every") else ""
            raise BadPattern(f"{text!r} is none of {', '.join(NAMES)}{other}")
        text = NAMES[name]
    parts = text.upper().split()
    if parts and parts[0].startswith(("CRON_TZ=", "TZ=")):
        raise BadPattern(f"the time zone is named beside a cron expression, not in it; leave out {text.split()[0]!r}")
    if len(parts) == 5:
        parts.insert(0, "0")
    if len(parts) != 6:
        years = "; in place of a field of years give the schedule a start and an end" if len(parts) == 7 else ""
        said = f"a cron expression has 5 fields, or 6 with seconds first; {expression!r} has {len(parts)}{years}"
        raise BadPattern(said)
    if parts[3] == parts[5] == "?":
        raise BadPattern("? stands in one of the two day fields only; give the other a day, or a star")
    seconds, minutes, hours, days, months, weekdays = map(read_field, Field, parts)
    return Fields(
        seconds=_numbers(seconds),
        minutes=_numbers(minutes),
        hours=_numbers(hours),
        days=days,
        months=_numbers(months),
        weekdays=weekdays,
        both_days=parts[3].startswith(("*", "?")) or parts[5].startswith(("*", "?")),
        hour_by_hour=parts[1].startswith("*") or parts[2].startswith("*"),
    )


@lru_cache(maxsize=2048)
def _numbers(items: frozenset[SpecItem]) -> tuple[int, ...]:
    return tuple(sorted(item for item in items if isinstance(item, int)))
