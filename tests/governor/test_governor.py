from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.governor.governor import HANDLERS_KEPT, Governor
from core.governor.settings import GovernorSettings, GuildQuota, Limits, MethodQuota, Plan
from core.governor.verdict import Admit, Wait
from tests.governor.model import Model

TIGHT = GovernorSettings(
    global_=Limits(running=6, rate="8/s", burst=9),
    plans={
        "small": Plan(running=2, rate="30/min", burst=3, shared=Limits(running=3, rate="2/s")),
        "large": Plan(running=4),
    },
    default_plan="small",
    guilds={"3": GuildQuota(plan="large"), "4": GuildQuota(running=None, rate=None)},
    methods={
        "web.post": MethodQuota(running=3, rate="3/s", per_handler=Limits(running=1, rate="1/s", burst=2)),
        "web.get": MethodQuota(per_handler=Limits(running=2)),
    },
)


def open_to_all(**limits: object) -> GovernorSettings:
    return GovernorSettings(global_=Limits(), plans={"free": Plan()}, default_plan="free", **limits)  # type: ignore[arg-type]


def told(answer: Admit | Wait) -> tuple[str, str, float | None] | str:
    return answer.handler if isinstance(answer, Admit) else (answer.scope, answer.limit, answer.until)


def used(governor: Governor) -> Mapping[str, int]:
    return {scope.name: scope.running.used for scope in governor._scopes() if scope.running.used}


operations = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "explain", "end", "undo"]),
        st.sampled_from([None, "1", "2", "3", "4"]),
        st.sampled_from(["web.post", "web.get", "echo.echo"]),
        st.sampled_from([[], ["a"], ["b", "a"], ["a", "b", "c"]]),
        st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 20.0]),
        st.integers(0, 10**6),
    ),
    max_size=60,
)


@pytest.mark.slow
@given(operations)
@settings(max_examples=300, deadline=None)
def test_the_governor_answers_as_the_slow_obvious_model_does(
    steps: list[tuple[str, str | None, str, list[str], float, int]],
) -> None:
    governor, model, now = Governor(TIGHT), Model(TIGHT), 0.0
    for what, guild, method, candidates, pause, dice in steps:
        now += pause
        running = [start for start in model.starts if start.running]
        if what in {"take", "explain"}:
            before = used(governor)
            looked = governor.explain(guild, method, candidates, now)
            assert used(governor) == before
            if what == "take":
                answer, expected = (
                    governor.take(guild, method, candidates, now),
                    model.take(guild, method, candidates, now),
                )
                assert told(answer) == told(looked)
                assert told(answer) == expected
        elif running:
            start = running[dice % len(running)]
            if what == "end":
                governor.release(start.guild, start.method, start.handler, 1.0, now)
                model.end(start)
            else:
                governor.give_back(start.guild, start.method, start.handler, start.at)
                model.undo(start)
    for start in [start for start in model.starts if start.running]:
        governor.release(start.guild, start.method, start.handler, 1.0, now)
    assert used(governor) == {}


def test_ten_thousand_random_operations_exceed_no_limit_and_leave_nothing_in_use() -> None:
    dice, governor, now = random.Random(7), Governor(TIGHT), 0.0
    running: list[tuple[str | None, str, str, float]] = []
    limits = {"global": (8.0, 9), "guild:1": (0.5, 3), "guild:2": (0.5, 3), "web.post": (3.0, 3)}
    starts: dict[str, list[float]] = {scope: [] for scope in limits}
    refused = 0
    for _ in range(10_000):
        now += dice.expovariate(3.0)
        guild, method = dice.choice([None, "1", "2", "3", "4"]), dice.choice(["web.post", "web.get", "x.y"])
        answer = governor.take(guild, method, dice.sample(["a", "b", "c"], 2), now)
        if isinstance(answer, Admit):
            running.append((guild, method, answer.handler, now))
            for scope in {"global", f"guild:{guild}", method} & set(limits):
                starts[scope].append(now)
        else:
            refused += 1
        while running and dice.random() < 0.45:
            guild, method, handler, _ = running.pop(dice.randrange(len(running)))
            governor.release(guild, method, handler, 0.1, now)
        assert len(running) <= 6
        assert sum(guild in {"1", "2", "4"} for guild, *_ in running) <= 3
        assert all(sum(each[0] == guild for each in running) <= 2 for guild in ("1", "2"))
        assert sum(each[1] == "web.post" for each in running) <= 3
    for guild, method, handler, _ in running:
        governor.release(guild, method, handler, 0.1, now)
    assert refused > 1000
    assert used(governor) == {}
    for scope, times in starts.items():
        per_s, burst = limits[scope]
        for first in range(0, len(times), 7):
            for last in range(first, min(first + 60, len(times))):
                assert last - first + 1 <= burst + (times[last] - times[first]) * per_s + 1e-6


def test_a_refusal_charges_no_scope() -> None:
    governor = Governor(open_to_all(methods={"a.b": MethodQuota(running=0)}))
    assert governor.take("1", "a.b", ["x"], 0.0) == Wait("method:a.b", "running", 0, 0)
    assert used(governor) == {}
    assert governor.changed(0.0) == {}


def test_the_outermost_refusal_is_told() -> None:
    governor = Governor(GovernorSettings(global_=Limits(running=1), plans={"p": Plan(running=1)}, default_plan="p"))
    governor.take("1", "a.b", ["x"], 0.0)
    assert told(governor.take("1", "a.b", ["x"], 0.0)) == ("global", "running", None)


def test_the_best_candidate_with_room_is_chosen() -> None:
    governor = Governor(open_to_all(methods={"a.b": MethodQuota(per_handler=Limits(running=1))}))
    assert governor.take("1", "a.b", ["x", "y"], 0.0) == Admit("x")
    assert governor.take("1", "a.b", ["x", "y"], 0.0) == Admit("y")
    assert governor.take("1", "a.b", ["x", "y"], 0.0) == Wait("handler:x/a.b", "running", 1, 1)


def test_without_a_candidate_the_run_waits_for_handlers() -> None:
    assert Governor(open_to_all()).take("1", "a.b", [], 0.0) == Wait("method:a.b", "handlers", 0, 0)


def test_the_operators_own_work_meets_no_plan_and_no_guild() -> None:
    governor = Governor(GovernorSettings(plans={"p": Plan(running=0)}, default_plan="p"))
    assert governor.take(None, "a.b", ["x"], 0.0) == Admit("x")
    assert told(governor.take("1", "a.b", ["x"], 0.0)) == ("guild:1", "running", None)


def test_guilds_of_a_plan_share_what_it_says_they_share() -> None:
    governor = Governor(GovernorSettings(plans={"p": Plan(shared=Limits(running=2))}, default_plan="p"))
    assert isinstance(governor.take("1", "a.b", ["x"], 0.0), Admit)
    assert isinstance(governor.take("2", "a.b", ["x"], 0.0), Admit)
    assert governor.take("3", "a.b", ["x"], 0.0) == Wait("plan:p", "running", 2, 2)


def test_an_end_tells_which_scopes_were_full() -> None:
    governor = Governor(open_to_all(guilds={"1": GuildQuota(running=1)},
                                    methods={"a.b": MethodQuota(running=5, per_handler=Limits(running=1))}))  # fmt: skip
    governor.take("1", "a.b", ["x"], 0.0)
    assert governor.release("1", "a.b", "x", 1.0, 1.0) == ["guild:1", "handler:x/a.b"]


def test_a_restart_counts_what_is_open_and_goes_on_with_the_rates() -> None:
    old = Governor(TIGHT)
    begun = [("1", "a"), ("1", "a"), ("3", "b")]
    for guild, handler in begun:
        assert old.take(guild, "web.get", [handler], 100.0) == Admit(handler)
    stored = old.changed(100.25)
    assert {scope: seconds for scope, seconds in stored.items() if seconds} == old.rate_state(100.25)
    assert old.changed(100.25) == {}
    new = Governor(TIGHT)
    new.restore_rates(stored, 7.0)
    assert new.rate_state(7.0) == pytest.approx(old.rate_state(100.25))
    for guild, handler in begun:
        new.restore_running(guild, "web.get", handler)
    assert used(new) == used(old)
    anybody: list[str | None] = ["1", "2", "3", None]
    for who in anybody:
        for method in ("web.get", "web.post"):
            before, after = old.explain(who, method, ["a", "b"], 100.25), new.explain(who, method, ["a", "b"], 7.0)
            if (
                isinstance(before, Wait)
                and isinstance(after, Wait)
                and before.until is not None
                and after.until is not None
            ):
                assert after.until - 7.0 == pytest.approx(before.until - 100.25)
            assert told(after)[:2] == told(before)[:2]


def test_rate_state_that_is_at_rest_needs_no_row() -> None:
    governor = Governor(TIGHT)
    governor.take("1", "web.get", ["a"], 0.0)
    assert governor.changed(1000.0)["guild:1"] == 0.0
    assert governor.rate_state(1000.0) == {}


def test_an_undone_start_is_stored_too() -> None:
    governor = Governor(TIGHT)
    governor.take("1", "web.get", ["a"], 5.0)
    governor.changed(5.0)
    governor.give_back("1", "web.get", "a", 5.0)
    assert governor.changed(5.0) == {"global": 0.0, "plan:small": 0.0, "guild:1": 0.0}


def test_a_raised_limit_holds_at_once_and_what_runs_stays_counted() -> None:
    governor = Governor(open_to_all(guilds={"1": GuildQuota(running=1, rate="1/d")}))
    governor.take("1", "a.b", ["x"], 0.0)
    assert told(governor.take("1", "a.b", ["x"], 0.0)) == ("guild:1", "running", None)
    governor.reconfigure(open_to_all(guilds={"1": GuildQuota(running=2, rate="100/s")}), 0.0)
    assert governor.take("1", "a.b", ["x"], 0.0) == Admit("x")
    assert told(governor.take("1", "a.b", ["x"], 0.0)) == ("guild:1", "running", None)


def test_a_burst_in_use_stays_in_use_under_another_rate() -> None:
    governor = Governor(open_to_all(guilds={"1": GuildQuota(rate="10/d")}))
    for _ in range(10):
        governor.take("1", "a.b", ["x"], 0.0)
    governor.reconfigure(open_to_all(guilds={"1": GuildQuota(rate="10/s")}), 0.0)
    answer = governor.take("1", "a.b", ["x"], 0.0)
    assert isinstance(answer, Wait)
    assert answer.until == pytest.approx(0.1)


def test_after_other_settings_the_state_of_every_rate_is_stored_again() -> None:
    governor = Governor(open_to_all(guilds={"1": GuildQuota(rate="10/d")}))
    governor.take("1", "a.b", ["x"], 0.0)
    governor.changed(0.0)
    governor.reconfigure(open_to_all(guilds={"1": GuildQuota(rate="10/s")}), 0.0)
    assert governor.changed(0.0) == pytest.approx({"guild:1": 0.1})


def test_a_guild_that_moves_to_another_plan_takes_its_running_work_along() -> None:
    plans = {"p": Plan(shared=Limits(running=1)), "q": Plan(shared=Limits(running=1))}
    governor = Governor(GovernorSettings(plans=plans, default_plan="p"))
    governor.take("1", "a.b", ["x"], 0.0)
    governor.reconfigure(GovernorSettings(plans=plans, default_plan="p", guilds={"1": GuildQuota(plan="q")}), 1.0)
    assert used(governor) == {"global": 1, "guild:1": 1, "plan:q": 1, "method:a.b": 1, "handler:x/a.b": 1}
    governor.release("1", "a.b", "x", 1.0, 2.0)
    assert used(governor) == {}


def test_handlers_that_came_and_went_are_forgotten() -> None:
    governor = Governor(open_to_all())
    for place in range(10 * HANDLERS_KEPT):
        governor.take("1", "a.b", [f"worker-{place}"], float(place))
        governor.release("1", "a.b", f"worker-{place}", 0.1, float(place))
    assert sum(scope.name.startswith("handler:") for scope in governor._scopes()) <= HANDLERS_KEPT
