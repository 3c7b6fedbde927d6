"""What the rule ``example_name`` promises."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from core.timing.example_name import STEP, rule_for

RULE = rule_for(ZoneInfo("UTC"))
INSTANTS = st.integers(0, 4_000_000_000_000_000)


@given(INSTANTS)
def test_the_next_due_time_is_later_and_the_one_before_it_is_not(instant: int) -> None:
    due = RULE.next_after(instant)
    assert due is not None
    assert due - STEP <= instant < due
    assert RULE.last_until(due) == due


@given(INSTANTS, st.integers(0, 100))
def test_counting_agrees_with_stepping(start: int, steps: int) -> None:
    end = start
    for _ in range(steps):
        end = RULE.next_after(end) or end
    assert RULE.count_between(start, end) == steps
