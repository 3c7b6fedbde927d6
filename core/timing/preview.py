"""What a rule will do: its next due times, as people will read them, with what is odd about each."""

from __future__ import annotations

from typing import Final

import msgspec

from core.timing.clock import clock_of, spell_shown
from core.timing.rule import Rule
from schedule_zero.instant import HOUR, MINUTE, spell

MOST: Final = 1_000


class Fire(msgspec.Struct, frozen=True, gc=False):
    """One due time: the instant, RFC 3339 in the rule's zone, and notes for people."""

    at: int
    local: str
    notes: tuple[str, ...] = ()


def preview(rule: Rule, *, after: int, n: int, new: bool = False) -> list[Fire]:
    """The first ``n`` (at most 1,000) due times after an instant; fewer when the rule ends.

    With ``new`` nothing was due before: a rule that is tried out. Else the first is compared with the time before it.
    """
    dues = rule.upcoming(after, min(n, MOST))
    if not dues:
        return []
    clock, compared = clock_of(rule.zone), None if new else rule.last_until(after)
    previous = after if new else compared
    span = clock.span(dues[0])
    fires: list[Fire] = []
    for due in dues:
        notes: tuple[str, ...] = ()
        since = due if previous is None else previous
        if not rule.plain:
            span = clock.span(due)
            notes = (*rule.notes(due, previous), *_offset_notes(rule, due, compared))
        elif not span.surrounds(since, due):  # else there is nothing to say, as about most due times
            span = clock.span(due)
            if not clock.is_steady(since, due):
                notes = (*rule.notes(due, previous), *_offset_notes(rule, due, compared))
        fires.append(Fire(due, spell_shown(due, span.offset), notes))
        previous = compared = due
    return fires


def _offset_notes(rule: Rule, due: int, previous: int | None) -> tuple[str, ...]:
    """Says that the clocks were changed since the due time before."""
    if previous is None:
        return ()
    clock = clock_of(rule.zone)
    old, new = clock.span(previous).offset, clock.span(due).offset
    if old == new:
        return ()
    hours, minutes = divmod(abs(new - old) // MINUTE, HOUR // MINUTE)
    moved = " ".join(f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min")) if number)
    direction = "forward" if new > old else "back"
    return (f"the clocks go {direction} {moved} since the time before (now UTC{spell(due, rule.zone)[-6:]})",)
