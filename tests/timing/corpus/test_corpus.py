"""The corpus holds: by our engine, by the definition, and by other engines as far as they agree with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from cronsim import CronSim
from dateutil.rrule import rrulestr

from core.timing.compile import compile_rule
from schedule_zero.instant import from_datetime
from schedule_zero.trigger import RRuleTrigger
from tests.batches import batches
from tests.timing import by_definition
from tests.timing.corpus import Case, Example, clock_changes, cron_cases, rfc_examples
from tests.timing.walls import cron, due_after

CASES = [*cron_cases(), *clock_changes()]
PAGE = (Path(__file__).parents[3] / "docs" / "times.md").read_text("utf-8")


def instants(moments: list[datetime]) -> list[int]:
    return [from_datetime(moment) for moment in moments]


def test_the_corpus_is_as_large_and_as_wide_as_it_should_be() -> None:
    assert len(cron_cases()) >= 300
    assert len(clock_changes()) >= 100
    assert len({case.zone for case in clock_changes()}) >= 12
    assert len(rfc_examples()) >= 40


@pytest.mark.parametrize("cases", batches(CASES))
def test_due_times_are_those_of_the_corpus(cases: Sequence[Case]) -> None:
    for case in cases:
        rule = cron(case.expression, case.zone, case.policy)
        due = instants(case.due)
        assert due_after(rule, from_datetime(case.after), len(due)) == due, case
        assert rule.upcoming(from_datetime(case.after), len(due)) == due, case
        assert rule.last_until(due[-1]) == due[-1], case
        assert rule.count_between(from_datetime(case.after), due[-1]) == len(due), case


@pytest.mark.slow
@pytest.mark.parametrize("cases", batches(CASES))
def test_the_corpus_is_what_the_definition_says(cases: Sequence[Case]) -> None:
    for case in cases:
        zone = ZoneInfo(case.zone)
        found = by_definition.due(case.expression, zone, case.after, len(case.due), literal=case.policy == "literal")
        assert found == case.due, case
        offsets = [moment.astimezone(zone).utcoffset() for moment in found]
        assert [moment.utcoffset() for moment in case.due] == offsets, case


def test_the_examples_of_rfc_5545_fall_on_the_dates_it_prints() -> None:
    for example in rfc_examples():
        rule = compile_rule(RRuleTrigger(example.text), timezone="UTC", anchor=0)
        due = instants(example.due)
        assert due_after(rule, 0, len(due) + 1)[: len(due)] == due, example.text
        assert (rule.next_after(due[-1]) is not None) is example.goes_on, example.text
        assert rule.count_between(0, due[-1]) == len(due), example.text
        assert rule.last_until(due[-1]) == due[-1], example.text


@pytest.mark.parametrize("example", rfc_examples(), ids=lambda example: example.text.splitlines()[-1])
def test_dateutil_agrees_about_the_examples_of_rfc_5545(example: Example) -> None:
    found = list(islice(rrulestr(example.text, forceset=True), len(example.due) + 1))
    assert [moment.astimezone(UTC) for moment in found[: len(example.due)]] == example.due
    assert (len(found) > len(example.due)) is example.goes_on


def _cronsim(case: Case) -> Iterator[datetime]:
    return CronSim(case.expression, case.after.astimezone(ZoneInfo(case.zone)))


def _croniter(case: Case) -> Iterator[datetime]:
    found = croniter(case.expression, case.after.astimezone(ZoneInfo(case.zone)), second_at_beginning=True)
    while True:
        yield found.get_next(datetime)


ENGINES = {"cronsim": _cronsim, "croniter": _croniter}


def differing() -> Iterator[tuple[str, str]]:
    """Every case in which another engine answers otherwise, as the engine and what the difference is about."""
    for case in CASES:
        if case.policy != "debian":
            continue
        for name, engine in ENGINES.items():
            try:
                found = [moment.astimezone(UTC) for moment in islice(engine(case), len(case.due))]
            except Exception:  # noqa: BLE001 - whatever it refuses with
                yield name, _unread(name, case.expression)
                continue
            if found != case.due:
                yield name, _about(case, found)


UNREAD = {
    "cronsim": (
        ("`L-3`", r"L-\d"), ("`15W`", r"\dW"), ("`FRIL`", r"[A-Z]L"), ("`?`", r"\?"), ("ranges over the end", r"\w-\w"),
    ),
    "croniter": (
        ("`L-3`", r"L-\d"), ("`LW`", "LW"), ("`1W,15W`", "W,"), ("`5L`", r"\dL"), ("`FRIL`", r"[A-Z]L"),
    ),
}  # fmt: skip
"""What an engine does not know, and by what it is recognised in an expression that the engine refuses."""


def _unread(engine: str, expression: str) -> str:
    return next(f"does not read {shown}" for shown, mark in UNREAD[engine] if re.search(mark, expression))


def _about(case: Case, found: list[datetime]) -> str:
    """What it is that another engine does otherwise."""
    *_, minute, hour, day, _, weekday = case.expression.split()
    if re.search(r"\d-\d+/", case.expression):
        return "steps of a range over the end"
    if "W" in day:
        return "a weekday beside `15W`" if weekday not in ("*", "?") else "`31W` in a short month"
    if "*/" in day + weekday:
        return "`*/2` in a day field"
    if len(set(found)) < len(found):
        return "the same instant again and again"
    extra = [moment for moment in found if moment < case.due[-1] and moment not in case.due]
    if minute.startswith("*") or hour.startswith("*"):
        return (
            "a time of `0 */3` added behind a gap"
            if extra
            else "a time of `0 */3` lost beside a change of half an hour"
        )
    shown = [moment.astimezone(ZoneInfo(case.zone)).replace(tzinfo=None) for moment in found]
    if len(set(shown)) < len(shown):
        return "a local time that comes twice" + ", with seconds" * (len(case.expression.split()) == 6)
    return "a local time in a gap, with seconds"


def test_where_other_engines_differ_is_what_the_page_says() -> None:
    table = re.findall(r"^\| (cronsim|croniter) \| ([^|]+) \| (\d+) \| [^|]{9,} \|$", PAGE, re.MULTILINE)
    assert Counter(differing()) == {(engine, about): int(cases) for engine, about, cases in table}
    assert f"the {sum(case.policy == 'debian' for case in CASES)} cases about cron" in " ".join(PAGE.split())
