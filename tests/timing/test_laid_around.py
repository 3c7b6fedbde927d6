"""What calendars and hours do to due times is said: where one stands for others, and why a rule is never due."""

from __future__ import annotations

import pytest

from core.timing.amended import Amended
from core.timing.avoiding import Avoiding
from core.timing.bounds import Bounded
from core.timing.closures import Blackouts, Closures
from core.timing.exceptions import excepted
from core.timing.laid_around import due_of, why_never
from core.timing.preview import preview
from core.timing.rolling import MOST_MOVED
from core.timing.rule import Rule
from schedule_zero.schedule import ActiveHours, Calendar, OnClash
from tests.timing.walls import cron, instant, interval, once

OFFICE = "MO-FR 09:00-17:00"
MONDAY = instant("2026-11-30 00:00")


def around(
    rule: Rule, *days: str, on_clash: OnClash = "skip", hours: str | None = None, outside: OnClash = "skip"
) -> Rule:  # fmt: skip
    return excepted(
        rule,
        calendar=Calendar(dates=days, on_clash=on_clash) if days else None,
        active_hours=None if hours is None else ActiveHours(windows=(hours,), outside=outside),
    )


def notes(rule: Rule, after: int, n: int) -> list[tuple[str, tuple[str, ...]]]:
    return [(fire.local[5:16], fire.notes) for fire in preview(rule, after=after, n=n)]


@pytest.mark.parametrize(("clash", "onto"), [("later", "12-02T09:00"), ("earlier", "11-30T09:00")])
def test_a_time_that_moves_onto_another_is_noted_there(clash: OnClash, onto: str) -> None:
    found = notes(around(cron("0 9 * * MON-FRI"), "2026-12-01 Party", on_clash=clash), MONDAY, 3)
    assert [local for local, _ in found] == ["11-30T09:00", "12-02T09:00", "12-03T09:00"]
    assert {local: said for local, said in found if said} == {
        onto: ("2026-12-01 09:00 is Party, and falls together with this one",)
    }


def test_of_several_that_move_onto_one_time_each_is_accounted_for() -> None:
    rule = around(cron("0 9 * * *"), "2026-12-01/2026-12-03", on_clash="later")
    assert notes(rule, MONDAY, 2)[1:] == [
        ("12-04T09:00", ("2026-12-01 09:00 is a day off, and falls together with this one, with 2 more",))
    ]
    weekly = around(cron("0 9 * * TUE,WED"), "2026-12-01/2026-12-03", on_clash="later")
    assert notes(weekly, MONDAY, 1) == [
        (
            "12-04T09:00",
            (
                "moved from 2026-12-01 09:00, which is a day off",
                "2026-12-02 09:00 is a day off, and falls together with this one",
            ),
        )
    ]


def test_times_that_are_too_many_to_move_are_counted_at_the_last_that_moves() -> None:
    rule = around(cron("*/30 * 1 12 *"), "2026-12-01", on_clash="later")
    found = notes(rule, MONDAY, MOST_MOVED)
    assert [local for local, said in found if any("left out" in each for each in said)] == ["12-02T11:30"]
    assert found[-1][1][-1] == "24 more of the closed days beside it are left out"


@pytest.mark.parametrize(
    ("outside", "said"),
    [
        (
            "later",
            {"12-01T09:00": ("2026-11-30 18:00 is outside its hours, and falls together with this one, with 14 more",)},
        ),
        (
            "earlier",
            {"11-30T17:00": ("2026-11-30 18:00 is outside its hours, and falls together with this one, with 14 more",)},
        ),
    ],
)
def test_times_outside_the_hours_that_fall_onto_one_are_noted_there(
    outside: OnClash, said: dict[str, tuple[str, ...]]
) -> None:
    rule = around(cron("0 * * * *"), hours=OFFICE, outside=outside)
    assert {local: each for local, each in notes(rule, MONDAY + 10 * 3600 * 1_000_000, 10) if each} == said


def test_one_time_made_up_for_several_names_the_others() -> None:
    later = around(cron("0 18,20 * * *"), hours=OFFICE, outside="later")
    assert notes(later, MONDAY + 1, 2)[1][1] == (
        "moved from 2026-11-30 20:00, which is outside its hours",
        "2026-11-30 18:00 is outside its hours, and falls together with this one",
    )
    earlier = around(cron("0 18,20 * * *"), hours=OFFICE, outside="earlier")
    assert notes(earlier, MONDAY, 1)[0][1] == (
        "moved from 2026-11-30 18:00, which is outside its hours",
        "2026-11-30 20:00 is outside its hours, and falls together with this one",
    )


LATE, CHRISTMAS = cron("0 20 * * *"), once("2026-12-25T09:00:00")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            around(LATE, hours=OFFICE),
            "2026-11-30 20:00 is outside its hours, and no later time is due either; outside later (or earlier) moves them",
        ),
        (around(CHRISTMAS, "12-25 Christmas Day"), "2026-12-25 09:00 is Christmas Day; on_clash later (or earlier) moves it"),
        (
            around(CHRISTMAS, "12-25 Christmas Day", hours=OFFICE),
            "2026-12-25 09:00 is Christmas Day; on_clash later (or earlier) moves it",
        ),
        (
            around(LATE, "12-25", on_clash="later", hours=OFFICE),
            "2026-11-30 20:00 is outside its hours, and no later time is due either; outside later (or earlier) moves them",
        ),
        (
            Avoiding(Bounded(LATE, None, MONDAY + 10**12), Closures([Blackouts([(MONDAY, 2**61, "the move")])]), "skip"),
            "2026-11-30 20:00 is the move, and no later time is due either",
        ),
        (Amended(CHRISTMAS, {instant("2026-12-25 09:00")}, {}), "2026-12-25 09:00 is skipped"),
        (
            Amended(CHRISTMAS, (), {instant("2026-12-25 09:00"): instant("2026-11-20 10:00")}),
            "2026-12-25 09:00 is moved to 2026-11-20 10:00",
        ),
        (Bounded(LATE, None, MONDAY), None),
        (around(Bounded(LATE, None, MONDAY), "12-25", hours=OFFICE), None),
    ],
)  # fmt: skip
def test_why_a_rule_is_never_due_is_said_with_what_would_move_it(rule: Rule, why: str | None) -> None:
    assert rule.next_after(MONDAY) is None
    never = why_never(rule, MONDAY)
    assert (None if never is None else never.clause) == why


def test_the_remedy_can_be_spelled_as_an_option() -> None:
    said = why_never(around(CHRISTMAS, "12-25"), MONDAY, as_option=True)
    assert said == ("2026-12-25 09:00 is a day off; --on-clash later (or earlier) moves it", "calendar")


def test_what_moves_far_among_many_others_is_still_counted_once_when_it_is_moved_on() -> None:
    rule = around(interval("PT50M", "2026-11-30T00:00:00"), "2026-12-01", on_clash="later")
    last = instant("2026-12-01 19:20")
    assert due_of(rule, last) == instant("2026-12-02 19:20")
    to = instant("2026-12-20 00:01")
    amended = Amended(rule, (), {last: to})
    until = instant("2026-12-10 00:00")
    assert amended.count_between(MONDAY, until) == rule.count_between(MONDAY, until) - 1
    assert due_of(amended, last) == to
