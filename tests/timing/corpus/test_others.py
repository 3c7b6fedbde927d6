"""What the tests of other engines expect holds here, or the page says why it does not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.timing.compile import compile_rule
from schedule_zero.instant import from_datetime
from schedule_zero.trigger import RRuleTrigger
from tests.batches import batches
from tests.timing.corpus import Case, Expected, ExpectedDates, others_cron, others_recurrences
from tests.timing.walls import cron, due_after

PAGE = (Path(__file__).parents[3] / "docs" / "times.md").read_text("utf-8")
CRON, RECURRENCES = others_cron(), others_recurrences()


def _name(found: Expected | ExpectedDates) -> str:
    return repr(found.case) if isinstance(found, Expected) else found.text.splitlines()[-1]


def _is_due(case: Case) -> bool:
    rule = cron(case.expression, case.zone)
    after, due = from_datetime(case.after), [from_datetime(moment) for moment in case.due]
    if due_after(rule, after, len(due)) != due:
        return False
    assert rule.upcoming(after, len(due)) == due
    assert rule.last_until(due[-1]) == due[-1]
    assert rule.count_between(after, due[-1]) == len(due)
    return True


def _is_due_on(expected: ExpectedDates) -> bool:
    rule = compile_rule(RRuleTrigger(expected.text), timezone="UTC", anchor=0)
    due = [from_datetime(moment) for moment in expected.due]
    found = rule.upcoming(0, len(due) + 1)
    if found[: len(due)] != due:
        return False
    assert due_after(rule, 0, len(due) + 1) == found
    assert rule.last_until(due[-1]) == due[-1]
    assert rule.count_between(0, due[-1]) == len(due)
    return len(found) == len(due) or not expected.ends


@pytest.mark.parametrize("rows", batches([found for found in CRON if not found.about]))
def test_due_times_are_those_that_the_tests_of_other_engines_expect(rows: Sequence[Expected]) -> None:
    assert [_name(expected) for expected in rows if not _is_due(expected.case)] == []


@pytest.mark.parametrize("rows", batches([found for found in RECURRENCES if not found.about]))
def test_recurrences_fall_on_the_dates_that_the_tests_of_other_engines_expect(rows: Sequence[ExpectedDates]) -> None:
    assert [_name(expected) for expected in rows if not _is_due_on(expected)] == []


def test_where_the_tests_of_other_engines_expect_otherwise_the_page_says_why() -> None:
    every: list[Expected | ExpectedDates] = [*CRON, *RECURRENCES]
    differing = [found for found in every if found.about]
    assert not [
        found for found in differing if (_is_due(found.case) if isinstance(found, Expected) else _is_due_on(found))
    ]
    table = re.findall(r"^\| tests of ([^|]+) \| ([^|]+) \| (\d+) \| [^|]{9,} \|$", PAGE, re.MULTILINE)
    assert {(engine, about): int(cases) for engine, about, cases in table} == Counter(
        (found.engine, found.about) for found in differing
    )
    assert f"{len(CRON)} cases about cron and {len(RECURRENCES)} recurrences" in " ".join(PAGE.split())
