"""Where the bot is: the core hears of every guild joined and left, also of what happened while one of them was away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot import whereabouts
from schedule_zero import requests as ask
from schedule_zero.errors import Unavailable
from schedule_zero.event import Event, EventKind
from schedule_zero.instant import parse
from tests.bot.stage import Host, connected
from tests.bot.telling import AT, blocked, choose, make_schedule, tell
from tests.discord_server import world
from tests.discord_server.app import DiscordServer

pytestmark = pytest.mark.slow
HERE, THERE, GONE = str(world.GUILD), str(world.OTHER_GUILD), str(world.FOREIGN_GUILD)


async def until(host: Host, holds: Callable[[dict[str, tuple[str, bool]]], bool]) -> None:
    """Until what the core was told holds."""
    async with asyncio.timeout(20):
        while not holds(host.client.world.guilds):
            await asyncio.sleep(0.01)


def present(guilds: dict[str, tuple[str, bool]]) -> set[str]:
    return {id for id, (_, there) in guilds.items() if there}


async def test_the_core_hears_of_guilds_as_they_are_left_and_joined(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        await until(host, lambda told: present(told) == {HERE, THERE})
        server.remove_bot(world.OTHER_GUILD)
        await until(host, lambda told: present(told) == {HERE})
        server.bring_bot_back(world.OTHER_GUILD)
        await until(host, lambda told: told[THERE] == ("Werkstatt", True))


async def test_a_guild_that_discord_cannot_serve_is_not_left(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        await until(host, lambda told: present(told) == {HERE, THERE})
        server.fail_guild(world.OTHER_GUILD)
        server.remove_bot(world.GUILD)
        await until(host, lambda told: present(told) == {THERE})


async def test_what_was_left_while_the_bot_was_away_shows_at_its_start(server: DiscordServer) -> None:
    first = Host()
    first.client.world.guilds |= {HERE: ("Tea House", True), GONE: ("Elsewhere", True), "own": ("no id", False)}
    server.remove_bot(world.OTHER_GUILD)
    first.client.world.guilds[THERE] = ("Werkstatt", True)
    async with connected(server, None, host=first) as host:
        await until(host, lambda told: present(told) == {HERE})
        assert host.client.world.guilds[GONE] == ("", False)


async def test_what_was_left_during_a_lost_connection_shows_at_the_next_ready(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        await until(host, lambda told: present(told) == {HERE, THERE})
        await server.disconnect(forget=True)
        server.remove_bot(world.OTHER_GUILD)
        await until(host, lambda told: present(told) == {HERE})


async def test_with_several_shards_each_judges_its_own_guilds(server: DiscordServer) -> None:
    host = Host()
    host.client.world.guilds |= {str(id << 22): ("gone", True) for id in range(1, 5)}
    async with connected(server, None, shards=2, host=host) as host:
        await until(host, lambda told: present(told) == {HERE, THERE})
        await server.disconnect(forget=True)
        server.remove_bot(world.GUILD)
        await until(host, lambda told: present(told) == {THERE})


async def test_a_core_that_is_away_learns_of_it_once_it_is_back(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whereabouts, "NOTE_AGAIN", 0.01)
    host, refused = Host(), asyncio.Event()
    host.client.world.guilds |= {GONE: ("Elsewhere", True)}
    answers, away = host.client.send, [ask.ListPresentGuilds, ask.NoteGuild]

    async def send(request: Any) -> Any:
        if type(request) in away:
            refused.set()
            raise Unavailable("the core is away")
        return await answers(request)

    monkeypatch.setattr(host.client, "send", send)
    async with connected(server, None, host=host):
        await refused.wait()
        server.remove_bot(world.OTHER_GUILD)
        away.clear()
        await until(host, lambda told: present(told) == {HERE})


# ── what is told in such guilds ──


def returned(**data: Any) -> Event:
    facts = {"resumed": 2, "over": 0, "missed": 0, "most": [], "since": parse(AT), **data}
    return Event(epoch=1, seq=7, at=AT, kind=EventKind.GUILD_RETURNED, guild_id=HERE, data=facts)


async def test_one_notice_says_how_many_came_back_and_what_was_missed(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, log=world.GENERAL)
        schedule = make_schedule(host, 1, state="active")
        most = [{"schedule_id": schedule.id, "count": 1440}, {"schedule_id": "sch_99999999999999999999", "count": 2}]
        await tell(host, returned(resumed=12, over=1, missed=1442, most=most))
    (message,) = server.history(world.GENERAL)
    assert message["content"].startswith("👋 I am back in this server, and **12 schedules** go on. Missed since <t:")
    assert message["content"].endswith(
        "1,442 due times, most of them of **standup 1** 1,440. Of 1 schedule the last time has passed."
    )
    assert message["components"] == []


async def test_what_is_somebodys_own_is_not_named_to_all(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, log=world.GENERAL)
        secret = make_schedule(host, 1, state="active", metadata={"kind": "reminder"})
        await tell(host, returned(missed=3, most=[{"schedule_id": secret.id, "count": 3}]))
    (message,) = server.history(world.GENERAL)
    assert "standup" not in message["content"]
    assert message["content"].endswith("3 due times.")


async def test_a_guild_the_bot_has_left_is_told_nothing_and_neither_are_the_authors(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        choose(host, default=world.GENERAL)
        await until(host, lambda told: present(told) == {HERE, THERE})
        server.remove_bot(world.GUILD)
        await until(host, lambda told: present(told) == {THERE})
        await tell(host, blocked(host))
    assert server.messages() == []
