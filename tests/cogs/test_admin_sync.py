"""/admin sync: what Discord knows of our commands is shown, and it is told them on demand; by operators alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.client import ScheduleZeroBot
from bot.tree import Tree
from tests.cogs import stage as stages
from tests.cogs.stage import Stage, Staged, said, texts
from tests.engine.conftest import Build

ALIKE = "Discord knows them as they are."


@pytest.fixture
async def stage(build: Build, staged: Staged) -> Stage:
    """A bot run by Alice, that told Discord its commands when it started."""
    house = await build(run=False)
    return await stages.run_by_alice(await staged(house), house.client)


def tree_of(stage: Stage) -> Tree:
    """The commands of the bot that runs now."""
    return cast("ScheduleZeroBot", stage.env.bot).tree


async def test_after_a_start_discord_knows_all_commands_as_they_are(stage: Stage) -> None:
    shown = await said(stage, "admin sync diff")
    assert f"**In all servers**\n{ALIKE}" in shown
    assert f"**In the operators' server alone**\n{ALIKE}" in shown


async def test_what_is_different_is_named_and_gone_once_discord_was_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = tree_of(stage).get_command("quota")
    assert isinstance(quota, discord.app_commands.Group)
    monkeypatch.setattr(quota.get_command("show"), "description", "Something else")
    tree_of(stage).remove_command("timezone")
    shown = await said(stage, "admin sync diff", scope="everywhere")
    assert "− `/timezone`\n− `/timezone clear`" in shown
    assert "≠ `/quota show`" in shown
    assert "≠ `/quota`\n" not in shown, "the group itself is as it was"
    assert "operators" not in shown
    told = await said(stage, "admin sync apply", scope="everywhere")
    assert "≠ `/quota show`" in told
    assert ALIKE in await said(stage, "admin sync diff", scope="everywhere")
    tree_of(stage).remove_command("quota")
    tree_of(stage).add_command(quota)
    assert ALIKE in await said(stage, "admin sync diff", scope="operators")
    assert "told once more" in await said(stage, "admin sync apply", scope="operators")


async def test_a_command_that_discord_does_not_know_yet_is_named(stage: Stage) -> None:
    @discord.app_commands.command(name="tea", description="Tea")
    async def tea(_: discord.Interaction[Any]) -> None: ...

    tree_of(stage).add_command(tea)
    assert "+ `/tea`" in await said(stage, "admin sync diff")
    await said(stage, "admin sync apply", scope="operators")
    assert "+ `/tea`" in await said(stage, "admin sync diff"), "that is another scope"


@pytest.mark.parametrize("command", ["admin sync diff", "admin sync apply"])
async def test_an_administrator_who_is_no_operator_tells_discord_nothing(stage: Stage, command: str) -> None:
    options = {"scope": "everywhere"}
    refused = await stage.bob.slash(stage.general, command, **options)
    assert "This is for those who run the service" in texts(refused.response)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (discord.RateLimited(90.2), "Discord takes no commands for another 91 s"),
        (
            discord.Forbidden(SimpleNamespace(status=403, reason="Forbidden"), "Missing *Access*"),  # type: ignore[arg-type]
            r"Discord refused the commands, so the old ones stay: 403 Forbidden (error code: 0): Missing \*Access\*",
        ),
    ],
)
async def test_what_discord_refuses_is_said_in_a_sentence(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, trouble: Exception, words: str
) -> None:
    async def refuse(_: Tree, **_options: Any) -> None:
        raise trouble

    monkeypatch.setattr(Tree, "sync", refuse)
    assert words in await said(stage, "admin sync apply", scope="operators")
