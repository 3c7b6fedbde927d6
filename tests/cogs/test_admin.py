"""What operators see of /admin, and that nobody else sees anything."""

from __future__ import annotations

import discord
import msgspec
import pytest
import simcord
import simcord.backend.errors

from schedule_zero import requests as ask
from schedule_zero.actor import OPERATOR
from schedule_zero.errors import Unavailable
from tests.bot import fake_core
from tests.cogs import stage as stages
from tests.cogs.stage import Stage, texts


@pytest.fixture
async def run_by_alice(stage: Stage) -> Stage:
    """Alice runs the service, in the stage's guild."""
    return await stages.run_by_alice(stage, stage.bot.core)


def _said(result: simcord.InteractionResult) -> str:
    assert result.response is not None
    assert result.ephemeral
    return texts(result.response)


async def test_health_shows_parts_and_handlers_in_trouble(run_by_alice: Stage) -> None:
    shown = _said(await run_by_alice.alice.slash(run_by_alice.general, "admin health"))
    assert "The core **accepts and fires** (version 0.1.0)" in shown
    assert "⚠️ store: slow" in shown
    assert (
        "⚠️ **reports**: 1 there, 3 of 256 in flight, 90.0% of 10 succeeded, p95 1.2 s, reports@a1: its beats stopped, "
        "1 draining" in shown
    )
    assert run_by_alice.world.last_actor(ask.ListHandlers) == OPERATOR


async def test_lag_shows_how_late_ticks_and_dispatch_are(run_by_alice: Stage) -> None:
    shown = _said(await run_by_alice.alice.slash(run_by_alice.general, "admin lag"))
    assert "**Ticks**: 2 s late, 7 schedules due; the last one not yet." in shown
    assert "**Dispatch**: 500 ms late, 12 runs ready for their turn, 40 waiting in all." in shown
    assert "5 attempts; 1 outcomes on their way into the store" in shown


async def test_queue_shows_what_runs_wait_for_and_the_heaviest_servers(run_by_alice: Stage) -> None:
    shown = _said(await run_by_alice.alice.slash(run_by_alice.general, "admin queue"))
    assert "40 runs wait, of 2 servers; 5 are under way." in shown
    assert "- **30** runs: Guild 7 has 2 of 2 runs going at once; the next can start <t:" in shown
    assert "**7**: 30 waiting (running 30), 2 under way" in shown
    assert "**of no server**: 10 waiting, 3 under way" in shown


async def test_runs_of_no_server_are_not_counted_as_one(run_by_alice: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_core, "QUEUE", msgspec.structs.replace(fake_core.QUEUE, guild_count=0))
    shown = _said(await run_by_alice.alice.slash(run_by_alice.general, "admin queue"))
    assert "40 runs wait, of no server; 5 are under way." in shown


@pytest.mark.parametrize("command", ["admin health", "admin lag", "admin queue", "admin governor show"])
async def test_an_administrator_of_that_server_who_is_no_operator_is_told_nothing(
    run_by_alice: Stage, command: str
) -> None:
    said = _said(await run_by_alice.bob.slash(run_by_alice.general, command))
    assert said == "This is for those who run the service, in their own server."
    assert run_by_alice.world.of(ask.GetStatus) == run_by_alice.world.of(ask.GetLag) == []


async def test_in_other_servers_there_is_no_such_command(run_by_alice: Stage) -> None:
    elsewhere = run_by_alice.env.create_guild("Elsewhere")
    channel = elsewhere.create_text_channel("general")
    admins = elsewhere.create_role("admins", permissions=discord.Permissions(administrator=True))
    there = elsewhere.add_member(run_by_alice.alice.user, roles=[admins])
    with pytest.raises(simcord.backend.errors.SetupError, match="admin"):
        await there.slash(channel, "admin health")


async def test_a_core_that_is_away_is_said_in_a_sentence(run_by_alice: Stage) -> None:
    run_by_alice.world.refuse[ask.GetLag] = Unavailable("the core does not answer")
    assert "The core does not answer" in _said(await run_by_alice.alice.slash(run_by_alice.general, "admin lag"))
