"""Who the core is told is asking: rights in the guild, never those of a single channel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import discord
import simcord

from cogs.front import Interaction, actor_of
from schedule_zero import requests as ask
from schedule_zero.actor import MANAGE_GUILD, MANAGE_MESSAGES, Actor
from tests.cogs.stage import Stage, labels, texts

OWN_ROOM = discord.PermissionOverwrite(manage_messages=True, manage_guild=True)


async def _asks(stage: Stage, who: simcord.MemberActor, where: simcord.ChannelHandle) -> Actor:
    await who.slash(where, "status")
    return stage.world.last_actor(ask.GetStatus)


async def test_the_owner_of_a_ticket_channel_moderates_nothing_from_there(stage: Stage) -> None:
    room = stage.guild.create_text_channel("ticket", overwrites={stage.bob: OWN_ROOM})
    await stage.alice.slash(stage.general, "remind me", when="in 2 hours", text="private to Alice", public=True)
    (reminder,) = stage.world.schedules.values()
    assert not (await _asks(stage, stage.bob, room)).has(MANAGE_MESSAGES)
    refused = await stage.bob.slash(room, "remind delete", item=reminder.id)
    assert refused.response is not None
    assert "private to Alice" not in texts(refused.response)
    assert stage.world.schedules[reminder.id].state == "active"


async def test_a_button_pressed_in_ones_own_channel_gives_no_more_rights(stage: Stage) -> None:
    room = stage.guild.create_text_channel("ticket", overwrites={stage.bob: OWN_ROOM})
    shown = await stage.alice.slash(room, "remind me", when="in 2 hours", text="tea", public=True)
    assert shown.response is not None
    assert "Delete" in labels(shown.response)
    pressed = await stage.bob.click(shown.response, label="Delete")
    assert "This schedule is somebody else's" in pressed.followups[0].content
    assert stage.world.of(ask.DeleteSchedule) == []
    assert not stage.world.last_actor(ask.GetSchedule).has(MANAGE_MESSAGES)


async def test_a_right_denied_in_one_channel_is_still_held_in_the_guild(stage: Stage) -> None:
    closed = stage.guild.create_text_channel(
        "news", overwrites={stage.alice: discord.PermissionOverwrite(manage_messages=False)}
    )
    assert (await _asks(stage, stage.alice, closed)).has(MANAGE_MESSAGES)


async def test_owners_and_administrators_hold_every_right(stage: Stage) -> None:
    chiefs = stage.guild.create_role("chiefs", permissions=discord.Permissions(administrator=True))
    carol = stage.guild.add_member(stage.env.create_user("carol"), roles=[chiefs])
    assert (await _asks(stage, carol, stage.general)).has(MANAGE_GUILD)
    dora = stage.env.create_user("dora")
    guild = stage.env.create_guild("Dora's", owner=dora)
    actor = await _asks(stage, guild.add_member(dora), guild.create_text_channel("hall"))
    assert actor.has(MANAGE_GUILD)
    assert actor.has(MANAGE_MESSAGES)


async def test_an_ordinary_member_and_somebody_in_a_direct_message_hold_none(stage: Stage) -> None:
    assert not (await _asks(stage, stage.bob, stage.general)).has(MANAGE_MESSAGES)
    await stage.alice.user.slash("status")
    actor = stage.world.last_actor(ask.GetStatus)
    assert (actor.guild_id, actor.permissions) == (None, 0)


async def test_where_the_bot_is_no_member_nobody_holds_rights(stage: Stage) -> None:
    # Somebody who installed the bot for themselves may use it in servers that know nothing of it.
    member = cast("discord.Member", SimpleNamespace(id=5, guild_permissions=discord.Permissions.all()))
    client = SimpleNamespace(get_guild=lambda _id: None)
    actor = actor_of(cast("Interaction", SimpleNamespace(guild_id=7, user=member, client=client)))
    assert (actor.guild_id, actor.permissions) == (None, 0)
