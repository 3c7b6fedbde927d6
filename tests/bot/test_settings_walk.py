"""``/settings`` and what comes of it, with nothing replaced but Discord: command tree, core, handler, message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schedule_zero.event import EventKind
from tests.bot.test_end_to_end import Watched, _press, _up, _words
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.records import Interaction

pytestmark = pytest.mark.slow


async def _as(server: DiscordServer, user_id: int, command: str, **options: Any) -> Interaction:
    """A command as somebody whom the server's admins let use it, under Integrations."""
    return await server.invoke(command, options, user_id=user_id, override=True)


async def test_a_crew_is_let_in_scheduled_for_and_shut_out_again(server: DiscordServer, tmp_path: Path) -> None:
    async with _up(server, tmp_path) as app:
        message = {"when": "in 1 second", "channel": world.NEWS, "text": "tea"}
        refused = await _as(server, world.MEMBER, "schedule message", **message)
        assert "Scheduling messages takes the permission Manage Messages." in _words(refused)
        given = await _as(server, world.OPERATOR, "settings roles", member=world.CREW_ROLE)
        assert f"**May schedule**: <@&{world.CREW_ROLE}>" in _words(given)
        assert "Scheduled" in _words(await _as(server, world.MEMBER, "schedule message", **message))
        await server.wait_messages(1, channel_id=world.NEWS, contains="tea")

        later = await _as(server, world.MEMBER, "schedule message", when="every day at 9", name="daily",
                          channel=world.NEWS, text="cake")  # fmt: skip
        assert "Scheduled: daily" in _words(later)
        assert given.message is not None
        undone = await _press(server, given.message, "Undo", user_id=world.OPERATOR)
        assert "Roles: taken back" in _words(undone)
        (made,) = (await app.client.list_schedules(guild_id=str(world.GUILD), state="active")).items
        run = await app.client.run_schedule(made.id)
        await app.wait_event(EventKind.RUN_FAILED)
        failed = await app.client.get_run(run.id)
        assert failed.reason == "no_rights"
        assert "its author lacks Manage Messages" in (failed.error or "")
    assert len(server.messages(world.NEWS)) == 1


async def test_a_closed_channel_is_refused_at_once_and_when_it_was_closed_later_at_the_sending(
    server: DiscordServer, tmp_path: Path
) -> None:
    async with _up(server, tmp_path) as app:
        message = {"when": "every day at 9", "channel": world.GENERAL, "text": "tea"}
        assert "Scheduled" in _words(await _as(server, world.MODERATOR, "schedule message", **message))
        closed = await _as(server, world.OPERATOR, "settings channels", deny=world.GENERAL)
        assert f"**Never in**: <#{world.GENERAL}>" in _words(closed)
        for channel in (world.GENERAL, world.THREAD):
            refused = await _as(server, world.MODERATOR, "schedule message", **message | {"channel": channel})
            assert "this server's settings let no schedule post in" in _words(refused)
        reminded = await _as(server, world.MEMBER, "remind me", when="tomorrow", text="tea")
        assert "**Where**: direct message" in _words(reminded)
        here = await _as(server, world.MEMBER, "remind me", when="tomorrow", text="tea", deliver="here")
        assert "`deliver: here` is not possible: this server's settings" in _words(here)
        (made,) = (
            await app.client.list_schedules(guild_id=str(world.GUILD), handler="discord", q="tea", limit=1)
        ).items
        await app.client.run_schedule(made.id)
        await app.wait_event(EventKind.RUN_FAILED)
    assert server.messages() == []


async def test_members_change_no_settings_and_one_mistake_is_one_sentence(server: DiscordServer, app: Watched) -> None:
    refused = _words(await _as(server, world.MODERATOR, "settings mentions", max=3))
    assert refused == "Changing the server's settings takes the permission Manage Server."
    both = _words(await _as(server, world.OPERATOR, "settings channels", deny=world.NEWS, allow=world.NEWS))
    assert both == f"`deny`: <#{world.NEWS}> stands in allow as well; leave it out of one of them"
    everybody = _words(await _as(server, world.OPERATOR, "settings roles", manager=world.GUILD))
    assert everybody == "`manager`: everybody cannot manage here; choose a role that some people have"


@pytest.fixture
async def app(server: DiscordServer, tmp_path: Path) -> Any:
    async with _up(server, tmp_path) as app:
        yield app
