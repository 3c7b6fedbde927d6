"""What a rule will do: its next due times, as people will read them, with what is odd about each."""

from __future__ import annotations

from typing import Final

import msgspec

from core.timing.clock import clock_of, spell_shown
from core.timing.rule import Rule
from schedule_zero.instant import HOUR, MINUTE, spell

MOST: Final = 1_000


class Fire(msgspec.Struct, frozen=True):
    """One due time: the instant, RFC 3339 in the rule's zone, and notes for people."""

    at: int
    local: str
    notes: tuple[str, ...] = ()


def preview(rule: Rule, *, after: int, n: int) -> list[Fire]:
    """The first ``n`` (at most 1,000) due times after an instant; fewer when the rule ends."""
    previous = rule.last_until(after)
    dues: list[int] = []
    due = rule.next_after(after)
    while due is not None and len(dues) < min(n, MOST):
        dues.append(due)
        due = rule.next_after(due) if len(dues) < n else None
    if not dues:
        return []
    clock = clock_of(rule.zone)
    if clock.is_steady(dues[0] if previous is None else previous, dues[-1]):
        offset = clock.span(dues[0]).offset
        return [Fire(due, spell_shown(due, offset)) for due in dues]
    fires: list[Fire] = []
    for due in dues:
        notes: tuple[str, ...] = ()  # they are about nothing but clock changes, and most due times see none
        if not clock.is_steady(due if previous is None else previous, due):
            notes = (*rule.notes(due, previous), *_offset_notes(rule, due, previous))
        fires.append(Fire(due, clock.spell(due), notes))
        previous = due
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
