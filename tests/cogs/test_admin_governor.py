"""/admin governor and /admin guild over a real core: what is set holds at once, ends by itself, and can be taken back."""

from __future__ import annotations

from typing import Any

import pytest
import simcord

from cogs.admin.options import Reset, read_value
from cogs.refusals import Refusal
from core.governor.settings import GovernorSettings
from schedule_zero.each_schedule import read_limits
from tests.cogs import stage as stages
from tests.cogs.stage import Stage, Staged, labels, offered, said, texts
from tests.engine.conftest import Build
from tests.engine.house import House, plan

HOUR = 1_767_229_200
"""An hour after the stage's clock begins, in Unix seconds."""


@pytest.fixture
async def limited(build: Build, staged: Staged) -> tuple[House, Stage]:
    """A core whose servers may have one run going at once, run by Alice."""
    house = await build(governor=plan(running=1, schedules=10, rate="10/s"))
    return house, await stages.run_by_alice(await staged(house), house.client)


async def pressed(stage: Stage, result: simcord.InteractionResult, label: str) -> str:
    """The words of the card after a press of Alice's."""
    assert result.response is not None
    await stage.alice.click(result.response, label=label)
    return texts(result.response)


async def set_(stage: Stage, **options: Any) -> simcord.InteractionResult:
    return await stage.alice.slash(stage.general, "admin governor set", guild=stage.guild_id, **options)


# ── governor ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_limit_raised_for_an_hour_lets_the_waiting_run_go_and_ends_by_itself(
    limited: tuple[House, Stage],
) -> None:
    house, stage = limited
    gate = house.hands.hold()
    schedule = await house.schedule(guild_id=stage.guild_id, policy={"overlap": "allow"})
    first, second = [await house.run_now(schedule) for _ in range(2)]
    await house.working(first.id)
    await house.why(second)
    result = await set_(stage, limit="running", value="2", until="in 1 hour")
    assert result.ephemeral
    shown = texts(result.response)
    assert f"**Runs going at once**: 1 → **2** until <t:{HOUR}:F>" in shown
    assert f"Runs going at once 2 until <t:{HOUR}:f>, by <@{stage.alice.id}>" in shown
    await house.working(second.id)
    gate.set()
    await stage.env.advance_time(3601)
    await house.service.measures.turn()
    assert (await house.client.guild_quota(stage.guild_id)).limits["running"] == 1


async def test_a_lasting_limit_below_one_for_a_time_says_from_when_it_holds(limited: tuple[House, Stage]) -> None:
    _, stage = limited
    await set_(stage, limit="running", value="7", until="in 1 hour")
    shown = texts((await set_(stage, limit="running", value="5")).response)
    assert f"**Runs going at once**: **5** from <t:{HOUR}:F> on; until then 7, which is set for a time" in shown


async def test_a_burst_of_none_is_the_rate_s_own(limited: tuple[House, Stage]) -> None:
    _, stage = limited
    shown = texts((await set_(stage, limit="burst", value="none")).response)
    assert "**Starts at one moment**: as many as the rate says → **as many as the rate says**" in shown
    assert "no limit" not in shown


async def test_undo_sets_back_what_was_whether_it_lasted_or_had_an_end(limited: tuple[House, Stage]) -> None:
    house, stage = limited

    async def now() -> tuple[Any, dict[str, Any], int]:
        quota = await house.client.guild_quota(stage.guild_id)
        return quota.limits["running"], quota.own, len(quota.temporary)

    first = await set_(stage, limit="running", value="5")
    second = await set_(stage, limit="running", value="7", until="in 1 hour")
    third = await set_(stage, limit="running", value="none", until="in 2 hours")
    assert await now() == (None, {"running": 5}, 2)
    assert "Taken back: **Runs going at once** is 7" in await pressed(stage, third, "Undo")
    assert await now() == (7, {"running": 5}, 1)
    await pressed(stage, second, "Undo")
    assert await now() == (5, {"running": 5}, 0)
    again = await set_(stage, limit="running", value="6")
    await pressed(stage, again, "Undo")
    assert await now() == (5, {"running": 5}, 0)
    await pressed(stage, first, "Undo")
    assert await now() == (1, {}, 0)


async def test_what_each_schedule_may_use_is_set_shown_and_taken_back_as_it_is_written(
    limited: tuple[House, Stage],
) -> None:
    house, stage = limited
    longest = "running 100, rate 10000/min, burst 1000, runs_per_hour 1000, runs_per_day 20000, runs_per_month 500000"
    first = await set_(stage, limit="each_schedule", value=longest)
    escaped = longest.replace("_", "\\_")
    assert f"**Each schedule alone**: no limit → **{escaped}**" in texts(first.response)
    second = await set_(stage, limit="Each schedule alone", value="rate 1/min, running 2")
    shown = texts(second.response)
    assert "→ **running 2, rate 1/min**" in shown
    assert "- **Each schedule alone** running 2, rate 1/min · set by an operator" in shown
    assert "Taken back: **Each schedule alone** is running 100, rate 10000/min" in await pressed(stage, second, "Undo")
    assert (await house.client.guild_quota(stage.guild_id)).own == {"each_schedule": read_limits(longest)}
    assert "Taken back: **Each schedule alone** is no limit" in await pressed(stage, first, "Undo")
    assert (await house.client.guild_quota(stage.guild_id)).own == {}


async def test_a_run_its_own_schedule_holds_back_is_explained_as_this_schedule_s(limited: tuple[House, Stage]) -> None:
    house, stage = limited
    await house.client.change_guild_quota(stage.guild_id, {"each_schedule": {"rate": "1/h"}})
    schedule = await house.schedule(guild_id=stage.guild_id, policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    await house.why(await house.run_now(schedule))
    said_ = await said(stage, "quota explain", item=schedule.id)
    assert "This schedule has used 1 of the 1 starts its rate allows; the next can start" in said_


async def test_an_undo_after_somebody_elses_change_shows_it_and_does_nothing(limited: tuple[House, Stage]) -> None:
    house, stage = limited
    result = await set_(stage, limit="running", value="5")
    await house.client.change_guild_quota(stage.guild_id, {"running": 9})
    assert "**Runs going at once** 0 of 9" in await pressed(stage, result, "Undo")
    assert (await house.client.guild_quota(stage.guild_id)).own == {"running": 9}


async def test_nobody_but_an_operator_presses_undo_or_resume(limited: tuple[House, Stage]) -> None:
    house, stage = limited
    result = await set_(stage, limit="running", value="5")
    suspended = await stage.alice.slash(stage.general, "admin guild suspend", guild=stage.guild_id)
    for card, label in ((result, "Undo"), (suspended, "Resume")):
        message = await stage.post(view=_copy(card))
        refused = await stage.bob.click(message, label=label)
        assert "This is for those who run the service" in texts(refused.followups[-1])
    assert (await house.client.guild_quota(stage.guild_id)).own == {"running": 5}
    assert (await house.client.get_guild(stage.guild_id)).suspended is not None


async def test_default_is_as_in_the_plan_and_ends_what_has_an_end(limited: tuple[House, Stage]) -> None:
    house, stage = limited
    await set_(stage, limit="running", value="5")
    await set_(stage, limit="running", value="7", until="in 1 hour")
    result = await set_(stage, limit="Runs going at once", value="default")
    assert "7 → **1**" in texts(result.response)
    assert labels(result.response) == [], "an end that was brought on cannot be taken back"
    quota = await house.client.guild_quota(stage.guild_id)
    assert (quota.limits["running"], quota.own, quota.temporary) == (1, {}, ())


async def test_a_plan_is_set_and_taken_back(build: Build, staged: Staged) -> None:
    house = await build(governor=GovernorSettings(), run=False)
    stage = await stages.run_by_alice(await staged(house), house.client)
    result = await set_(stage, limit="plan", value="trusted")
    assert "**Plan**: unverified → **trusted**" in texts(result.response)
    await pressed(stage, result, "Undo")
    quota = await house.client.guild_quota(stage.guild_id)
    assert (quota.plan, quota.origins) == ("unverified", {})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"limit": "colour", "value": "1"}, "`limit`: 'colour' is no limit; there are running, rate"),
        ({"limit": "running", "value": "many"}, "`value`: 'many' is no whole number, 0 or more; write for example 50"),
        ({"limit": "running", "value": "-1"}, "`value`: '-1' is no whole number, 0 or more; write for example 50"),
        ({"limit": "running", "value": "5 KiB"}, "`value`: '5 KiB' is no whole number"),
        ({"limit": "rate", "value": "fast"}, "`value`:"),
        ({"limit": "min_interval", "value": "soon"}, "`value`: 'soon' is no length of time"),
        ({"limit": "weight", "value": "heavy"}, "`value`: 'heavy' is no number"),
        (
            {"limit": "each_schedule", "value": "fast"},
            "`value`: 'fast' is no limit of a schedule; write for example running 2",
        ),
        (
            {"limit": "each_schedule", "value": "running two"},
            "`value`: 'two' is no whole number, 0 or more, for running; write for",
        ),
        ({"limit": "each_schedule", "value": "rate fast"}, "`value`: has to be a rate such as 10/s"),
        (
            {"limit": "each_schedule", "value": "running 1, running 2"},
            "`value`: running is there twice; write it once.",
        ),
        ({"limit": "plan", "value": "golden"}, "`value`: 'golden' is no plan"),
        ({"limit": "plan", "value": "small", "until": "in 1 hour"}, "`value`: a plan does not change for a time"),
        ({"limit": "running", "value": "default", "until": "in 1 hour"}, "`until`: what the plan says has no end"),
        ({"limit": "running", "value": "5", "until": "yesterday"}, "`until`: that was 15 hours ago.\nDid you mean:"),
        ({"guild": "Nowhere", "limit": "running", "value": "5"}, "No server fits 'Nowhere'"),
        ({"guild": "123456789012345678", "limit": "running", "value": "5"}, "There is no server '123456789012345678'"),
    ],
)
async def test_what_cannot_be_set_is_refused_in_a_sentence_with_its_place_and_changes_nothing(
    limited: tuple[House, Stage], options: dict[str, str], sentence: str
) -> None:
    house, stage = limited
    shown = await said(stage, "admin governor set", **{"guild": "Tea house", **options})
    assert sentence in shown
    quota = await house.client.guild_quota(stage.guild_id)
    assert (quota.own, quota.temporary, quota.plan) == ({}, (), "small")


async def test_show_tells_one_server_with_its_bars_or_lists_them_all(limited: tuple[House, Stage]) -> None:
    house, stage = limited
    await house.client.note_guild("222222222222222222", "Away", present=False)
    await house.client.suspend_guild("222222222222222222", "spam")
    listed = await said(stage, "admin governor show")
    assert f"- Tea house `{stage.guild_id}` · small" in listed
    assert "- Away `222222222222222222` · small · **suspended** · left" in listed
    one = await said(stage, "admin governor show", guild="Tea house")
    assert "Governor: Tea house" in one
    assert "**Runs going at once** 0 of 1" in one


async def test_servers_limits_and_values_are_suggested_with_what_they_are_now(limited: tuple[House, Stage]) -> None:
    _, stage = limited
    command = "admin governor set"
    assert (f"Tea house · {stage.guild_id} · small", stage.guild_id) in await offered(stage, command, "guild", "tea")
    found = await offered(stage, command, "limit", "at once", guild=stage.guild_id)
    assert found == [("Runs going at once (running): 1", "running")]
    values = await offered(stage, command, "value", "", guild=stage.guild_id, limit="schedules")
    assert values == [
        ("20: twice as much as now", "20"),
        ("none: no limit", "none"),
        ("default: as in the plan", "default"),
    ]
    values = await offered(stage, command, "value", "", guild=stage.guild_id, limit="each_schedule")
    assert values[0] == ("running 2, rate 1/min: for example", "running 2, rate 1/min")


async def test_nothing_is_suggested_to_who_is_no_operator(limited: tuple[House, Stage]) -> None:
    _, stage = limited
    assert await stage.bob.autocomplete(stage.general, "admin governor set", "guild", "") == []


async def test_handlers_that_are_none_or_unknown_are_said_to_be(limited: tuple[House, Stage]) -> None:
    _, stage = limited
    shown = texts((await set_(stage, limit="handlers", value=",")).response)
    assert "**Handlers**: no limit → **none may be used**\n-# Nothing can be made there" in shown
    assert "- **Handlers** none may be used · set by an operator" in shown
    assert "no limit" in texts((await set_(stage, limit="handlers", value="none")).response)
    shown = texts((await set_(stage, limit="handlers", value="hands, nobody, none")).response)
    assert "→ **hands, nobody, none**\n-# Nobody knows handlers called nobody, none so far." in shown
    assert "Nobody knows" not in texts((await set_(stage, limit="handlers", value="hands")).response)


@pytest.mark.parametrize(
    ("limit", "text", "value"),
    [
        ("running", "1,000", 1000), ("payload_bytes", "16 KiB", 16384), ("min_interval", "5 min", "PT5M"),
        ("handlers", "discord, report", ["discord", "report"]), ("weight", "2.5", 2.5), ("schedules", "no limit", None),
        ("rate", "30/min", "30/min"), ("plan", "trusted", "trusted"), ("each_schedule", "none", None),
        ("each_schedule", "Rate 1/min, running 2", {"rate": "1/min", "running": 2}),
        ("each_schedule", "runs per day: 50", {"runs_per_day": 50}),
    ],
)  # fmt: skip
def test_values_are_read_by_the_kind_of_limit(limit: str, text: str, value: Any) -> None:
    assert read_value(limit, text) == value


def test_default_and_plan_reset_and_a_weight_has_no_none() -> None:
    assert isinstance(read_value("running", "Default"), Reset)
    assert isinstance(read_value("rate", "plan"), Reset)
    with pytest.raises(Refusal):
        read_value("weight", "none")


# ── guild ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_operator_verifies_a_server_in_their_own_name(build: Build, staged: Staged) -> None:
    house = await build(governor=GovernorSettings(), run=False)
    stage = await stages.run_by_alice(await staged(house), house.client)
    assert "Its plan is **verified**." in await said(stage, "admin guild verify", guild="Tea house")
    mark = (await house.client.get_guild(stage.guild_id)).verified
    assert mark is not None
    assert mark.by == f"discord:{stage.alice.id}"


async def test_a_suspended_server_is_told_why_and_resumed_by_a_press(limited: tuple[House, Stage]) -> None:
    house, stage = limited
    result = await stage.alice.slash(stage.general, "admin guild suspend", guild="Tea house", why="spam")
    assert "⛔ **Suspended**" in texts(result.response)
    refused = await said(stage, "schedule message", when="in 2 hours", channel=stage.general, text="hello")
    assert "This server is suspended (spam)" in refused
    assert "What waited goes on." in await pressed(stage, result, "Resume")
    assert (await house.client.get_guild(stage.guild_id)).suspended is None


async def test_a_server_that_nobody_knows_is_said_to_be_unknown_and_one_not_suspended_to_be_not(
    limited: tuple[House, Stage],
) -> None:
    _, stage = limited
    for what in ("verify", "suspend", "resume"):
        refused = await said(stage, f"admin guild {what}", guild="123456789012345678")
        assert refused == "There is no server '123456789012345678' here."
    assert "is not suspended" in await said(stage, "admin guild resume", guild="Tea house")


def _copy(result: simcord.InteractionResult) -> Any:
    """The buttons of an answer on a message everybody sees."""
    from discord import ui

    from cogs.buttons import CardButton

    assert result.response is not None
    view = ui.View(timeout=None)
    for label, id in zip(labels(result.response), stages.custom_ids(result.response), strict=True):
        _, verb, subject, detail = id.split(":", 3)
        view.add_item(CardButton(label, verb, subject, detail))
    view.stop()
    return view
