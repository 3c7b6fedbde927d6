"""What is odd about a rule as a whole: that it is hardly ever due, or soon never again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.timing.clock import spell_minute
from core.timing.rule import Rule
from schedule_zero.instant import DAY, spell

RARE: Final = 5 * 366 * DAY
_LOOKED_AT: Final = 3


def rhythm_notes(rule: Rule, *, after: int, dues: Sequence[int]) -> tuple[str, ...]:
    """Notes on a recurring rule, of which these due times after an instant are shown."""
    if not rule.recurring or not dues:
        return ()
    place = after
    for due in dues[:_LOOKED_AT] if len(dues) >= _LOOKED_AT else rule.upcoming(after, _LOOKED_AT):
        if due - place > RARE:
            return (f"hardly ever due, less than once in five years; it comes on {spell(due, rule.zone)[:10]}",)
        place = due
    if rule.next_after(dues[-1]) is not None:
        return ()
    times = "once more" if len(dues) == 1 else f"{len(dues)} times more"
    return (f"due {times}, and never again after {spell_minute(dues[-1], rule.zone)}",)
