"""The bot stays connected, comes through a Discord that is away, and never takes the core down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import discord
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot import client
from bot.endpoint import WrongBase
from bot.front import OUTBOX
from bot.main import run_discord
from bot.outbox import OutboxError
from bot.tree import CogsFailed, load
from tests.bot.stage import BotSettings, Host, connected
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.state import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def _no_library_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """discord.py sleeps five seconds after a failed connect and before it identifies anew."""
    real = asyncio.sleep

    async def sleep(seconds: float, result: None = None) -> None:
        await real(0.01 if seconds == 5.0 else seconds, result)

    monkeypatch.setattr("discord.shard.asyncio.sleep", sleep)


async def test_guilds_are_told_to_the_core_when_the_bot_comes_and_goes(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        assert host.client.world.guilds[str(world.GUILD)][1]
        assert host.client.world.guilds[str(world.OTHER_GUILD)] == ("Werkstatt", True)
        assert str(world.FOREIGN_GUILD) not in host.client.world.guilds


async def test_only_the_guilds_intent_is_asked_for(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        bot = host.handler._link.bot
        assert bot is not None
        assert bot.intents.value == 1
        assert bot.allowed_mentions is not None
        assert bot.allowed_mentions.to_dict()["parse"] == []


async def test_what_a_voice_channel_would_need_is_not_warned_of(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for warning in ("warn_nacl", "warn_dave"):
        monkeypatch.setattr(discord.VoiceClient, warning, True)
    async with connected(server, None):
        assert "voice will NOT be supported" not in caplog.text


async def test_a_wrong_token_is_one_sentence_and_the_core_goes_on(server: DiscordServer) -> None:
    host = Host()
    await run_discord(host, BotSettings(server.api_url), "wrong", data_dir=None)
    assert host.reports[-1] == (
        False,
        "Discord refused the token; set DISCORD_TOKEN to the bot's token and start again",
    )
    assert not host.takes_work()


async def test_a_token_that_is_taken_away_later_is_one_sentence_too(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host()
    running = asyncio.create_task(run_discord(host, BotSettings(server.api_url), server.settings.token, data_dir=None))
    await host.wait_report("connected as")
    await server.disconnect(code=4004)
    await asyncio.wait_for(running, 10)
    assert host.reports[-1] == (
        False,
        "Discord no longer accepts the token; set DISCORD_TOKEN anew and start again",
    )


async def test_a_start_while_discord_is_away_keeps_trying(server: DiscordServer) -> None:
    gone = server.fault("*", "drop", count=None)
    async with connected(server, None, wait=False) as host:
        await server.wait_fault(gone.id, 3)
        assert host.reports[-1][0] is False
        assert not host.takes_work()
        server.clear_faults()
        await host.wait_report("connected as")
        assert host.takes_work()
    assert any("Discord cannot be reached" in detail for _, detail in host.reports)


async def test_a_server_error_at_login_is_tried_again(server: DiscordServer) -> None:
    server.fault("*", "status", status=503, count=2)
    async with connected(server, None) as host:
        assert ("Discord cannot be reached", False) in [(detail[:25], ok) for ok, detail in host.reports]


@pytest.mark.usefixtures("_no_library_pauses")
async def test_a_first_gateway_connect_that_fails_is_tried_again_by_a_fresh_client(server: DiscordServer) -> None:
    # discord.py would call itself one frame deeper at every failure, until the stack is used up.
    refused = server.fault("GET /websocket", "drop", count=None)
    async with connected(server, None, wait=False) as host:
        await server.wait_fault(refused.id, 3)
        server.clear_faults()
        await host.wait_report("connected as")
    assert any("the gateway did not take shard 0" in detail for _, detail in host.reports)
    assert len(server.requests("GET /users/@me")) >= 2


async def test_a_rate_limited_command_sync_does_not_keep_the_bot_away(server: DiscordServer) -> None:
    server.fault("PUT /applications/*/commands", "rate_limit", retry_after=7_200.0, count=None)
    async with connected(server, None) as host:
        await host.send(channel_id=str(world.GENERAL), content="tea")
        later = {task for task in asyncio.all_tasks() if task.get_name() == "command sync"}
        assert len(later) == 1
    assert len(server.messages()) == 1
    await asyncio.wait(later, timeout=5)
    assert all(task.cancelled() for task in later), "a bot that is closed tells no commands any more"


async def test_a_lost_gateway_is_reported_and_resumed_and_sending_goes_on(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        away = server.fault("GET /websocket", "hang")
        await server.disconnect(code=None)
        await server.wait_fault(away.id)
        assert host.reports[-1] == (False, "the gateway connection was lost; reconnecting")
        await host.send(channel_id=str(world.GENERAL), content="tea")
        host.reports.clear()
        server.clear_faults()
        await host.wait_report("connected as")


@pytest.mark.usefixtures("_no_library_pauses")
async def test_after_an_invalid_session_the_gateway_of_the_named_server_is_used(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        host.reports.clear()
        await server.disconnect(forget=True)
        await server.wait_gateway("identified", 2, timeout=20)
        await host.wait_report("connected as")


async def test_shards_come_from_the_server_unless_they_are_set() -> None:
    async with DiscordServer(Settings(shards=1)) as server, connected(server, None, shards=1) as host:
        bot = host.handler._link.bot
        assert bot is not None
        assert bot.shard_count == 1
        assert len(server.requests("GET /gateway/bot")) == 1


async def test_the_library_is_left_as_it_was_found(server: DiscordServer) -> None:
    rest, gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    async with connected(server, None):
        assert server.api_url == Route.BASE
        assert yarl.URL(server.gateway_url).port == DiscordWebSocket.DEFAULT_GATEWAY.port
    assert (rest, gateway) == (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY)


async def test_an_address_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(WrongBase, match=r"'ftp://example\.org'; it needs the form http://host:port/api/v10"):
        await run_discord(Host(), BotSettings("ftp://example.org"), "token", data_dir=None)


async def test_without_a_usable_outbox_the_bot_does_not_start(server: DiscordServer, tmp_path: Path) -> None:
    (tmp_path / OUTBOX).mkdir()
    with pytest.raises(OutboxError, match=r"the outbox .* cannot be used"):
        await run_discord(Host(), BotSettings(server.api_url), server.settings.token, data_dir=tmp_path)
    assert server.requests() == []


async def test_commands_that_cannot_be_loaded_are_one_sentence_and_the_core_goes_on(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tree: object, **_: object) -> None:
        raise CogsFailed("the commands of cogs.remind could not be loaded: SyntaxError: x")

    monkeypatch.setattr(client, "load", broken)
    host = Host()
    await run_discord(host, BotSettings(server.api_url), server.settings.token, data_dir=None)
    assert host.reports[-1] == (False, "the commands of cogs.remind could not be loaded: SyntaxError: x")


async def test_a_defect_is_logged_and_the_bot_begins_again(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, times = load, []

    def defective(tree: object, **_: object) -> None:
        times.append(1)
        if len(times) == 1:
            raise ZeroDivisionError("a defect")
        real(tree)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "load", defective)
    async with connected(server, None) as host:
        assert any("a defect" in detail for _, detail in host.reports)
    assert any("the bot failed" in record.message for record in caplog.records)


async def test_a_command_goes_through_the_whole_bot(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        answer = await server.invoke("remind me", {"when": "in 10 seconds", "text": "tea"})
        assert answer.ephemeral
        assert [entry.kind for entry in answer.answers] == ["callback", "edit"]
        assert len(host.client.world.schedules) == 1
