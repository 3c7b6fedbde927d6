"""/admin drain and /admin maintenance: what everybody sees while something is done to the service."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from cogs import maintenance
from schedule_zero import requests as ask
from schedule_zero.errors import Unavailable
from tests.cogs import stage as stages
from tests.cogs.stage import Stage, Staged, said, texts
from tests.engine.conftest import Build
from tests.engine.house import House, plan
from tests.service.people import Post


@pytest.fixture
async def run(build: Build, staged: Staged) -> tuple[House, Stage]:
    """A core run by Alice, whose servers may have two schedules."""
    house = await build(governor=plan(schedules=2))
    house.engine.serve(Post())
    return house, await stages.run_by_alice(await staged(house), house.client)


async def test_drain_holds_what_is_due_and_a_press_lets_it_go_on(run: tuple[House, Stage]) -> None:
    house, stage = run
    result = await stage.alice.slash(stage.general, "admin drain on")
    assert f"by <@{stage.alice.id}>" in texts(result.response)
    made = await house.run_now(await house.schedule(guild_id=stage.guild_id, name="backup"))
    assert "⚠️ dispatch: drained since" in await said(stage, "status")
    assert "lets it give out nothing new for now" in await said(stage, "quota explain", item="backup")
    assert result.response is not None
    await stage.alice.click(result.response, label="Go on")
    assert "Runs are given out." in texts(result.response)
    await house.ended(made.id)


async def test_drain_off_goes_on_and_nobody_else_may(run: tuple[House, Stage]) -> None:
    house, stage = run
    await stage.alice.slash(stage.general, "admin drain on")
    refused = await stage.bob.slash(stage.general, "admin drain off")
    assert "This is for those who run the service" in texts(refused.response)
    assert (await house.client.upkeep()).drained is not None
    assert "Runs are given out." in await said(stage, "admin drain off")
    assert (await house.client.upkeep()).drained is None


async def test_a_message_stands_in_status_help_and_refusals_until_it_ends(run: tuple[House, Stage]) -> None:
    _, stage = run
    shown = await said(stage, "admin maintenance", message="We move the disks.", until="in 1 hour")
    banner = "🔧 **We move the disks.** (until <t:1767229200:f>)"
    assert banner in shown
    assert banner in await said(stage, "status")
    assert banner in await said(stage, "help")
    await said(stage, "remind me", when="in 2 hours", text="tea")
    refusal = await said(stage, "remind me", when="in 2 hours", text="tea")
    assert "This server has 1 reminder, and they may take half of its schedules: 1;" in refusal
    assert banner in refusal
    wrong = await said(stage, "remind show", item="nothing like that")
    assert banner not in wrong, "a mistake of one's own has nothing to do with it"
    await stage.env.advance_time(3601)
    assert "🔧" not in await said(stage, "status")
    assert "🔧" not in await said(stage, "remind me", when="in 2 hours", text="tea")


async def test_help_for_a_banned_person_comes_and_logs_one_sentence(
    run: tuple[House, Stage], caplog: pytest.LogCaptureFixture
) -> None:
    house, stage = run
    await house.client.ban_user(str(stage.bob.id), "spam")
    caplog.set_level(logging.INFO, maintenance.__name__)
    assert "/remind" in texts((await stage.bob.slash(stage.general, "help")).response)
    (record,) = [each for each in caplog.records if each.name == maintenance.__name__]
    assert "You may not use this service any more (spam)" in record.getMessage()
    assert record.exc_info is None


async def test_a_core_that_is_away_is_refused_with_what_was_told_last(
    run: tuple[House, Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, stage = run
    await said(stage, "admin maintenance", message="We move the disks.")
    service = type(house.service)

    async def away(*_: Any) -> Any:
        raise Unavailable("the core does not answer")

    monkeypatch.setattr(service, "handle", away)
    assert await said(stage, "status") == "The core does not answer\n-# 🔧 **We move the disks.**"


async def test_without_a_message_nothing_is_told_any_more(run: tuple[House, Stage]) -> None:
    _, stage = run
    await said(stage, "admin maintenance", message="We move the disks.")
    assert "Nothing is told any more" in await said(stage, "admin maintenance")
    assert "🔧" not in await said(stage, "status")
    assert "`message`: is empty" in await said(stage, "admin maintenance", until="in 1 hour")


async def test_a_core_that_is_slow_to_tell_holds_nothing_up(stage: Stage) -> None:
    stage.world.hang.add(ask.GetUpkeep)
    result = await stage.alice.slash(stage.general, "help")
    await stage.env.advance_time(maintenance.BUDGET)
    assert "`/remind me`" in texts(result.response)
