"""What is noted about a rule as a whole."""

from __future__ import annotations

import pytest

from core.timing.compile import compile_rule
from core.timing.rhythm import rhythm_notes
from schedule_zero.instant import parse
from schedule_zero.trigger import CronTrigger, DateTrigger, RRuleTrigger, Trigger

NOW = parse("2026-11-18T10:00:00Z")


@pytest.mark.parametrize(
    ("trigger", "n", "note"),
    [
        (CronTrigger("0 9 * * *"), 5, None),
        (CronTrigger("0 9 29 2 *"), 5, None),
        (CronTrigger("0 9 29 2 */7"), 5, "hardly ever due, less than once in five years; it comes on 2032-02-29"),
        (CronTrigger("0 9 29 2 */7"), 1, "hardly ever due, less than once in five years; it comes on 2032-02-29"),
        (RRuleTrigger("FREQ=DAILY;COUNT=3", "2026-11-18T12:00:00"), 2, None),
        (RRuleTrigger("FREQ=DAILY;COUNT=3", "2026-11-18T12:00:00"), 3, "due 3 times more, and never again after 2026-11-20 12:00"),
        (RRuleTrigger("FREQ=DAILY;COUNT=1", "2026-11-18T12:00:00"), 9, "due once more, and never again after 2026-11-18 12:00"),
        (DateTrigger("2126-11-18T12:00:00"), 9, None),
    ],
)  # fmt: skip
def test_a_rule_that_hardly_comes_or_soon_never_does_is_noted(trigger: Trigger, n: int, note: str | None) -> None:
    rule = compile_rule(trigger, timezone="UTC", anchor=NOW)
    found = rhythm_notes(rule, after=NOW, dues=rule.upcoming(NOW, n))
    assert found == (() if note is None else (note,))
