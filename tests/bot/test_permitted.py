"""What a server has set is judged again when a message is sent: channels, mentions, and what its roles may do."""

from __future__ import annotations

from typing import Any

import pytest

from schedule_zero import requests as ask
from schedule_zero.errors import Reject, RetryAfter, Unavailable
from schedule_zero.views import GuildChannels, GuildMentions, GuildRoles, GuildSettings
from tests.bot.stage import POST_MESSAGE, Host, connected, make_context
from tests.discord_server import world
from tests.discord_server.app import DiscordServer

pytestmark = pytest.mark.slow

GENERAL, NEWS, THREAD = str(world.GENERAL), str(world.NEWS), str(world.THREAD)
CREW, MODERATORS = f"<@&{world.CREW_ROLE}>", f"<@&{world.MODERATOR_ROLE}>"
REMINDER = {"kind": "reminder", "made": "1700000000"}
MEMBER = str(world.MEMBER)


def has_set(host: Host, **settings: Any) -> None:
    """The server of these tests has set this."""
    guild = str(world.GUILD)
    host.client.world.settings[guild] = GuildSettings(guild_id=guild, **settings)


@pytest.mark.parametrize("metadata", [{}, REMINDER], ids=["message", "reminder"])
@pytest.mark.parametrize(
    ("channels", "channel", "words"),
    [
        (GuildChannels(deny=(GENERAL,)), GENERAL, f"let no schedule post in <#{GENERAL}>"),
        (GuildChannels(deny=(GENERAL,)), THREAD, f"let no schedule post in the threads of <#{GENERAL}>"),
        (GuildChannels(allow=(NEWS,)), GENERAL, f"let schedules post in <#{NEWS}> only"),
        (GuildChannels(allow=(GENERAL,)), THREAD, f"let schedules post in <#{GENERAL}> only"),
    ],
)
async def test_a_channel_that_was_closed_to_schedules_meanwhile_gets_no_message_and_no_request_is_spent(
    server: DiscordServer, channels: GuildChannels, channel: str, words: str, metadata: dict[str, str]
) -> None:
    async with connected(server, None) as host:
        has_set(host, channels=channels)
        for owner in (str(world.MODERATOR), "operator"):
            context = make_context(owner_id=owner, metadata=metadata)
            with pytest.raises(Reject, match=f"^no_rights: this server's settings {words}"):
                await host.send(context=context, channel_id=channel, content="tea")
        has_set(host, channels=GuildChannels(allow=(channel,)))
        await host.send(context=make_context("run_2", metadata=metadata), channel_id=channel, content="tea")
    assert len(server.requests(POST_MESSAGE)) == 1


@pytest.mark.parametrize(
    ("settings", "mention", "words"),
    [
        (GuildMentions(everyone="off"), "@everyone", "let no schedule mention everyone"),
        (GuildMentions(roles="off"), CREW, "let no schedule mention a role"),
        (GuildMentions(roles="listed", listed=("1",)), CREW, "let schedules mention only <@&1>"),
        (GuildMentions(max=0), f"<@{MEMBER}>", "allow none in a message"),
    ],
)
async def test_mentions_that_were_forbidden_meanwhile_are_not_made_whoever_the_author_is(
    server: DiscordServer, settings: GuildMentions, mention: str, words: str
) -> None:
    async with connected(server, None) as host:
        has_set(host, mentions=settings)
        for number, owner in enumerate((str(world.OPERATOR), "operator")):
            context = make_context(f"run_{number}", owner_id=owner)
            with pytest.raises(Reject, match=f"^no_rights: .*{words}"):
                await host.send(context=context, channel_id=GENERAL, content="tea", mentions=[mention])
        await host.send(channel_id=GENERAL, content=f"{mention} tea")
    (message,) = server.history(world.GENERAL)
    assert (message["mention_everyone"], message["mentions"], message["mention_roles"]) == (False, [], [])


async def test_a_listed_role_is_mentioned_by_everybody_who_may_schedule_and_no_other_role_is(
    server: DiscordServer,
) -> None:
    async with connected(server, None) as host:
        with pytest.raises(Reject, match="mentioning @Moderator needs the right Mention Everyone"):
            await host.send(channel_id=GENERAL, content=MODERATORS, mentions=[MODERATORS])
        listed = GuildMentions(roles="listed", listed=(str(world.MODERATOR_ROLE),))
        has_set(host, mentions=listed)
        await host.send(context=make_context("run_2"), channel_id=GENERAL, content=MODERATORS, mentions=[MODERATORS])
        with pytest.raises(Reject, match="mention only"):
            await host.send(
                context=make_context("run_3"), channel_id=GENERAL, content=CREW, mentions=[MODERATORS, CREW]
            )
    (message,) = server.history(world.GENERAL)
    assert message["content"] == MODERATORS


@pytest.mark.parametrize("who", ["manager", "member"])
async def test_a_role_that_may_schedule_posts_while_it_is_named_and_no_longer(server: DiscordServer, who: str) -> None:
    async with connected(server, None) as host:
        has_set(host, roles=GuildRoles(**{who: (str(world.CREW_ROLE),)}))
        await host.send(context=make_context(owner_id=MEMBER), channel_id=GENERAL, content="tea")
        for roles in (GuildRoles(), GuildRoles(manager=("999",), member=(str(world.MODERATOR_ROLE),))):
            has_set(host, roles=roles)
            with pytest.raises(Reject, match=r"^no_rights: its author lacks Manage Messages in this channel"):
                await host.send(context=make_context("run_2", owner_id=MEMBER), channel_id=GENERAL, content="tea")
    assert len(server.messages()) == 1


async def test_who_may_only_schedule_mentions_no_roles_unless_they_are_listed(server: DiscordServer) -> None:
    crew = (str(world.CREW_ROLE),)
    async with connected(server, None) as host:
        context = make_context(owner_id=MEMBER)
        has_set(host, roles=GuildRoles(member=crew))
        with pytest.raises(Reject, match=r"^no_rights: .* only those who manage here mention roles"):
            await host.send(context=context, channel_id=GENERAL, content=CREW, mentions=[CREW])
        has_set(host, roles=GuildRoles(manager=crew))
        await host.send(context=context, channel_id=GENERAL, content=CREW, mentions=[CREW])
        other = make_context("run_2", owner_id=MEMBER)
        with pytest.raises(Reject, match=r"^no_rights: mentioning everyone needs the right Mention Everyone"):
            await host.send(context=other, channel_id=GENERAL, content="tea", mentions=["@everyone"])
    (message,) = server.history(world.GENERAL)
    assert message["mention_roles"] == list(crew)


async def test_everybody_may_post_where_the_role_of_everybody_may_schedule(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        has_set(host, roles=GuildRoles(member=(str(world.GUILD),)))
        await host.send(context=make_context(owner_id=str(world.CLOSED)), channel_id=GENERAL, content="tea")
    assert len(server.messages()) == 1


async def test_while_the_core_does_not_say_what_is_permitted_the_message_waits(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        host.client.world.refuse[ask.GetGuildSettings] = Unavailable("The core is away.")
        with pytest.raises(RetryAfter, match="what the server permits is not known: The core is away") as asked:
            await host.send(channel_id=GENERAL, content="tea")
        assert asked.value.seconds == 5.0
        assert server.messages() == []
        host.client.world.refuse.clear()
        await host.send(channel_id=GENERAL, content="tea")
    assert len(server.messages()) == 1


async def test_the_operators_own_schedules_and_direct_messages_belong_to_no_servers_settings(
    server: DiscordServer,
) -> None:
    async with connected(server, None) as host:
        has_set(host, channels=GuildChannels(deny=(GENERAL,)), mentions=GuildMentions(max=0))
        await host.send(context=make_context(guild_id=None, owner_id="operator"), channel_id=GENERAL, content="x")
        reminder = make_context("run_2", owner_id=MEMBER, metadata=REMINDER)
        await host.send("send_dm", context=reminder, user_id=MEMBER, content="tea")
    assert len(server.messages()) == 2
