"""A recurrence set into a rule: its RRULE on the wall, the dates of RDATE added, those of EXDATE taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.timing.clock import Clock, clock_of
from core.timing.once import OnceRule
from core.timing.recurrence import Recurrence
from core.timing.recurrence_set import RecurrenceSet, Written
from core.timing.rrule import RRulePattern
from core.timing.rule import EARLIEST, LATEST, BadPattern, Rule
from core.timing.wall import Pattern, WallRule
from core.timing.without import WithInstants, WithoutWalls
from schedule_zero.instant import DAY, SECOND


def set_rule(found: RecurrenceSet, start: int, clock: Clock, *, literal: bool, clamp: bool) -> Rule:
    """The rule a recurrence set means on a zone's clock.

    An EXDATE without a zone of its own takes away the wall it names, whatever a clock change makes of it; one in UTC or
    in another zone takes away that instant. COUNT counts what the RRULE itself gives.

    Args:
        found: what is written.
        start: the wall that the RRULE counts from and that RDATEs without a time of day take theirs from.
        clock: the clock of the zone that walls are read in.
        literal: what the gap of a clock change swallowed is left out, and what comes twice is due twice.
        clamp: days that a month lacks become its last day.

    Raises:
        BadPattern: no date ever matches, or EXDATE leaves none.
    """
    walls = list(_spans(found.excluded, clock))
    instants = {_instant(date, clock) for date in found.excluded if not _on(clock, date)}
    added = [
        instant
        for date in found.added
        if (instant := _added(date, start, clock, literal=literal)) is not None
        and instant not in instants
        and not any(low <= _wall(date, start, clock, instant) < high for low, high in walls)
    ]
    rule = _ruled(found.rule, start, clock, walls, literal=literal, clamp=clamp) if found.rule else None
    if rule is None:
        if found.start is not None and clock.first(start) not in instants:
            added += [clock.first(start)] * (not any(low <= start < high for low, high in walls))
        if not added:
            raise BadPattern("EXDATE takes away every date of the recurrence")
        rule = OnceRule(min(added), clock.zone)
    made = WithInstants(rule, added, instants) if added or instants else rule
    if found.excluded and made.next_after(EARLIEST) is None:
        raise BadPattern("EXDATE takes away every date of the recurrence")
    return made


def _ruled(
    rule: Recurrence, start: int, clock: Clock, excluded: Iterable[tuple[int, int]], *, literal: bool, clamp: bool
) -> Rule:
    """The RRULE alone, without the walls that are excluded."""
    pattern = RRulePattern(rule, start, clamp=clamp)
    if pattern.next_after(start - 1) is None:
        raise BadPattern("no date ever matches the recurrence rule")
    as_shown = literal or pattern.hour_by_hour
    if rule.until is not None:
        pattern.end_with(clock.highest(rule.until) if rule.until_utc else rule.until)
    elif rule.count is not None:
        pattern.end_after(rule.count, clock.gaps if as_shown else None)
    spared: Pattern = WithoutWalls(pattern, excluded) if excluded else pattern
    named = RRulePattern(rule, start, clamp=False) if clamp and pattern.clamps else None
    return WallRule(spared, clock.zone, as_shown=as_shown, unclamped=named)


def _on(clock: Clock, date: Written) -> bool:
    """Whether a date is read on this clock."""
    return date.zone is None or date.zone.key == clock.zone.key


def _instant(date: Written, clock: Clock) -> int:
    return (clock if date.zone is None else clock_of(date.zone)).first(date.wall)


def _spans(dates: Iterable[Written], clock: Clock) -> Iterator[tuple[int, int]]:
    """The walls that are excluded on this clock: from the first one to the first that is none."""
    for date in dates:
        if _on(clock, date):
            yield date.wall, date.wall + (DAY if date.whole_day else SECOND)


def _wall(date: Written, start: int, clock: Clock, instant: int) -> int:
    """The wall that an RDATE names on this clock."""
    if not _on(clock, date):
        return clock.wall(instant)
    return date.wall + start % DAY // SECOND * SECOND if date.whole_day else date.wall


def _added(date: Written, start: int, clock: Clock, *, literal: bool) -> int | None:
    """When an RDATE is due; None where its wall does not exist and that is taken literally."""
    if not _on(clock, date):
        instant = _instant(date, clock)
    else:
        wall = _wall(date, start, clock, 0)
        if literal and not clock.instants(wall):
            return None
        instant = clock.first(wall)
    return instant if EARLIEST <= instant < LATEST else None
