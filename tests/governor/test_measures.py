"""What a guild may use: the plan, and over it the configuration, an operator, and what holds for a time."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.governor.governor import Governor
from core.governor.measures import NOTHING, ForATime, Mark, Measures, Stored, changed, said
from core.governor.settings import GovernorSettings, GuildQuota, Limits, Plan
from core.governor.verdict import Admit, Wait

SETTINGS = GovernorSettings(
    plans={"small": Plan(running=1, rate="1/s", schedules=5), "big": Plan(running=9, shared=Limits(running=10))},
    default_plan="small", guilds={"1": GuildQuota(schedules=7)},
)  # fmt: skip
SECOND = 1_000_000


def for_a_time(until: int, **limits: object) -> ForATime:
    return ForATime(msgspec.convert(limits, GuildQuota), until, "operator:eve")


def test_each_layer_lies_over_the_one_below_it_and_says_only_what_it_says() -> None:
    measures = Measures(SETTINGS)
    assert measures.quota_of("1") == SETTINGS.quota_of("1")
    measures.put("1", Stored(own=GuildQuota(running=3), for_a_time=(for_a_time(10, running=50),)), 0)
    quota = measures.quota_of("1")
    assert (quota.running, quota.rate, quota.schedules) == (50, "1/s", 7)
    assert measures.origins("1") == {"running": "temporary", "schedules": "configuration"}
    measures.lapse(10)
    assert measures.quota_of("1").running == 3
    assert measures.origins("1")["running"] == "operator"


def test_null_lifts_a_limit_and_leaving_it_out_does_not() -> None:
    measures = Measures(SETTINGS)
    measures.put("2", Stored(own=GuildQuota(schedules=None)), 0)
    assert measures.quota_of("2").schedules is None
    assert measures.quota_of("2").running == 1


def test_the_stores_plan_wins_unless_the_configuration_knows_it_no_more() -> None:
    measures = Measures(SETTINGS)
    measures.put("2", Stored(plan="big"), 0)
    assert (measures.plan_of("2"), measures.quota_of("2").running) == ("big", 9)
    measures.put("2", Stored(plan="gone"), 0)
    assert (measures.plan_of("2"), measures.quota_of("2").running) == ("small", 1)


def test_limits_with_an_end_end_each_in_its_time_and_uncover_the_one_below() -> None:
    measures = Measures(SETTINGS)
    measures.put("1", Stored(for_a_time=(for_a_time(30, running=30), for_a_time(20, running=20))), 0)
    assert measures.quota_of("1").running == 20
    assert measures.next_end() == 20
    assert measures.lapse(19) == set()
    assert measures.lapse(20) == {"1"}
    assert measures.quota_of("1").running == 30
    assert measures.lapse(1000) == {"1"}
    assert measures.stored_of("1") == NOTHING
    assert measures.next_end() is None


def test_what_ended_while_nobody_looked_does_not_hold() -> None:
    measures = Measures(SETTINGS)
    measures.put("1", Stored(for_a_time=(for_a_time(5, running=5),)), 5)
    assert measures.quota_of("1").running == 1


def test_a_suspended_guild_may_run_nothing_and_keeps_what_else_it_has() -> None:
    measures = Measures(SETTINGS)
    measures.put("1", Stored(suspended=Mark(1, "operator:eve", "spam")), 0)
    assert measures.quota_of("1").running == 0
    assert measures.quota_of("1").schedules == 7
    assert measures.suspended("2") is None


@given(
    st.dictionaries(st.sampled_from(["running", "schedules", "runs_per_day"]), st.none() | st.integers(0, 9)),
    st.dictionaries(st.sampled_from(["running", "schedules", "runs_per_day"]), st.none() | st.integers(0, 9)),
    st.frozensets(st.sampled_from(["running", "schedules"])),
)
def test_a_change_of_some_limits_leaves_the_others(
    before: dict[str, object], change: dict[str, object], reset: frozenset[str]
) -> None:
    after = changed(changed(NOTHING, before), change, reset=reset)
    assert said(after.own) == {name: value for name, value in before.items() if name not in reset} | change


def test_what_is_stored_reads_back_as_it_was() -> None:
    stored = Stored(
        plan="big", own=GuildQuota(running=None, rate="3/s"), for_a_time=(for_a_time(7, schedules=1),),
        verified=Mark(1, "member:9"), suspended=Mark(2, "operator:eve", "spam"),
    )  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(stored), type=Stored) == stored


@pytest.mark.parametrize("running", [1, 3])
def test_a_raised_limit_counts_what_runs_already(running: int) -> None:
    measures = Measures(SETTINGS)
    governor = Governor(measures)
    assert governor.take("1", "a.b", ["h"], 0.0) == Admit("h")
    assert isinstance(governor.take("1", "a.b", ["h"], 1.0), Wait)
    measures.put("1", Stored(own=GuildQuota(running=running, rate=None)), 0)
    governor.remeasure("1", 1.0)
    admitted = sum(isinstance(governor.take("1", "a.b", ["h"], 1.0), Admit) for _ in range(5))
    assert admitted == running - 1


def test_a_plan_that_guilds_share_counts_those_that_come_to_it_and_not_those_that_leave() -> None:
    measures = Measures(SETTINGS)
    governor = Governor(measures)
    for guild in ("1", "2"):
        measures.put(guild, Stored(plan="big"), 0)
        for _ in range(5):
            assert governor.take(guild, "a.b", ["h"], 0.0) == Admit("h")
    refused = governor.take("1", "a.b", ["h"], 0.0)
    assert isinstance(refused, Wait)
    assert refused.scope == "plan:big"
    measures.put("2", Stored(plan="small"), 0)
    governor.remeasure("2", 0.0)
    assert governor.take("1", "a.b", ["h"], 0.0) == Admit("h")
    for _ in range(5):
        governor.release("2", "a.b", "h", 1.0, 1.0)
    assert governor.use_of("2") is not None
    assert sum(isinstance(governor.take("1", "a.b", ["h"], 1.0), Admit) for _ in range(9)) == 3
