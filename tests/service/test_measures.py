"""What guilds may use is set by operators, for good or for a time, and holds at once; verifying, and what was refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.governor.settings import GovernorSettings, Limits, MethodQuota, Plan
from core.service import forwarding
from schedule_zero import requests as ask
from schedule_zero.client import CoreClient
from schedule_zero.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from schedule_zero.instant import DAY, parse
from schedule_zero.run import RunState
from schedule_zero.views import GuildView, VerificationView
from tests.engine.house import House, plan
from tests.service.people import ADMIN, ANNA, MOD, OPERATOR, OWNER, STRANGER, Post, as_, post, remind

Build = Callable[..., Awaitable[House]]
UNVERIFIED = GovernorSettings()


def gauge(view: GuildView, limit: str) -> Any:
    return next(each for each in view.gauges if each.limit == limit)


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_raised_limit_lets_the_waiting_run_go_and_a_lowered_one_holds_the_next(build: Build) -> None:
    house = await build(governor=plan(running=1))
    gate = house.hands.hold()
    schedule = await house.schedule(policy={"overlap": "allow"})
    first, second = [await house.run_now(schedule) for _ in range(2)]
    await house.working(first.id)
    assert (await house.why(second)).limit == "running"
    raised = await house.client.change_guild_quota("1", {"running": 2}, by="discord:eve")
    assert (raised.limits["running"], raised.origins["running"], raised.own) == (2, "operator", {"running": 2})
    await house.working(second.id)
    await house.client.change_guild_quota("1", {}, reset=["running"])
    third = await house.run_now(schedule)
    held = await house.why(third)
    assert (held.scope, held.limit, held.used, held.allowed) == ("guild:1", "running", 2, 1)
    gate.set()
    await house.ended(third.id)


async def test_a_raised_calendar_quota_brings_forward_what_was_put_off_first_come_first(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=1))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    put_off = [await house.run_now(schedule) for _ in range(3)]
    assert {(await house.why(run)).limit for run in put_off} == {"runs_per_day"}
    await house.client.change_guild_quota("1", {"runs_per_day": 3})
    for run in put_off[:2]:
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED
    left = await house.why(put_off[2])
    assert (left.used, left.allowed) == (3, 3)
    assert parse(left.until or "") - house.clock.now() < 24 * 3600 * 1_000_000
    assert await used(house) == 3
    await house.client.change_guild_quota("1", {"runs_per_day": None})
    assert (await house.ended(put_off[2].id)).state is RunState.SUCCEEDED


async def test_what_cannot_go_sooner_keeps_its_place_and_is_counted_there(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=1))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    tomorrow, after_it = [await house.run_now(schedule) for _ in range(2)]
    await house.client.cancel_run(tomorrow.id)
    instead = await house.run_now(schedule)
    await house.client.change_guild_quota("1", {"running": 5})
    await house.forwarded()
    dues = [parse((await house.why(run)).until or "") for run in (instead, after_it)]
    assert dues[1] - dues[0] == DAY
    for due in dues:
        standing = await house.engine.entitler.standing(house.ledger.reader.usage, "1", due + 1)
        assert [each.used for each in standing] == [1]


async def test_what_a_raised_quota_frees_goes_however_many_wait_for_another_limit_before_it(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "AT_ONCE", 2)
    limits = GovernorSettings(
        methods={"hands.work": MethodQuota(runs_per_day=1)}, plans={"small": Plan(runs_per_day=3)}, default_plan="small"
    )
    house = await build(governor=limits)
    work, once = [await house.schedule(method=name, policy={"overlap": "allow"}) for name in ("work", "once")]
    others = [await house.run_now(work) for _ in range(6)]
    put_off = [await house.run_now(once) for _ in range(3)][-1]
    assert (await house.why(put_off)).scope == "guild:1"
    await house.client.change_guild_quota("1", {"runs_per_day": 100})
    assert (await house.ended(put_off.id)).state is RunState.SUCCEEDED
    assert (await house.why(others[-1])).scope == "method:hands.work"


async def test_room_that_came_while_the_core_was_down_is_found_at_its_start(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=5))
    await house.client.change_guild_quota("1", {"runs_per_day": 1}, until="in 1 hour")
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    put_off = await house.run_now(schedule)
    assert (await house.why(put_off)).limit == "runs_per_day"
    await house.close()
    house.clock.move(3601)
    house = await build(governor=plan(runs_per_day=5))
    keeping = asyncio.create_task(house.service.measures.keep())
    assert (await house.ended(put_off.id)).state is RunState.SUCCEEDED
    keeping.cancel()


async def test_what_has_ended_makes_no_work_at_the_next_look(build: Build) -> None:
    house = await build(governor=plan(running=1))
    await house.client.change_guild_quota("1", {"running": 9}, until="in 1 hour")
    house.pass_time(3601)
    await house.service.measures.turn()
    assert await house.service.measures.load() == set()


@pytest.mark.parametrize("via", ["http", "cli", "page", "zmq"])
async def test_who_holds_a_token_speaks_in_no_other_name(house: House, via: Any) -> None:
    token = house.client.acting_as(msgspec.structs.replace(OPERATOR, via=via))
    view = await token.suspend_guild("1", "x", by="member:999")
    assert view.suspended is not None
    assert view.suspended.by == "operator:token"


async def used(house: House) -> int:
    standing = await house.engine.entitler.standing(house.ledger.reader.usage, "1", house.clock.now())
    return next(each.used for each in standing if each.period.limit == "runs_per_day")


async def test_a_limit_for_a_time_ends_by_itself_and_survives_a_restart(build: Build) -> None:
    house = await build(governor=plan(running=1))
    raised = await house.client.change_guild_quota("1", {"running": 9}, until="in 1 hour")
    assert [each.limits for each in raised.temporary] == [{"running": 9}]
    assert (await house.client.guild_quota("1")) == raised
    await house.close()
    house = await build(governor=plan(running=1))
    assert (await house.client.guild_quota("1")).limits["running"] == 9
    house.pass_time(3601)
    await house.service.measures.turn()
    ended = await house.client.guild_quota("1")
    assert (ended.limits["running"], ended.temporary, ended.origins) == (1, (), {})


async def test_a_later_limit_for_a_time_lies_over_an_earlier_one(build: Build) -> None:
    house = await build(governor=plan(running=1))
    await house.client.change_guild_quota("1", {"running": 5}, until="in 2 hours")
    await house.client.change_guild_quota("1", {"running": 9}, until="in 1 hour")
    assert (await house.client.guild_quota("1")).limits["running"] == 9
    house.pass_time(3601)
    await house.service.measures.turn()
    assert (await house.client.guild_quota("1")).limits["running"] == 5


async def test_the_whole_document_replaces_what_was_set(build: Build) -> None:
    house = await build(governor=plan(running=1, schedules=3))
    await house.client.change_guild_quota("1", {"running": 2})
    put = await house.client.put_guild_quota("1", {"schedules": None})
    assert (put.limits["running"], put.limits["schedules"], put.own) == (1, None, {"schedules": None})
    assert (await house.client.put_guild_quota("1", {})).own == {}


async def test_a_plan_is_changed_and_set_back(build: Build) -> None:
    house = await build(governor=UNVERIFIED)
    assert (await house.client.change_guild_quota("1", {"plan": "trusted"})).limits["schedules"] == 20000
    back = await house.client.change_guild_quota("1", {}, reset=["plan"])
    assert (back.plan, back.limits["schedules"]) == ("unverified", 20)


@pytest.mark.parametrize(
    ("changes", "more", "field"),
    [
        ({"runing": 1}, {}, "runing"),
        ({"running": -1}, {}, "running"),
        ({"rate": "fast"}, {}, "rate"),
        ({"plan": "golden"}, {}, "plan"),
        ({}, {"reset": ["colour"]}, "reset"),
        ({"running": 1}, {"until": "yesterday"}, "until"),
        ({"running": 1}, {"until": "whenever"}, "until"),
        ({}, {"until": "in 1 hour"}, "changes"),
        ({"plan": "trusted"}, {"until": "in 1 hour"}, "changes.plan"),
        ({"plan": None}, {}, "changes.plan"),
        ({"running": 5, "rate": "1/s"}, {"reset": ["running"]}, "reset"),
        ({"plan": "trusted"}, {"reset": ["plan"]}, "reset"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_place_and_changes_nothing(
    house: House, changes: dict[str, Any], more: dict[str, Any], field: str
) -> None:
    before = await house.client.guild_quota("1")
    with pytest.raises(Invalid) as caught:
        await house.client.change_guild_quota("1", changes, **more)
    assert caught.value.errors[0].field == field
    assert await house.client.guild_quota("1") == before


async def test_only_operators_change_what_a_guild_may_use(house: House) -> None:
    for actor in (ANNA, ADMIN, OWNER, STRANGER):
        with pytest.raises(Forbidden):
            await as_(house, actor).change_guild_quota("1", {"running": 1000})
        with pytest.raises(Forbidden):
            await as_(house, actor).suspend_guild("1")
    with pytest.raises(NotFound):
        await as_(house, STRANGER).guild_quota("1")
    assert (await as_(house, ANNA).guild_quota("1")).plan


async def test_there_are_only_so_many_limits_with_an_end(house: House) -> None:
    for _ in range(20):
        await house.client.change_guild_quota("1", {"running": 9}, until="in 1 hour")
    with pytest.raises(Conflict, match="20 limits with an end"):
        await house.client.change_guild_quota("1", {"running": 9}, until="in 1 hour")


# ── what is used ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_limit_is_shown_with_its_use_and_when_some_of_it_frees(build: Build) -> None:
    house = await build(governor=plan(running=1, rate="2/h", runs_per_day=5, schedules=10, min_interval="PT5M"))
    gate = house.hands.hold()
    schedule = await house.schedule(policy={"overlap": "allow"})
    first, _ = [await house.run_now(schedule) for _ in range(2)]
    await house.working(first.id)
    view = await house.client.get_guild("1")
    assert (gauge(view, "running").used, gauge(view, "running").allowed) == (1, 1)
    assert (gauge(view, "schedules").used, gauge(view, "schedules").allowed) == (1, 10)
    assert (gauge(view, "runs_per_day").used, gauge(view, "runs_per_day").allowed) == (2, 5)
    assert parse(gauge(view, "runs_per_day").until) > house.clock.now()
    rate = gauge(view, "rate")
    assert (round(rate.used), rate.allowed, rate.words) == (1, 2, "2/h")
    assert gauge(view, "min_interval").words == "PT5M"
    assert view.waiting == 1
    gate.set()


async def test_who_manages_a_guild_sees_all_of_it_and_others_see_their_own(house: House) -> None:
    await remind(house, ANNA)
    await remind(house, ANNA)
    await post(house, MOD)
    whole = await as_(house, ADMIN).get_guild("1")
    assert whole.whole
    assert [(each.owner_id, each.schedules) for each in whole.most] == [("anna", 2), ("mod", 1)]
    own = await as_(house, ANNA).get_guild("1")
    assert not own.whole
    assert [(each.scope, each.limit, each.used) for each in own.gauges] == [("user:anna", "reminders", 2)]
    assert own.most == ()
    with pytest.raises(NotFound):
        await as_(house, STRANGER).get_guild("1")


async def test_operators_list_the_guilds_there_are_page_by_page(house: House) -> None:
    for number in range(5):
        await house.client.note_guild(str(100 + number), f"Guild {number}")
    await house.client.suspend_guild("7")
    first = await house.client.list_guilds(limit=3)
    rest = await house.client.list_guilds(limit=3, cursor=first.next)
    assert [each.guild_id for each in (*first.items, *rest.items)] == ["7", "100", "101", "102", "103", "104"]
    assert rest.next is None
    assert [each.guild_id for each in (await house.client.list_guilds(q="guild 3")).items] == ["103"]
    with pytest.raises(NotFound):
        await house.client.get_guild("999")
    with pytest.raises(Forbidden):
        await as_(house, OWNER).list_guilds()


async def test_runs_of_a_schedule_made_before_wait_while_its_server_may_not_use_the_handler(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.client.change_guild_quota("1", {"handlers": ["other"]})
    run = await house.run_now(schedule)
    assert gauge(await house.client.get_guild("1"), "handlers").words == "other"
    held = await house.why(run)
    assert (held.scope, held.limit, held.used, held.allowed, held.until) == ("guild:1", "handlers", 0, 0, None)
    assert held.words == "Guild 1 may not use this handler; it goes on when that is allowed again."
    await house.client.change_guild_quota("1", {"handlers": []})
    assert gauge(await house.client.get_guild("1"), "handlers").words == "none may be used"
    await house.client.change_guild_quota("1", {}, reset=["handlers"])
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_a_limit_that_is_shared_with_others_is_shown_while_it_is_used_up_and_its_figures_to_operators_alone(
    build: Build,
) -> None:
    shared = Plan(shared=Limits(runs_per_day=1, rate="1/d"))
    governor = GovernorSettings(global_=Limits(running=1, runs_per_month=9), plans={"p": shared}, default_plan="p")
    house = await build(governor=governor)

    async def seen(client: CoreClient) -> list[Any]:
        gauges = (await client.get_guild("1")).gauges
        return [each for each in gauges if each.scope in ("global", "plan:p")]

    await house.schedule(guild_id="1")
    assert await seen(house.client) == await seen(as_(house, ADMIN)) == []
    gate = house.hands.hold()
    run = await house.run_now(await house.schedule(guild_id="2"))
    await house.working(run.id)
    midnight = "2026-03-04T00:00:00+00:00"
    found = {(each.scope, each.limit): (each.used, each.allowed) for each in await seen(house.client)}
    full = {("plan:p", "runs_per_day"): (1, 1), ("global", "running"): (1, 1), ("plan:p", "rate"): (1.0, 1)}
    assert found == full
    told = await seen(as_(house, ADMIN))
    assert {(each.scope, each.limit) for each in told} == full.keys()
    assert {(each.used, each.allowed, each.words) for each in told} == {(None, None, "used up")}
    assert [each.until for each in told] == [midnight, None, None]
    gate.set()


async def test_who_decided_is_for_operators_and_why_for_managers(build: Build) -> None:
    house = await build(run=False)
    await house.client.verify_guild("1", by="discord:eve")
    await house.client.suspend_guild("1", "spam", by="discord:eve")
    await house.client.change_guild_quota("1", {"running": 1}, until="in 1 hour", by="discord:eve")
    seen: dict[str, Any] = {}
    for actor in (OPERATOR, ADMIN, ANNA):
        guild, quota = await as_(house, actor).get_guild("1"), await as_(house, actor).guild_quota("1")
        assert guild.suspended is not None
        assert guild.verified is not None
        (limit,) = quota.temporary
        assert (limit.limits, bool(limit.until), bool(guild.suspended.at)) == ({"running": 1}, True, True)
        seen[actor.id] = (guild.suspended.by, guild.suspended.why, guild.verified.by, guild.verified.why, limit.by)
    eve = "discord:eve"
    assert seen == {
        OPERATOR.id: (eve, "spam", eve, "by an operator", eve),
        "admin": ("", "spam", "", "by an operator", ""),
        "anna": ("", "", "", "", ""),
    }
    with pytest.raises(QuotaExceeded, match="This server is suspended; nothing"):
        await remind(house, ANNA)


async def test_a_remembered_answer_has_no_code_in_it(build: Build) -> None:
    house = await build(run=False)
    asked = ask.NewVerification(guild_id="1", idempotency_key="k")
    first, again = [await as_(house, ADMIN).send(asked) for _ in range(2)]
    assert isinstance(first, VerificationView)
    assert isinstance(again, VerificationView)
    kept = await house.ledger.reader.notes.answer("member:admin:1:k")
    assert kept is not None
    assert first.code is not None
    assert first.code not in kept.answer
    assert (again.code, again.until) == (None, first.until)
    assert (await as_(house, ADMIN).verify_guild("1", first.code)).verified is not None


# ── the last refusal ───────────────────────────────────────────────────────────────────────────────────────────


async def test_who_met_a_limit_can_ask_which_it_was(build: Build) -> None:
    house = await build(governor=plan(schedules=2), run=False)
    house.engine.serve(Post())
    assert (await as_(house, ANNA).last_refusal("1")).sentence is None
    await remind(house, ANNA)
    with pytest.raises(QuotaExceeded) as caught:
        await remind(house, ANNA)
    last = await as_(house, ANNA).last_refusal("1")
    assert last.sentence == caught.value.sentence
    assert (last.scope, last.limit, last.used, last.allowed) == ("guild:1", "reminders", 1, 1)
    assert (await as_(house, ADMIN).last_refusal("1")).sentence is None


async def test_a_limit_that_an_item_of_a_batch_met_can_be_asked_for_too(build: Build) -> None:
    house = await build(governor=plan(schedules=1), run=False)
    at = {"type": "date", "at": house.clock.in_s(3600)}
    items = [{"handler": "hands", "method": "work", "guild_id": guild, "trigger": at} for guild in "1122"]
    answer = await house.client.create_schedules(items)
    assert [item.status for item in answer.items] == [201, 429, 201, 429]
    for guild, met in zip("12", (answer.items[1], answer.items[3]), strict=True):
        last = await house.client.last_refusal(guild)
        assert met.problem is not None
        assert last.sentence == met.problem.detail
        assert (last.scope, last.limit, last.used, last.allowed) == (f"guild:{guild}", "schedules", 1, 1)
    assert (await as_(house, ADMIN).last_refusal("1")).sentence is None


async def test_who_speaks_in_no_guild_asks_for_what_was_refused_to_them_there(build: Build) -> None:
    house = await build(governor=plan(schedules=0), run=False)
    with pytest.raises(QuotaExceeded) as caught:
        await house.schedule(guild_id="1")
    assert (await house.client.last_refusal("1")).sentence == caught.value.sentence
    assert (await house.client.last_refusal("2")).sentence is None


async def test_a_refusal_says_how_that_limit_is_now_also_to_who_does_not_manage_the_guild(build: Build) -> None:
    house = await build(governor=plan(schedules=2), run=False)
    house.engine.serve(Post())
    made = await remind(house, ANNA)
    with pytest.raises(QuotaExceeded):
        await remind(house, ANNA)
    now = (await as_(house, ANNA).last_refusal("1")).now
    assert now is not None
    assert (now.scope, now.used, now.allowed) == ("guild:1", 1, 1)
    await as_(house, ANNA).delete_schedule(made.id)
    now = (await as_(house, ANNA).last_refusal("1")).now
    assert now is not None
    assert now.used == 0
