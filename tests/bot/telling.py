"""What notices are told of: schedules of the guild, their events, and the page that brings them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from bot.front import SUBSCRIBER
from schedule_zero.event import Event, EventKind
from schedule_zero.schedule import Policy, Schedule
from schedule_zero.trigger import DateTrigger
from schedule_zero.views import GuildChannels, GuildSettings
from tests.bot.fake_core import START
from tests.bot.stage import Host
from tests.discord_server import world

AT = START.isoformat()
GUILD = str(world.GUILD)


def make_schedule(host: Host, number: int = 1, **fields: Any) -> Schedule:
    """A schedule the core knows, blocked unless said otherwise."""
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


def event_of(kind: EventKind, schedule: Schedule, seq: int = 7, **data: Any) -> Event:
    """What the journal says of a schedule."""
    return Event(
        epoch=1, seq=seq, at=AT, kind=kind, guild_id=schedule.guild_id, schedule_id=schedule.id,
        run_id="run_00000000000000000001", data=data,
    )  # fmt: skip


def blocked(host: Host, number: int = 1, seq: int = 7, **fields: Any) -> Event:
    """A schedule that was blocked, and the event that says so."""
    schedule = make_schedule(host, number, **fields)
    return event_of(EventKind.SCHEDULE_BLOCKED, schedule, seq, failures=10, error="the channel no longer exists")


def choose(host: Host, **channels: int) -> None:
    """The channels the guild chose for notices."""
    chosen = msgspec.convert({name: str(channel) for name, channel in channels.items()}, GuildChannels)
    host.client.world.settings[GUILD] = GuildSettings(guild_id=GUILD, channels=chosen)


async def tell(host: Host, *events: Event) -> None:
    """Deliver a page, as the publisher does."""
    await asyncio.wait_for(host.subscribers[SUBSCRIBER](events), 20)
