"""The world people find: ids, rights, time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import discord
import msgspec
import pytest

from bot.playground.clocks import StandingClock, id_of
from bot.playground.nonces import Nonces
from bot.playground.playground import operators
from bot.playground.seeding import seed
from bot.playground.simcord_internals import LiveEnv
from bot.playground.world import OPERATOR, WORLD, Channel, World
from tests.playground.conftest import Start, Started
from tests.playground.tiny_bot import TinyBot
from tests.playground.visitor import Visitor


async def ids_seen(started: Started) -> dict[str, object]:
    """Every id the bot and the pages know."""
    visitor = await Visitor(started.site, "general").open()
    return {
        "bot": (started.bot.application_id, started.bot.user and started.bot.user.id),
        "guilds": [(guild.id, [channel.id for channel in guild.channels]) for guild in started.bot.guilds],
        "people": [one["id"] for one in visitor.page["viewers"]],
        "direct": [(await Visitor(started.site, f"dm-{name}").open()).page["channelId"] for name in ("ada", "kim")],
        "commands": sorted(command.id for command in await started.bot.tree.fetch_commands()),
    }


async def test_ids_are_the_same_at_every_start(start: Start) -> None:
    first = await ids_seen(await start())
    assert await ids_seen(await start()) == first


async def _at_once() -> None:
    """Nothing is kept, so nothing has to be waited for."""


def channel_ids(world: World) -> dict[str, int]:
    env = LiveEnv(TinyBot(), Nonces(), lambda: None, _at_once)
    return {opening.place.path: opening.place.channel_id for opening in seed(env, env.standing.stand_at, world)}


async def test_something_new_in_the_world_leaves_every_other_id_as_it_was() -> None:
    guild = WORLD.guilds[0]
    more = msgspec.structs.replace(guild, channels=(Channel(99, "new", "new", "made later"), *guild.channels))
    changed = channel_ids(msgspec.structs.replace(WORLD, guilds=(more, *WORLD.guilds[1:])))
    new = changed.pop("new")
    assert changed == channel_ids(WORLD)
    assert new not in changed.values()


def test_every_thing_of_the_world_has_a_number_of_its_own() -> None:
    numbers = [person.number for person in WORLD.people]
    for guild in WORLD.guilds:
        numbers += [guild.number, guild.admin_role, guild.moderator_role]
        numbers += [channel.number for channel in guild.channels]
    assert 0 not in numbers  # the bot's
    assert len(set(numbers)) == len(numbers)


def test_the_clock_stands_at_one_instant_per_number() -> None:
    clock = StandingClock()
    instants = []
    for number in (1, 2, 1):
        clock.stand_at(number)
        clock.advance(60)
        instants.append(clock.now())
    assert instants[0] == instants[2] < instants[1]


async def test_the_bot_writes_where_it_may_and_is_refused_as_by_discord_where_it_may_not(started: Started) -> None:
    for open_to_it in ("general", "announcements", "staff"):
        await started.post("here", open_to_it)
    with pytest.raises(discord.Forbidden) as refusal:
        await started.post("not here", "rules")
    assert refusal.value.code == 50013


async def test_plain_members_do_not_write_announcements_and_do_not_see_the_staff(started: Started) -> None:
    kim = await Visitor(started.site, "announcements").open("Kim")
    receipt = await kim.act("send_message", content="me too", target_id=None, reply_to_id=None)
    assert receipt["settlement"] != "settled"
    assert (await Visitor(started.site, "general").open("Kim")).page["channel"]["canSendMessages"]


async def test_guilds_are_told_as_known_ones_and_not_as_joined(started: Started) -> None:
    assert [guild.name for guild in started.bot.guilds] == ["Playground", "Lighthouse"]
    assert started.bot.joined == []


async def test_time_there_is_real_time(started: Started) -> None:
    before = datetime.now(UTC)
    message = await started.bot.get_partial_messageable(started.channel("general")).send("now")
    for told in (message.created_at, discord.utils.snowflake_time(message.id)):
        assert abs((told - before).total_seconds()) < 2


async def test_the_loop_and_the_clocks_of_the_process_stay_as_they_are(start: Start) -> None:
    before = (time.monotonic, discord.utils.utcnow, vars(discord.utils)["datetime"])
    await start()
    assert (time.monotonic, discord.utils.utcnow, vars(discord.utils)["datetime"]) == before
    assert vars(asyncio.get_running_loop()).keys().isdisjoint({"call_later", "call_soon", "create_task"})


async def test_the_one_who_runs_the_service_is_found_in_the_world(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open("Ada")
    guild = next(each for each in started.bot.guilds if each.name == "Playground")
    who = operators()
    assert (who.guild and who.guild.id) == guild.id
    assert id_of(OPERATOR.number) == int(visitor.page["viewerId"])
