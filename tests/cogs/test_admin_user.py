"""/admin user: a banned person is told so at every command, nothing of theirs comes, and a press lets them in again."""

from __future__ import annotations

import pytest

from tests.cogs import stage as stages
from tests.cogs.stage import Stage, Staged, said, texts
from tests.engine.conftest import Build
from tests.engine.house import House
from tests.service.people import Post

REFUSED = "You may not use this service any more (spam); who runs it can tell you more."


@pytest.fixture
async def run(build: Build, staged: Staged) -> tuple[House, Stage]:
    """A core run by Alice."""
    house = await build()
    house.engine.serve(Post())
    return house, await stages.run_by_alice(await staged(house), house.client)


async def test_a_banned_person_is_told_so_at_every_command_until_a_press_lets_them_in(run: tuple[House, Stage]) -> None:
    _, stage = run
    result = await stage.alice.slash(stage.general, "admin user ban", user=stage.bob, why="spam")
    assert f"<@{stage.bob.id}> is refused everywhere" in texts(result.response)
    for command, options in (("remind me", {"when": "in 2 hours", "text": "tea"}), ("status", {}), ("quota show", {})):
        refused = await stage.bob.slash(stage.general, command, **options)
        assert texts(refused.response) == REFUSED
    assert await stage.bob.autocomplete(stage.general, "remind me", "when", "in 2") == []
    assert f"- <@{stage.bob.id}> `{stage.bob.id}`" in await said(stage, "admin user list")
    assert result.response is not None
    await stage.alice.click(result.response, label="Unban")
    assert "What was cancelled is not made up for." in texts(result.response)
    again = await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    assert "Reminder set" in texts(again.response)
    assert "Nobody." in await said(stage, "admin user list")


async def test_the_reason_of_a_ban_is_text_wherever_discord_shows_it(run: tuple[House, Stage]) -> None:
    _, stage = run
    reason, shown = "**loud** `spam` [here](https://a.b)", r"\*\*loud\*\* \`spam\` \[here](https://a.b)"
    result = await stage.alice.slash(stage.general, "admin user ban", user=stage.bob, why=reason)
    refused = await stage.bob.slash(stage.general, "status")
    for card in (texts(result.response), texts(refused.response), await said(stage, "admin user list")):
        assert shown in card


async def test_the_buttons_of_a_banned_person_are_refused_too(run: tuple[House, Stage]) -> None:
    _, stage = run
    made = await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    await stage.alice.slash(stage.general, "admin user ban", user=stage.bob, why="spam")
    assert made.response is not None
    pressed = await stage.bob.click(made.response, label="Delete")
    assert texts(pressed.followups[-1]) == REFUSED


async def test_who_is_not_banned_is_not_let_in_and_an_administrator_bans_nobody(run: tuple[House, Stage]) -> None:
    house, stage = run
    assert "is not banned" in await said(stage, "admin user unban", user=stage.bob)
    refused = await stage.bob.slash(stage.general, "admin user ban", user=stage.alice)
    assert "This is for those who run the service" in texts(refused.response)
    assert (await house.client.list_bans()).items == ()
