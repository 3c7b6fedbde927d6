"""What a guild has to hear of, it hears once, in the channel it chose."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot import notices
from bot.front import SUBSCRIBER
from schedule_zero.event import Event, EventKind
from schedule_zero.schedule import Policy, Schedule
from schedule_zero.trigger import DateTrigger
from schedule_zero.views import GuildChannels, GuildSettings
from tests.bot.fake_core import START
from tests.bot.stage import POST_MESSAGE, Host, connected
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.permissions import Permission

AT = START.isoformat()
GUILD = str(world.GUILD)


def _schedule(host: Host, number: int = 1, **fields: Any) -> Schedule:
    plain: dict[str, Any] = {
        "id": f"sch_{number:020d}", "revision": 3, "guild_id": GUILD, "name": f"standup {number}",
        "owner_id": str(world.MEMBER), "handler": "discord", "method": "send_message",
        "args": {"channel_id": str(world.GENERAL), "content": "Standup!"}, "trigger": DateTrigger(AT),
        "timezone": "UTC", "words": "once", "start": None, "until": None, "count": None, "calendar": None,
        "active_hours": None, "policy": Policy(), "after": (), "state": "blocked", "next_fire_times": (),
        "notes": (), "created_at": AT,
    }  # fmt: skip
    schedule = Schedule(**(plain | fields))
    host.client.world.schedules[schedule.id] = schedule
    return schedule


def _event(kind: EventKind, schedule: Schedule, seq: int = 7, **data: Any) -> Event:
    return Event(
        epoch=1, seq=seq, at=AT, kind=kind, guild_id=schedule.guild_id, schedule_id=schedule.id,
        run_id="run_00000000000000000001", data=data,
    )  # fmt: skip


def _blocked(host: Host, number: int = 1, seq: int = 7, **fields: Any) -> Event:
    schedule = _schedule(host, number, **fields)
    return _event(EventKind.SCHEDULE_BLOCKED, schedule, seq, failures=10, error="the channel no longer exists")


def _channels(host: Host, **channels: int) -> None:
    chosen = GuildChannels(**{name: str(channel) for name, channel in channels.items()})
    host.client.world.settings[GUILD] = GuildSettings(guild_id=GUILD, channels=chosen)


async def _tell(host: Host, *events: Event) -> None:
    await asyncio.wait_for(host.subscribers[SUBSCRIBER](events), 20)


async def test_a_blocked_schedule_is_told_once_with_a_button_to_resume(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        _channels(host, default=world.NEWS, failures=world.GENERAL)
        await _tell(host, _blocked(host))
    (message,) = server.history(world.GENERAL)
    assert "**standup 1** is blocked" in message["content"]
    assert "the channel no longer exists" in message["content"]
    (button,) = message["components"][0]["components"]
    assert (button["label"], button["custom_id"]) == ("Resume", "sz1:resume:sch_00000000000000000001:3")


async def test_a_message_of_unknown_fate_is_told_with_a_button_to_post_it_again(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        _channels(host, default=world.GENERAL)
        failed = _event(EventKind.RUN_FAILED, _schedule(host), reason="unknown", error="unknown: nobody can tell")
        await _tell(host, failed)
    (message,) = server.history(world.GENERAL)
    (button,) = message["components"][0]["components"]
    assert (button["label"], button["custom_id"]) == ("Post again", "sz1:again:run_00000000000000000001:")


async def test_after_an_outage_a_guild_gets_one_message(server: DiscordServer) -> None:
    # Complaint 22: after downtime nothing, or a flood.
    async with connected(server, None) as host:
        _channels(host, log=world.GENERAL)
        missed = {"from": AT, "to": AT, "count": 180}
        events = [
            _event(
                EventKind.RUN_SKIPPED, _schedule(host, number, state="active"), number, reason="missed", missed=missed
            )
            for number in range(1, 61)
        ]
        await _tell(host, *events)
    (message,) = server.history(world.GENERAL)
    assert len(message["content"]) <= 2_000
    assert "**standup 1** was missed while the service was away: 180 times, from <t:" in message["content"]
    assert "more" in message["content"].splitlines()[-1]


async def test_what_nobody_needs_to_hear_is_not_told(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        _channels(host, default=world.GENERAL)
        schedule = _schedule(host)
        await _tell(
            host,
            _event(EventKind.RUN_SUCCEEDED, schedule),
            _event(EventKind.RUN_FAILED, schedule, reason="rejected"),
            _event(EventKind.RUN_SKIPPED, schedule, reason="superseded"),
            msgspec.structs.replace(_event(EventKind.CORE_STARTED, schedule), schedule_id=None),
            _event(EventKind.SCHEDULE_BLOCKED, msgspec.structs.replace(schedule, id="sch_99999999999999999999")),
        )
    assert server.messages() == []


async def test_a_repeated_page_tells_nothing_twice(server: DiscordServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as host:
        _channels(host, default=world.GENERAL)
        events = [_blocked(host, 1, 7), _blocked(host, 2, 8)]
        await _tell(host, *events)
        server.forget_nonces()
        await _tell(host, events[0])
        await _tell(host, *events, _blocked(host, 3, 9))
    async with connected(server, tmp_path) as host:
        _channels(host, default=world.GENERAL)
        await _tell(host, _blocked(host, 1, 7), _blocked(host, 2, 8), _blocked(host, 3, 9), _blocked(host, 4, 10))
    told = [message["content"] for message in server.history(world.GENERAL)]
    assert [sorted(number for number in "1234" if f"standup {number}" in text) for text in told] == [
        ["1", "2"],
        ["3"],
        ["4"],
    ]


async def test_a_notice_cut_off_between_post_and_answer_is_not_told_again(
    server: DiscordServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as host:
        _channels(host, default=world.GENERAL)
        fault = server.fault(POST_MESSAGE, "hang", when="after")
        telling = asyncio.create_task(_tell(host, _blocked(host, 1, 7), _blocked(host, 2, 8)))
        await server.wait_fault(fault.id)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        server.clear_faults()
    async with connected(server, tmp_path) as host:
        _channels(host, default=world.GENERAL)
        await _tell(host, _blocked(host, 1, 7), _blocked(host, 2, 8), _blocked(host, 3, 9))
    assert len(server.history(world.GENERAL)) == 2
    assert sum("standup 1" in message["content"] for message in server.history(world.GENERAL)) == 1


async def test_without_a_usable_channel_the_author_is_told_in_person(server: DiscordServer) -> None:
    # Complaint 2: items vanish and nobody is told.
    async with connected(server, None) as host:
        _channels(host, failures=world.READ_ONLY, default=999)
        await _tell(host, _blocked(host))
        await _tell(host, _blocked(host, 2, 8, guild_id=None))
    assert len(server.history(server.direct_messages(world.MEMBER))) == 2


async def test_who_cannot_be_told_holds_nobody_else_up(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        _channels(host)
        await _tell(host, _blocked(host, owner_id=str(world.CLOSED)))
        await _tell(host, _blocked(host, 2, 8, owner_id="operator"))
        _channels(host, default=world.GENERAL)
        await _tell(host, _blocked(host, 3, 9))
    assert len(server.messages()) == 1


async def test_while_discord_is_away_the_notice_waits(server: DiscordServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(notices, "_sleep", wait)
    async with connected(server, None) as host:
        _channels(host, default=world.GENERAL)
        away = server.fault(POST_MESSAGE, "status", status=503)
        telling = asyncio.create_task(_tell(host, _blocked(host)))
        await server.wait_fault(away.id)
        await telling
    assert waited == [5.0]
    assert len(server.messages()) == 1


async def test_an_author_who_left_is_told_of_as_such(server: DiscordServer) -> None:
    async with connected(server, None) as host:
        _channels(host, default=world.GENERAL)
        await _tell(host, _blocked(host, state="needs_owner"))
    assert "waits for a new owner" in server.history(world.GENERAL)[0]["content"]


@pytest.mark.parametrize("deny", [Permission.SEND_MESSAGES, Permission.VIEW_CHANNEL])
async def test_a_right_taken_away_later_falls_back_to_the_default(server: DiscordServer, deny: Permission) -> None:
    async with connected(server, None) as host:
        _channels(host, failures=world.NEWS, default=world.GENERAL)
        server.set_overwrite(world.NEWS, world.BOT_ROLE, deny=int(deny))
        await _tell(host, _blocked(host))
    assert len(server.messages(world.GENERAL)) == 1
