"""/settings verify: the code from the dashboard, entered by who manages the server."""

from __future__ import annotations

import pytest

from core.governor.settings import GovernorSettings
from schedule_zero.actor import MANAGE_GUILD, Actor
from tests.cogs.stage import Stage, Staged, said, texts
from tests.engine.conftest import Build
from tests.engine.house import House


@pytest.fixture
async def unverified(build: Build, staged: Staged) -> tuple[House, Stage]:
    house = await build(governor=GovernorSettings(), run=False)
    return house, await staged(house)


async def code_for(house: House, stage: Stage) -> str:
    """What the dashboard shows to somebody who signed in."""
    owner = Actor(kind="member", id="owner", guild_id=stage.guild_id, permissions=MANAGE_GUILD)
    code = (await house.client.acting_as(owner).new_verification(stage.guild_id)).code
    assert code is not None
    return code


async def test_the_code_verifies_the_server_in_the_name_of_who_entered_it(unverified: tuple[House, Stage]) -> None:
    house, stage = unverified
    code = await code_for(house, stage)
    shown = await said(stage, "settings verify", code=f"{code[:4]}-{code[4:].lower()}")
    assert "This server is verified; its plan is **verified**." in shown
    mark = (await house.client.get_guild(stage.guild_id)).verified
    assert mark is not None
    assert mark.by == f"member:{stage.alice.id}"


async def test_a_wrong_code_is_refused_with_what_to_do(unverified: tuple[House, Stage]) -> None:
    house, stage = unverified
    await code_for(house, stage)
    assert await said(stage, "settings verify", code="WRONG") == (
        "`code`: is not the code of this server, or too old; sign in at the dashboard for a new one"
    )


async def test_who_does_not_manage_the_server_verifies_nothing(unverified: tuple[House, Stage]) -> None:
    house, stage = unverified
    code = await code_for(house, stage)
    group = next(each for each in await stage.bot.tree.fetch_commands() if each.name == "settings")
    stage.guild.set_command_permissions(group, {stage.bob: True})  # the core judges by his rights all the same
    refused = await stage.bob.slash(stage.general, "settings verify", code=code)
    assert "takes the permission Manage Server" in texts(refused.response)
    assert (await house.client.get_guild(stage.guild_id)).verified is None
