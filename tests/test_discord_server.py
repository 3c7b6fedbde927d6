"""The simulated Discord keeps its promises towards the real discord.py."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import discord
import msgspec
import pytest
from discord import app_commands

from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.invocation import NotPossible
from tests.discord_server.limits import RateLimit
from tests.discord_server.permissions import Permission
from tests.discord_server.records import JournalEntry, JsonObject
from tests.discord_server.sample_bot import Bot, Buttons, point_at, running
from tests.discord_server.state import Settings

pytestmark = pytest.mark.slow

POST_MESSAGE = "POST /channels/*/messages"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        point_at(server.api_url, server.gateway_url, monkeypatch)
        yield server


@pytest.fixture
async def bot(server: DiscordServer) -> AsyncIterator[Bot]:
    async with running(Bot()) as bot:
        yield bot


def channel(bot: discord.Client, channel_id: int) -> discord.PartialMessageable:
    return bot.get_partial_messageable(channel_id)


# ── connecting ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_client_sees_the_seeded_guilds_and_its_rights_in_them(bot: Bot) -> None:
    assert {guild.id for guild in bot.guilds} == {world.GUILD, world.OTHER_GUILD}
    guild = bot.get_guild(world.GUILD)
    assert guild is not None
    rights = {place.name: place.permissions_for(guild.me).send_messages for place in guild.text_channels}
    assert rights == {"general": True, "news": True, "read-only": False, "hidden": False, "no-history": True}
    assert [thread.id for thread in guild.threads] == [world.THREAD]
    assert (await bot.fetch_guild(world.OTHER_GUILD)).preferred_locale is discord.Locale.german
    assert (await guild.fetch_member(world.MEMBER)).roles[1].id == world.CREW_ROLE


async def test_a_wrong_token_and_privileged_intents_are_refused(server: DiscordServer) -> None:
    with pytest.raises(discord.LoginFailure):
        async with running(Bot(), token="wrong"):
            pass
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with running(Bot(discord.Intents(guilds=True, members=True))):
            pass


async def test_a_sharded_client_takes_address_and_shards_from_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async with DiscordServer(Settings(shards=2)) as server:
        point_at(server.api_url, "ws://127.0.0.1:1/never", monkeypatch)
        client = discord.AutoShardedClient(intents=discord.Intents(guilds=True), guild_ready_timeout=0.05)
        monkeypatch.setattr(client, "before_identify_hook", lambda shard_id, initial=False: asyncio.sleep(0))
        task = asyncio.create_task(client.start(server.settings.token))
        try:
            log = await server.wait_gateway("identified", 2)
            assert sorted(entry.shard for entry in log) == [0, 1]
        finally:
            await client.close()
            await asyncio.gather(task, return_exceptions=True)


async def test_the_gateway_checks_the_token_and_gives_each_shard_its_guilds(server: DiscordServer) -> None:
    async with aiohttp.ClientSession() as session:
        for shard, guild_id in (
            ((world.GUILD >> 22) % 2, world.GUILD),
            ((world.OTHER_GUILD >> 22) % 2, world.OTHER_GUILD),
        ):
            async with session.ws_connect(server.gateway_url) as socket:
                await socket.receive_json()
                await socket.send_json(_identify(server.settings.token, shard))
                ready, created = await socket.receive_json(), await socket.receive_json()
                assert [guild["id"] for guild in ready["d"]["guilds"]] == [str(guild_id)]
                assert (created["t"], created["d"]["id"]) == ("GUILD_CREATE", str(guild_id))
        async with session.ws_connect(server.gateway_url) as socket:
            await socket.receive_json()
            await socket.send_json(_identify("wrong", 0))
            assert (await socket.receive()).data == 4004


def _identify(token: str, shard: int) -> JsonObject:
    return {"op": 2, "d": {"token": token, "intents": 1, "shard": [shard, 2]}}


async def test_after_a_cut_the_client_resumes_and_gets_what_it_missed(server: DiscordServer, bot: Bot) -> None:
    for resumed, code in enumerate((4000, None), start=1):
        await server.disconnect(code=code)
        await server.wait_gateway("resumed", resumed)
    server.delete_channel(world.NEWS)
    assert await asyncio.wait_for(bot.deleted.get(), 10) == world.NEWS
    assert len(await server.wait_gateway("identified")) == 1


async def test_events_during_the_cut_are_replayed(server: DiscordServer, bot: Bot) -> None:
    away = server.fault("GET /websocket", "hang")
    await server.disconnect(code=None)
    await server.wait_fault(away.id)
    server.delete_channel(world.NEWS)
    server.clear_faults()
    assert await asyncio.wait_for(bot.deleted.get(), 10) == world.NEWS


async def test_a_forgotten_session_is_identified_anew(server: DiscordServer, bot: Bot) -> None:
    await server.disconnect(forget=True)
    await server.wait_gateway("identified", 2)


# ── commands and interactions ────────────────────────────────────────────────────────────────────────────────


async def test_a_command_is_answered_by_a_deferred_ephemeral_edit(server: DiscordServer, bot: Bot) -> None:
    options = {"when": "in 10 seconds", "channel": world.GENERAL, "member": world.MODERATOR}
    answer = await server.invoke("remind me", options)
    assert (answer.content, answer.ephemeral) == ("in 10 seconds in general for milo", True)
    assert [entry.kind for entry in answer.answers] == ["callback", "edit"]
    assert server.history(world.GENERAL) == []


async def test_an_interaction_carries_rights_locales_and_context(server: DiscordServer, bot: Bot) -> None:
    await server.invoke("remind me", {"when": "x"}, channel_id=world.READ_ONLY, user_id=world.MODERATOR)
    await server.invoke("remind me", {"when": "x"}, channel_id=world.OTHER_GENERAL)
    await server.invoke(
        "remind me", {"when": "x"}, channel_id=server.direct_messages(world.CLOSED), user_id=world.CLOSED
    )
    first, second, third = bot.seen
    assert first.permissions.manage_messages
    assert (first.permissions.send_messages, first.app_permissions.send_messages) == (True, False)
    assert (first.context.guild, third.context.dm_channel) == (True, True)
    assert second.guild_locale is discord.Locale.german
    assert (third.guild_id, third.user.id) == (None, world.CLOSED)


async def test_autocompletion_offers_the_bots_choices(server: DiscordServer, bot: Bot) -> None:
    choices = await server.autocomplete("remind me", "when", "5")
    assert choices == [{"name": "5 minutes", "value": "in 5 minutes"}]


async def test_a_button_changes_its_message(server: DiscordServer, bot: Bot) -> None:
    message = await channel(bot, world.GENERAL).send("sent", view=Buttons())
    answer = await server.press(message.id, "undo:1")
    assert answer.content == "undone"
    assert [shown["content"] for shown in server.history(world.GENERAL)] == ["undone"]
    with pytest.raises(NotPossible, match="no component"):
        await server.press(message.id, "undo:1")


async def test_a_button_of_an_ephemeral_answer_can_be_pressed(server: DiscordServer, bot: Bot) -> None:
    card = await server.invoke("remind me", {"when": "x"})
    assert card.message is not None
    assert (await server.press(int(card.message["id"]), "undo:1")).content == "undone"


async def test_a_modal_is_opened_and_submitted(server: DiscordServer, bot: Bot) -> None:
    opened = await server.invoke("remind ask")
    assert opened.modal is not None
    assert (await server.submit_modal(opened.id, {"text": "tea"})).content == "modal: tea"
    with pytest.raises(NotPossible, match="must be filled in"):
        await server.submit_modal(opened.id, {})


async def test_what_discords_client_forbids_is_refused_with_words(server: DiscordServer, bot: Bot) -> None:
    for command, options, words in (
        ("remind me", {}, "needs the option when"),
        ("remind you", {}, "no subcommand 'you'"),
        ("forget", {}, "no command /forget"),
        ("remind me", {"when": 5}, "takes str, not 5"),
        ("remind me", {"when": "x", "channel": world.VOICE}, "takes channels of types"),
        ("remind me", {"when": "x", "channel": world.OTHER_GENERAL}, "cannot be picked here"),
    ):
        with pytest.raises(NotPossible, match=words):
            await server.invoke(command, options)


async def test_an_interaction_is_answered_once_and_in_time(server: DiscordServer, bot: Bot) -> None:
    await _unanswered(server, bot)
    first = bot.seen.pop()
    await first.response.send_message("once")
    first.response._response_type = None
    with pytest.raises(discord.HTTPException) as twice:
        await first.response.send_message("again")
    assert twice.value.code == 40060
    await _unanswered(server, bot)
    server.advance_clock(3.5)
    with pytest.raises(discord.NotFound) as late:
        await bot.seen.pop().response.defer()
    assert late.value.code == 10062


async def _unanswered(server: DiscordServer, bot: Bot) -> None:
    with pytest.raises(TimeoutError, match="remind silent"):
        await server.invoke("remind silent", timeout=0.1)
    assert bot.seen


async def test_commands_keep_their_ids_and_bad_ones_are_refused(server: DiscordServer, bot: Bot) -> None:
    before = server.commands()
    await bot.tree.sync()
    assert server.commands() == before
    for group in bot.tree.get_commands():
        assert isinstance(group, app_commands.Group)
        group.description = "x" * 101
    with pytest.raises(app_commands.CommandSyncFailure, match="between 1 and 100"):
        await bot.tree.sync()


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_nonce_makes_one_message_while_it_is_honoured(server: DiscordServer, bot: Bot) -> None:
    first = await channel(bot, world.GENERAL).send("tea", nonce="run-1")
    second = await channel(bot, world.GENERAL).send("tea", nonce="run-1")
    assert first.id == second.id
    server.advance_clock(server.settings.nonce_seconds + 1)
    third = await channel(bot, world.GENERAL).send("tea", nonce="run-1")
    assert [entry.duplicate for entry in server.messages(nonce="run-1")] == [False, True, False]
    assert [int(shown["id"]) for shown in server.history(world.GENERAL)] == [first.id, third.id]
    assert "nonce" not in server.history(world.GENERAL)[0]


@pytest.mark.parametrize(
    ("place", "content", "status", "code"),
    [
        (world.HIDDEN, "x", 403, 50001),
        (world.FOREIGN_GENERAL, "x", 403, 50001),
        (world.READ_ONLY, "x", 403, 50013),
        (1, "x", 404, 10003),
        (world.CATEGORY, "x", 400, 50008),
        (world.GENERAL, "x" * 2001, 400, 50035),
        (world.GENERAL, "", 400, 50006),
    ],
)
async def test_refusals_carry_discords_codes(bot: Bot, place: int, content: str, status: int, code: int) -> None:
    with pytest.raises(discord.HTTPException) as refused:
        await channel(bot, place).send(content)
    assert (refused.value.status, refused.value.code) == (status, code)


async def test_direct_messages_arrive_unless_the_user_is_closed(server: DiscordServer, bot: Bot) -> None:
    message = await (await bot.fetch_user(world.MEMBER)).send("hello")
    assert message.channel.id == server.direct_messages(world.MEMBER)
    with pytest.raises(discord.Forbidden) as refused:
        await (await bot.fetch_user(world.CLOSED)).send("hello")
    assert refused.value.code == 50007


async def test_history_comes_in_discords_order_and_only_to_those_who_may_read(server: DiscordServer, bot: Bot) -> None:
    place = channel(bot, world.GENERAL)
    sent = [await place.send(str(number)) for number in range(5)]
    server.say("noise")
    raw = await bot.http.logs_from(world.GENERAL, 2, after=sent[0].id)
    assert [message["content"] for message in raw] == ["2", "1"]
    assert [message.content async for message in place.history(limit=3)] == ["noise", "4", "3"]
    assert [message.content async for message in place.history(after=sent[2])] == ["3", "4", "noise"]
    await channel(bot, world.NO_HISTORY).send("x")
    assert [message async for message in channel(bot, world.NO_HISTORY).history()] == []


async def test_messages_are_edited_and_deleted(server: DiscordServer, bot: Bot) -> None:
    place = channel(bot, world.GENERAL)
    message = await place.send("one", embed=discord.Embed(title="kept"))
    await message.edit(content="two")
    assert (await place.fetch_message(message.id)).embeds[0].title == "kept"
    await message.delete()
    with pytest.raises(discord.NotFound) as gone:
        await place.fetch_message(message.id)
    assert gone.value.code == 10008
    with pytest.raises(discord.Forbidden) as foreign:
        await place.get_partial_message(server.say("mine")).edit(content="x")
    assert foreign.value.code == 50005


async def test_an_attachment_comes_back_byte_for_byte(bot: Bot, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"tea\x00")
    message = await channel(bot, world.GENERAL).send("file", file=discord.File(tmp_path / "list.txt"))
    assert (message.content, message.attachments[0].filename) == ("file", "list.txt")
    assert await message.attachments[0].read() == b"tea\x00"


async def test_only_allowed_mentions_ping(server: DiscordServer, bot: Bot) -> None:
    text = f"@everyone <@{world.MEMBER}> <@&{world.CREW_ROLE}> <@&{world.MODERATOR_ROLE}>"
    await channel(bot, world.GENERAL).send(text)
    await channel(bot, world.GENERAL).send(text, allowed_mentions=discord.AllowedMentions.none())
    free, muted = server.history(world.GENERAL)
    assert (free["mention_everyone"], free["mention_roles"]) == (False, [str(world.CREW_ROLE)])
    assert [user["id"] for user in free["mentions"]] == [str(world.MEMBER)]
    assert (muted["mentions"], muted["mention_roles"]) == ([], [])


async def test_changed_rights_hold_at_once_and_reach_the_client(server: DiscordServer, bot: Bot) -> None:
    server.set_overwrite(world.GENERAL, world.BOT_ROLE, deny=int(Permission.SEND_MESSAGES))
    with pytest.raises(discord.Forbidden):
        await channel(bot, world.GENERAL).send("x")
    guild = bot.get_guild(world.GUILD)
    assert guild is not None
    place = guild.get_channel(world.GENERAL)
    assert place is not None
    assert not place.permissions_for(guild.me).send_messages


# ── trouble on demand ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_whose_answer_hangs_is_stored_and_one_before_is_not(server: DiscordServer, bot: Bot) -> None:
    for when, stored in (("before", 0), ("after", 1)):
        fault = server.fault(POST_MESSAGE, "hang", when="after" if when == "after" else "before")
        sending = asyncio.create_task(channel(bot, world.GENERAL).send(when))
        await server.wait_fault(fault.id)
        assert len(server.messages(contains=when)) == stored
        sending.cancel()
        finished = await server.wait_requests(POST_MESSAGE, 1 + stored)
        assert (finished[-1].outcome, finished[-1].status) == ("gone", None)
        assert len(server.messages(contains=when)) == stored


async def test_a_cut_connection_and_a_wrong_status_reach_the_bot(server: DiscordServer, bot: Bot) -> None:
    server.fault(POST_MESSAGE, "drop", when="after")
    with pytest.raises(aiohttp.ClientError):
        await channel(bot, world.GENERAL).send("cut")
    server.fault(POST_MESSAGE, "status", status=503)
    with pytest.raises(discord.DiscordServerError):
        await channel(bot, world.GENERAL).send("away")
    assert [entry.content for entry in server.messages()] == ["cut"]
    await channel(bot, world.GENERAL).send("back")


async def test_a_rate_limit_is_waited_out_by_the_library(server: DiscordServer, bot: Bot) -> None:
    server.fault(POST_MESSAGE, "rate_limit", retry_after=0.05)
    await channel(bot, world.GENERAL).send("late")
    server.set_rate_limits([RateLimit(route=POST_MESSAGE, limit=1, seconds=0.1)])
    for number in range(3):
        await channel(bot, world.GENERAL).send(str(number))
    assert [entry.status for entry in server.requests(POST_MESSAGE)] == [429, 200, 200, 200, 200]


async def test_the_control_endpoints_answer_a_long_poll(server: DiscordServer) -> None:
    wanted = {"count": "2", "channel_id": str(world.GENERAL), "contains": "tea", "timeout": "10"}
    async with aiohttp.ClientSession(server.url) as session:
        waiting = asyncio.create_task(session.get("/_control/wait_messages", params=wanted))
        for content in ("tea 1", "coffee", "tea 2"):
            await session.post("/_control/say", json={"content": content})
        entries = msgspec.json.decode(await (await waiting).read(), type=list[JournalEntry])
    assert [entry.content for entry in entries] == ["tea 1", "tea 2"]
