"""What is judged when a schedule fires: place, rights, text, lateness; and what Discord's refusals become."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.discord_handler import DiscordHandler
from bot.link import Link, ask_rest
from bot.outbox import Outbox
from bot.sender import Sender
from core.app import App
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from schedule_zero.errors import Invalid, Reject, RetryAfter
from schedule_zero.handler import methods_of
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger
from tests.bot.stage import POST_MESSAGE, connected, make_context
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.permissions import Permission

pytestmark = pytest.mark.slow

GENERAL = str(world.GENERAL)
REMINDER = {"kind": "reminder", "made": "1700000000", "origin": GENERAL}


@pytest.mark.parametrize(
    ("channel", "guild", "words"),
    [
        (world.READ_ONLY, world.GUILD, "the bot lacks Send Messages in #read-only"),
        (world.HIDDEN, world.GUILD, "the bot lacks View Channel and Send Messages in #hidden"),
        (world.OTHER_GENERAL, world.GUILD, "the channel belongs to another server"),
        (world.FOREIGN_GENERAL, world.GUILD, r"the bot may not see the channel \(it needs View Channel\)"),
        (999, world.GUILD, "the channel no longer exists"),
        (world.CATEGORY, world.GUILD, "messages cannot be posted in a channel of the kind category"),
        (world.FORUM, world.GUILD, "messages cannot be posted in a channel of the kind forum"),
        (world.GENERAL, None, "a schedule made in a direct message cannot post in a server's channel"),
        (world.GENERAL, "tea-house", "'tea-house' is no server of Discord's"),
    ],
)
async def test_a_place_that_is_wrong_for_good_is_rejected_with_words(
    server: DiscordServer, channel: int, guild: int | str | None, words: str
) -> None:
    async with connected(server, None) as host:
        context = make_context(guild_id=None if guild is None else str(guild))
        with pytest.raises(Reject, match=words):
            await host.send(context=context, channel_id=str(channel), content="tea")
    assert server.messages() == []
    assert server.requests(POST_MESSAGE) == []


async def test_rights_are_checked_before_a_request_is_spent(server: DiscordServer) -> None:
    # Complaint 24: invalid requests get the bot's address banned.
    async with connected(server, None) as host:
        bot = host.handler._link.bot
        assert bot is not None
        changed = asyncio.create_task(bot.wait_for("guild_channel_update", timeout=10))
        await asyncio.sleep(0)
        server.set_overwrite(world.GENERAL, world.BOT_ROLE, deny=int(Permission.SEND_MESSAGES))
        await changed
        with pytest.raises(Reject, match="the bot lacks Send Messages in #general"):
            await host.send(channel_id=GENERAL, content="tea")
    assert server.requests(POST_MESSAGE) == []


async def test_a_channel_that_is_not_cached_is_fetched_before_it_is_judged(server: DiscordServer) -> None:
    # Complaint 2: items deleted because a channel was not in the cache.
    async with connected(server, None) as host:
        bot = host.handler._link.bot
        assert bot is not None
        guild = bot.get_guild(world.GUILD)
        assert guild is not None
        guild._remove_channel(guild.get_channel(world.GENERAL))  # type: ignore[arg-type]
        guild._remove_thread(discord.Object(world.THREAD))
        await host.send(channel_id=GENERAL, content="tea")
        await host.send(channel_id=str(world.THREAD), content="tea")
    assert len(server.messages()) == 2


async def test_the_operators_own_schedule_may_post_wherever_the_bot_may(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        context = make_context(guild_id=None, owner_id="operator")
        await host.send(context=context, channel_id=str(world.OTHER_GENERAL), content="maintenance at 9")
    assert len(server.messages(world.OTHER_GENERAL)) == 1


async def test_voice_news_and_threads_take_messages(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        for channel in (world.VOICE, world.NEWS, world.THREAD):
            await host.send(channel_id=str(channel), content="tea")
    assert len(server.messages()) == 3


async def test_an_archived_thread_is_opened_by_sending_and_a_locked_one_is_left_alone(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        bot = host.handler._link.bot
        assert bot is not None
        thread = bot.get_channel(world.THREAD)
        assert isinstance(thread, discord.Thread)
        thread.archived = True
        await host.send(channel_id=str(world.THREAD), content="tea")
        thread.locked = True
        with pytest.raises(Reject, match="the thread a thread is locked"):
            await host.send(context=make_context("run_2"), channel_id=str(world.THREAD), content="tea")
    assert len(server.messages()) == 1


WRONG: list[dict[str, Any]] = [
    {"channel_id": "general"},
    {"channel_id": "9" * 5_000},
    {"channel_id": "١٢٣"},
    {"channel_id": 123},
    {"content": ""},
    {"content": " \n"},
    {"content": "x" * 2_001},
    {"mentions": ["Bob"]},
    {"mentions": ["<@12>"]},
    {"mentions": ["@everyone and more"]},
    {"mentions": ["@here"] * 21},
]


@pytest.mark.parametrize("wrong", WRONG, ids=[str(wrong)[:40] for wrong in WRONG])
async def test_arguments_that_no_message_can_have_are_refused_before_a_schedule_is_saved(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    app = App(store=StoreSettings(url="memory"), data_dir=tmp_path, governor=GovernorSettings())
    app.serve(DiscordHandler(Link(), Sender(Link(), Outbox(None))))
    right = {"channel_id": GENERAL, "content": "x" * 2_000, "mentions": [f"<@{world.MEMBER}>", "@here"] * 10}

    def spec(args: dict[str, Any]) -> ScheduleSpec:
        return ScheduleSpec(handler="discord", method="send_message", args=args, trigger=TextTrigger("every day at 9"))

    async with app.running():
        await app.client.create_schedule(spec(right))
        with pytest.raises(Invalid) as refused:
            await app.client.create_schedule(spec(right | wrong))
    (field,) = wrong
    assert all(error.field.startswith(f"args.{field}") for error in refused.value.errors)


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ({"action": "rate_limit", "retry_after": 45.0}, 45.0),
        ({"action": "status", "status": 503}, 5.0),
        ({"action": "drop"}, 5.0),
    ],
)
async def test_what_passes_is_tried_again_and_uses_up_no_attempt(
    server: DiscordServer, fault: dict[str, Any], seconds: float
) -> None:
    async with connected(server, None) as host:
        server.fault(POST_MESSAGE, **fault)
        with pytest.raises(RetryAfter) as asked:
            await host.send(channel_id=GENERAL, content="tea")
        assert asked.value.seconds == seconds


async def test_while_discord_is_away_the_handler_says_so_and_comes_back_by_itself(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        assert host.takes_work()
        server.fault("*", "drop", count=None)
        with pytest.raises(RetryAfter, match="Discord cannot be reached"):
            await host.send(channel_id=GENERAL, content="tea")
        assert not host.takes_work()
        server.clear_faults()
        await host.wait_up()
        await host.send(channel_id=GENERAL, content="tea")
    assert len(server.messages()) == 1


@pytest.mark.parametrize("cached", [True, False], ids=["when it is posted", "when its channel is fetched"])
async def test_a_session_closed_under_a_message_is_discord_away(server: DiscordServer, cached: bool) -> None:
    # aiohttp raises a bare RuntimeError; taken for a defect it would use up attempts.
    async with connected(server, None) as host:
        bot = host.handler._link.bot
        assert bot is not None
        await bot.http._HTTPClient__session.close()  # type: ignore[attr-defined]
        context = make_context(owner_id="operator")
        with pytest.raises(RetryAfter, match="Discord cannot be reached"):
            await host.send(context=context, channel_id=GENERAL if cached else "999", content="tea")
        assert not host.takes_work()
        assert not await ask_rest(bot)
    assert server.messages() == []


async def test_more_than_a_minute_late_says_when_it_was_due(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        await host.send(context=make_context(late_by=60_000_000), channel_id=GENERAL, content="on time")
        await host.send(context=make_context("run_2", late_by=60_000_001), channel_id=GENERAL, content="late")
    shown = [message["content"] for message in server.history(world.GENERAL)]
    assert shown == ["on time", "late\n-# Was due <t:1700000000:F> (<t:1700000000:R>)"]


# ── direct messages ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reminder_by_direct_message_says_why_and_has_buttons(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        context = make_context(owner_id=str(world.MEMBER), metadata=REMINDER)
        await host.send("send_dm", context=context, user_id=str(world.MEMBER), content="tea")
    (message,) = server.history(server.direct_messages(world.MEMBER))
    assert message["content"] == f"tea\n-# Set by you <t:1700000000:R> in <#{GENERAL}>"
    buttons = message["components"][0]["components"]
    assert [button["label"] for button in buttons] == ["Done", "20 min", "1 h"]
    assert buttons[1]["custom_id"] == "sz1:snooze:sch_00000000000000000001:20"


async def test_a_refused_direct_message_is_rejected_once_and_for_good(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        context = make_context(owner_id=str(world.CLOSED), metadata=REMINDER)
        with pytest.raises(Reject, match="this person takes no direct messages from the bot"):
            await host.send("send_dm", context=context, user_id=str(world.CLOSED), content="tea")
    assert len(server.requests(POST_MESSAGE)) == 1


async def test_a_direct_message_goes_to_nobody_but_the_one_who_asked(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        with pytest.raises(Reject, match="only to the person who asked for it"):
            await host.send("send_dm", user_id=str(world.MEMBER), content="spam")
        await host.send("send_dm", context=make_context(owner_id="operator"), user_id=str(world.MEMBER), content="x")
    assert len(server.messages()) == 1


# ── mentions and the author's rights ─────────────────────────────────────────────────────────────────────────


async def test_nobody_is_mentioned_unless_listed(server: DiscordServer) -> None:
    # Complaint 16.
    text = f"@everyone <@{world.MEMBER}> <@&{world.MODERATOR_ROLE}>"
    async with connected(server, None) as host:
        await host.send(channel_id=GENERAL, content=text)
        await host.send(
            context=make_context("run_2"), channel_id=GENERAL, content=text, mentions=[f"<@{world.MEMBER}>"]
        )
    silent, named = server.history(world.GENERAL)
    assert (silent["mention_everyone"], silent["mentions"], silent["mention_roles"]) == (False, [], [])
    assert [user["id"] for user in named["mentions"]] == [str(world.MEMBER)]
    assert (named["mention_everyone"], named["mention_roles"]) == (False, [])


async def test_everyone_and_roles_need_the_authors_right_when_it_fires(server: DiscordServer) -> None:
    moderator, operator = make_context(), make_context(owner_id=str(world.OPERATOR))
    async with connected(server, None) as host:
        for mention, words in (
            ("@everyone", "mentioning everyone needs the right Mention Everyone"),
            (f"<@&{world.MODERATOR_ROLE}>", "mentioning @Moderator needs the right Mention Everyone"),
        ):
            with pytest.raises(Reject, match=f"^no_rights: {words}"):
                await host.send(context=moderator, channel_id=GENERAL, content="x", mentions=[mention])
        await host.send(context=operator, channel_id=GENERAL, content="@everyone tea", mentions=["@everyone"])
    assert len(server.messages()) == 1


async def test_a_role_open_to_all_needs_no_right(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        mention = f"<@&{world.CREW_ROLE}>"
        await host.send(channel_id=GENERAL, content=f"{mention} tea", mentions=[mention])
    (message,) = server.history(world.GENERAL)
    assert message["mention_roles"] == [str(world.CREW_ROLE)]


async def test_an_author_who_left_or_was_banned_posts_no_longer(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        gone = make_context(owner_id=str(world.STRANGER))
        for mentions in ([], ["@everyone"]):
            with pytest.raises(Reject, match=r"^needs_owner: its author is no longer in this server"):
                await host.send(context=gone, channel_id=GENERAL, content="still me", mentions=mentions)
    assert server.messages() == []


@pytest.mark.parametrize("lost", ["Send Messages", "Manage Messages", "View Channel"])
@pytest.mark.parametrize("channel", [world.GENERAL, world.THREAD], ids=["channel", "thread"])
async def test_an_author_who_lost_a_right_there_posts_no_longer(server: DiscordServer, lost: str, channel: int) -> None:
    if channel == world.THREAD and lost == "Send Messages":
        lost = "Send Messages in Threads"
    permission = Permission[lost.upper().replace(" ", "_")]
    async with connected(server, None) as host:
        bot = host.handler._link.bot
        assert bot is not None
        await host.send(channel_id=str(channel), content="tea")
        for place in (world.GENERAL, world.NEWS):
            changed = asyncio.create_task(bot.wait_for("guild_channel_update", timeout=10))
            await asyncio.sleep(0)
            server.set_overwrite(place, world.MODERATOR, deny=int(permission), kind="member")
            await changed
        with pytest.raises(Reject, match=rf"^no_rights: its author lacks .*{lost}.* in this channel"):
            await host.send(context=make_context("run_2"), channel_id=str(channel), content="cake")
    assert len(server.messages()) == 1


async def test_a_server_message_takes_manage_messages_and_a_reminder_does_not(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        with pytest.raises(Reject, match=r"^no_rights: its author lacks Manage Messages in this channel"):
            await host.send(context=make_context(owner_id=str(world.MEMBER)), channel_id=GENERAL, content="tea")
        reminder = make_context("run_2", owner_id=str(world.MEMBER), metadata=REMINDER)
        await host.send(context=reminder, channel_id=GENERAL, content="tea")
    assert len(server.messages()) == 1


async def test_an_owner_that_is_no_person_is_not_asked_for(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        for number, owner in enumerate(("operator", "2027", "")):
            context = make_context(f"run_{number}", owner_id=owner)
            await host.send(context=context, channel_id=GENERAL, content="tea")
    assert len(server.messages()) == 3
    assert server.requests("GET /guilds/*/members/*") == []


async def test_the_authors_rights_in_a_thread_are_those_in_a_parent_that_is_not_cached(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        bot = host.handler._link.bot
        assert bot is not None
        thread = bot.get_channel(world.THREAD)
        assert isinstance(thread, discord.Thread)
        assert thread.parent is not None
        thread.guild._remove_channel(thread.parent)
        await host.send(channel_id=str(world.THREAD), content="tea")
    assert len(server.messages()) == 1


async def test_the_author_is_asked_for_once_in_ten_minutes(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        for number in range(3):
            await host.send(context=make_context(f"run_{number}"), channel_id=GENERAL, content="x")
    assert len(server.requests("GET /guilds/*/members/*")) == 1


async def test_while_the_author_cannot_be_asked_for_the_message_waits(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        server.fault("GET /guilds/*/members/*", "status", status=503, count=None)
        with pytest.raises(RetryAfter):
            await host.send(channel_id=GENERAL, content="tea")
    assert server.messages() == []


async def test_a_reminder_in_a_channel_mentions_its_owner_and_needs_them_there(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        context = make_context(owner_id=str(world.MEMBER), metadata=REMINDER)
        await host.send(context=context, channel_id=GENERAL, content="tea @everyone")
        gone = make_context("run_2", owner_id=str(world.STRANGER), metadata=REMINDER)
        with pytest.raises(Reject, match="needs_owner"):
            await host.send(context=gone, channel_id=GENERAL, content="tea")
        server.set_overwrite(world.GENERAL, world.MEMBER, deny=int(Permission.SEND_MESSAGES), kind="member")
        muted = make_context("run_3", owner_id=str(world.MODERATOR), metadata=REMINDER)
        await host.send(context=muted, channel_id=GENERAL, content="cake")
    message = server.history(world.GENERAL)[0]
    assert message["content"].startswith(f"<@{world.MEMBER}> tea @everyone\n-# Set by you")
    assert [user["id"] for user in message["mentions"]] == [str(world.MEMBER)]
    assert not message["mention_everyone"]


async def test_the_methods_declare_what_they_take(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        methods = methods_of(host.handler)
        assert sorted(methods) == ["send_dm", "send_message"]
        assert methods["send_message"].info.timeout == 60.0
        properties = methods["send_message"].info.schema["$defs"]["send_message_arguments"]["properties"]
        assert sorted(properties) == ["channel_id", "content", "mentions"]
