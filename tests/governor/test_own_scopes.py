"""Limits of each schedule alone: they hold that schedule back and no other, only where a plan or a guild says so."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from core.governor.explain import sentence_of, why_of
from core.governor.fairness import FairQueue, Waiting
from core.governor.gates import SCOPES_KEPT
from core.governor.governor import Governor
from core.governor.measures import Measures, Stored
from core.governor.own_scopes import KEPT
from core.governor.ring import SMALL
from core.governor.settings import GovernorSettings, GuildQuota, Limits, MethodQuota, Plan
from core.governor.verdict import Admit, Wait
from schedule_zero.instant import parse


def each(limits: Limits | None) -> GovernorSettings:
    return GovernorSettings(global_=Limits(), plans={"p": Plan(each_schedule=limits)}, default_plan="p")


ONE_A_MINUTE = each(Limits(rate="2/min", burst=1))
ONE_AT_ONCE = each(Limits(running=1))


def take(governor: Governor, schedule: str, now: float = 0.0, guild: str | None = "1") -> Admit | Wait:
    return governor.take(guild, "a.b", ["x"], now, schedule=schedule)


def release(governor: Governor, schedule: str, now: float = 1.0) -> list[str]:
    return governor.release("1", "a.b", "x", 1.0, now, schedule=schedule)


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_schedule_used_up_leaves_the_others_of_its_guild_alone() -> None:
    governor = Governor(ONE_A_MINUTE)
    assert take(governor, "s") == Admit("x")
    assert take(governor, "s") == Wait("schedule:s", "rate", 1, 1, 30.0)
    assert take(governor, "t") == Admit("x")
    assert take(governor, "s", 30.0) == Admit("x")


def test_so_many_runs_of_one_schedule_at_once_and_an_end_says_whose_place_is_free() -> None:
    governor = Governor(ONE_AT_ONCE)
    assert take(governor, "s") == Admit("x")
    assert take(governor, "s") == Wait("schedule:s", "running", 1, 1)
    assert release(governor, "s") == ["schedule:s"]
    assert take(governor, "s", 1.0) == Admit("x")


def test_a_schedule_is_asked_after_its_guild_and_before_its_method() -> None:
    settings = GovernorSettings(
        plans={"p": Plan(running=2, each_schedule=Limits(running=1))}, default_plan="p",
        methods={"a.b": MethodQuota(running=2)},
    )  # fmt: skip
    governor = Governor(settings)
    take(governor, "s")
    governor.take("2", "a.b", ["x"], 0.0, schedule="u")
    assert take(governor, "s") == Wait("schedule:s", "running", 1, 1)
    assert take(governor, "t") == Wait("method:a.b", "running", 2, 2)
    governor.release("2", "a.b", "x", 1.0, 1.0, schedule="u")
    take(governor, "t", 1.0)
    assert take(governor, "s", 1.0) == Wait("guild:1", "running", 2, 2)


def test_where_nobody_limits_schedules_nothing_is_kept_of_them() -> None:
    for settings in (each(None), each(Limits()), each(Limits(burst=3, runs_per_day=5))):
        governor = Governor(settings)
        assert [take(governor, "s") for _ in range(3)] == [Admit("x")] * 3
        assert list(governor.own) == []
    governor = Governor(ONE_AT_ONCE)
    assert [take(governor, "s", guild=None) for _ in range(3)] == [Admit("x")] * 3, "the operator's own"


def test_a_start_that_never_was_is_taken_back_from_count_and_rate() -> None:
    governor = Governor(each(Limits(running=1, rate="1/h")))
    assert take(governor, "s", 5.0) == Admit("x")
    governor.give_back("1", "a.b", "x", 5.0, schedule="s")
    assert take(governor, "s", 6.0) == Admit("x")


# ── settings, and restarts ─────────────────────────────────────────────────────────────────────────────────────


def measured(limits: GuildQuota, running: Iterable[str] = ()) -> tuple[Governor, Measures]:
    measures = Measures(each(None))
    measures.put("1", Stored(own=limits), 0)
    return Governor(measures, under_way=lambda guild: running if guild == "1" else ()), measures


def test_a_limit_set_while_runs_go_counts_them_and_holds_at_once() -> None:
    governor, measures = measured(GuildQuota(), ["s", "s", "t"])
    for schedule in ("s", "s", "t"):
        take(governor, schedule)
    measures.put("1", Stored(own=GuildQuota(each_schedule=Limits(running=2))), 0)
    governor.remeasure("1", 0.0)
    assert take(governor, "s") == Wait("schedule:s", "running", 2, 2)
    assert release(governor, "s") == ["schedule:s"]
    assert take(governor, "s", 1.0) == Admit("x")


def test_a_changed_limit_holds_at_once_and_what_is_in_use_stays_in_use() -> None:
    governor, measures = measured(GuildQuota(each_schedule=Limits(running=9, rate="4/min", burst=4)), ["s"] * 4)
    assert [isinstance(take(governor, "s"), Admit) for _ in range(5)] == [True] * 4 + [False]
    measures.put("1", Stored(own=GuildQuota(each_schedule=Limits(running=9, rate="8/min", burst=8))), 0)
    governor.remeasure("1", 0.0)
    assert sum(isinstance(take(governor, "s"), Admit) for _ in range(9)) == 4
    measures.put("1", Stored(own=GuildQuota(each_schedule=None)), 0)
    governor.remeasure("1", 0.0)
    assert governor.changed(0.0)["schedule:s"] == 0.0, "nothing of it stays stored"
    assert take(governor, "s") == Admit("x")


def test_a_restart_neither_forgets_nor_forgives_and_counts_what_goes_on() -> None:
    settings = each(Limits(running=2, rate="1/min", burst=2))
    old = Governor(settings)
    take(old, "s", 100.0)
    take(old, "s", 100.0)
    kept = old.changed(100.0)
    assert kept == old.rate_state(100.0) == {"schedule:s": 120.0}
    new = Governor(settings)
    new.restore_rates(kept, 7.0)
    for _ in range(2):
        new.restore_running("1", "a.b", "x", "s")
    assert take(new, "s", 7.0) == Wait("schedule:s", "running", 2, 2)
    new.release("1", "a.b", "x", 1.0, 8.0, schedule="s")
    assert take(new, "s", 8.0) == Wait("schedule:s", "rate", 2, 2, 67.0)
    assert take(new, "t", 8.0) == Admit("x")


def test_schedules_at_rest_are_forgotten_here_and_in_the_store_and_those_in_use_are_not() -> None:
    governor, now = Governor(each(Limits(running=3, rate="5/min"))), 0.0
    stored: dict[str, float] = {}
    take(governor, "long")
    for number in range(20 * KEPT):
        now += 1.0
        assert take(governor, f"s{number}", now) == Admit("x")
        release(governor, f"s{number}", now)
        for scope, ahead in governor.changed(now).items():
            stored.pop(scope, None)
            if ahead:
                stored[scope] = ahead
    assert len(list(governor.own)) <= 2 * KEPT
    assert len(stored) <= 2 * KEPT
    long = governor.own.known("schedule:long")
    assert long is not None
    assert long.running is not None
    assert long.running.used == 1


def test_what_a_core_keeps_of_guilds_that_others_work_for_now_is_not_dropped_from_the_store() -> None:
    governor = Governor(each(Limits(running=3, rate="5/min")))
    take(governor, "theirs", guild="2")
    release(governor, "theirs")
    take(governor, "mine")
    assert governor.changed(0.0).keys() >= {"schedule:theirs", "schedule:mine"}
    governor.own.leave(lambda guild: guild == "1")
    assert [each.name for each in governor.own] == ["schedule:mine"]
    for number in range(2 * KEPT):  # until those at rest are looked for
        take(governor, f"s{number}", 10_000.0 + number)
    assert "schedule:theirs" not in governor.changed(20_000.0)


# ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (Wait("schedule:sch_1", "rate", 1, 1, 30.0),
         "Schedule sch_1 has used 1 of the 1 starts its rate allows; the next can start at 2026-11-21T12:00:30+00:00."),
        (Wait("schedule:sch_1", "running", 2, 2),
         "Schedule sch_1 has 2 of 2 runs going at once; the next can start when one of them ends."),
        (Wait("schedule:sch_1", "running", 0, 0),
         "Schedule sch_1 may run nothing (its limit is 0); it goes on when that is raised."),
    ],
)  # fmt: skip
def test_a_refusal_names_the_schedule_its_use_and_when_the_next_may_go(wait: Wait, words: str) -> None:
    noon = parse("2026-11-21T12:00:00Z")
    assert sentence_of(wait, now=noon, monotonic=0.0) == words
    assert why_of(wait, now=noon, monotonic=0.0)["scope"] == "schedule:sch_1"


# ── in the queue ───────────────────────────────────────────────────────────────────────────────────────────────


def entry(number: int, schedule: str) -> Waiting:
    return Waiting(f"run{number:05}", "1", "a.b", "a", 1, number, schedule=schedule, alone=True)


def started(queue: FairQueue, governor: Governor, now: float) -> list[Waiting]:
    out = []
    while (each := queue.next(now)) is not None:
        verdict = take(governor, each.schedule, now)
        if isinstance(verdict, Wait):
            queue.park(each, verdict)
        else:
            queue.started(each)
            out.append(each)
    return out


def test_runs_of_a_schedule_that_meets_its_own_limit_do_not_hold_up_those_of_others() -> None:
    queue, governor = FairQueue(), Governor(ONE_AT_ONCE)
    for number in range(20):
        queue.put(entry(number, "s"))
    queue.put(entry(99, "t"))
    first, other = started(queue, governor, 0.0)
    assert [first.schedule, other.schedule] == ["s", "t"]
    held = queue.why("run00010")
    assert held is not None
    assert held.scope == "schedule:s"
    for scope in release(governor, "s"):
        queue.released(scope)
    queue.finished(first, 1.0)
    assert [each.run_id for each in started(queue, governor, 1.0)] == ["run00001"]


def test_schedules_come_and_go_without_leaving_anything_in_the_queue() -> None:
    queue, governor, now = FairQueue(), Governor(ONE_AT_ONCE), 0.0
    for number in range(5 * SCOPES_KEPT):
        now += 1.0
        for turn in range(3):
            queue.put(entry(number * 10 + turn, f"s{number}"))
        while queue.waiting():
            for each in started(queue, governor, now):
                for scope in release(governor, each.schedule, now):
                    queue.released(scope)
                queue.finished(each, 0.01)
        assert queue.waiting() == 0
    [account] = queue._accounts.values()
    assert len(account.shares[1].lanes) <= 2 * SMALL
    assert len(queue._gates._by_scope) <= 2 * SCOPES_KEPT
