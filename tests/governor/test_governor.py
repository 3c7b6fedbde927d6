from __future__ import annotations

from collections.abc import Mapping

import pytest

from core.governor.governor import HANDLERS_KEPT, Governor
from core.governor.settings import Capacity, GovernorSettings, GuildQuota, Limits, MethodQuota, Plan
from core.governor.verdict import Admit, Wait

TIGHT = GovernorSettings(
    global_=Limits(running=6, rate="8/s", burst=9),
    plans={
        "small": Plan(running=2, rate="30/min", burst=3, shared=Limits(running=3, rate="2/s")),
        "large": Plan(running=4),
    },
    default_plan="small",
    guilds={"3": GuildQuota(plan="large"), "4": GuildQuota(running=None, rate=None)},
    methods={
        "web.post": MethodQuota(running=3, rate="3/s", per_handler=Capacity(running=1, rate="1/s", burst=2)),
        "web.get": MethodQuota(per_handler=Capacity(running=2)),
    },
)


def open_to_all(**limits: object) -> GovernorSettings:
    return GovernorSettings(global_=Limits(), plans={"free": Plan()}, default_plan="free", **limits)  # type: ignore[arg-type]


def told(answer: Admit | Wait) -> tuple[str, str, float | None] | str:
    return answer.handler if isinstance(answer, Admit) else (answer.scope, answer.limit, answer.until)


def used(governor: Governor) -> Mapping[str, int]:
    return {scope.name: scope.running.used for scope in governor._scopes() if scope.running.used}


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
    governor = Governor(open_to_all(methods={"a.b": MethodQuota(per_handler=Capacity(running=1))}))
    assert governor.take("1", "a.b", ["x", "y"], 0.0) == Admit("x")
    assert governor.take("1", "a.b", ["x", "y"], 0.0) == Admit("y")
    assert governor.take("1", "a.b", ["x", "y"], 0.0) == Wait("handler:x/a.b", "running", 1, 1)


def test_without_a_candidate_the_run_waits_for_handlers() -> None:
    assert Governor(open_to_all()).take("1", "a.b", [], 0.0) == Wait("method:a.b", "handlers", 0, 0)


def test_the_operators_own_work_meets_no_plan_and_no_guild() -> None:
    governor = Governor(GovernorSettings(plans={"p": Plan(running=0)}, default_plan="p"))
    assert governor.take(None, "a.b", ["x"], 0.0) == Admit("x")
    assert told(governor.take("1", "a.b", ["x"], 0.0)) == ("guild:1", "running", None)


def test_runs_of_a_handler_that_a_guild_may_not_use_any_more_wait_until_it_may_again() -> None:
    governor = Governor(open_to_all())
    governor.take("1", "a.b", ["x"], 0.0)
    governor.reconfigure(open_to_all(guilds={"1": GuildQuota(handlers=["c"])}), 1.0)
    assert governor.take("1", "a.b", ["x"], 1.0) == Wait("guild:1", "handlers", 0, 0)
    assert governor.take("1", "c.d", ["x"], 1.0) == Admit("x")
    assert governor.take("2", "a.b", ["x"], 1.0) == Admit("x")
    governor.release("1", "a.b", "x", 1.0, 2.0)
    governor.reconfigure(open_to_all(), 2.0)
    assert governor.take("1", "a.b", ["x"], 2.0) == Admit("x")
    assert used(governor)["guild:1"] == 2


def test_guilds_of_a_plan_share_what_it_says_they_share() -> None:
    governor = Governor(GovernorSettings(plans={"p": Plan(shared=Limits(running=2))}, default_plan="p"))
    assert isinstance(governor.take("1", "a.b", ["x"], 0.0), Admit)
    assert isinstance(governor.take("2", "a.b", ["x"], 0.0), Admit)
    assert governor.take("3", "a.b", ["x"], 0.0) == Wait("plan:p", "running", 2, 2)


def test_an_end_tells_which_scopes_were_full() -> None:
    governor = Governor(open_to_all(guilds={"1": GuildQuota(running=1)},
                                    methods={"a.b": MethodQuota(running=5, per_handler=Capacity(running=1))}))  # fmt: skip
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


def test_after_a_restart_under_a_shorter_rate_no_more_than_its_burst_is_spoken_for() -> None:
    old = Governor(open_to_all(guilds={"1": GuildQuota(rate="1/d")}))
    old.take("1", "a.b", ["x"], 0.0)
    new = Governor(open_to_all(guilds={"1": GuildQuota(rate="10/s")}))
    new.restore_rates(old.changed(0.0), 5.0)
    answer = new.take("1", "a.b", ["x"], 5.0)
    assert isinstance(answer, Wait)
    assert answer.until == pytest.approx(5.1)


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


def test_a_limit_that_adapts_counts_what_ran_before_it_was_set() -> None:
    governor = Governor(open_to_all())
    for _ in range(2):
        governor.take("1", "a.b", ["x"], 0.0)
    governor.reconfigure(open_to_all(methods={"a.b": MethodQuota(adaptive="aimd", running=2)}), 1.0)
    for _ in range(2):
        governor.release("1", "a.b", "x", 1.0, 1.0)
    for _ in range(2):
        assert governor.take("1", "a.b", ["x"], 2.0) == Admit("x")
    assert isinstance(governor.take("1", "a.b", ["x"], 2.0), Wait)
    assert dict(governor.guards("a.b"))[None].adaptive.in_flight == 2  # type: ignore[union-attr] # it is one


def test_who_holds_a_handlers_share_is_tried_again_when_anothers_run_ends() -> None:
    governor = Governor(
        GovernorSettings(global_=Limits(running=7), plans={"free": Plan()}, default_plan="free"),
        whose=lambda process: (process[0], None),
    )
    for _ in range(4):
        assert governor.take("1", "a.b", ["a1"], 0.0) == Admit("a1")
    for _ in range(2):
        assert governor.take("2", "c.d", ["c1"], 0.0) == Admit("c1")
    assert told(governor.take("1", "a.b", ["a1"], 0.0)) == ("handler:a", "share", 60.0)
    assert governor.release("2", "c.d", "c1", 1.0, 1.0) == ["handler:a"]
    assert governor.take("1", "a.b", ["a1"], 1.0) == Admit("a1")


def test_handlers_that_came_and_went_are_forgotten() -> None:
    governor = Governor(open_to_all())
    for place in range(10 * HANDLERS_KEPT):
        governor.take("1", "a.b", [f"worker-{place}"], float(place))
        governor.release("1", "a.b", f"worker-{place}", 0.1, float(place))
    assert sum(scope.name.startswith("handler:") for scope in governor._scopes()) <= HANDLERS_KEPT
