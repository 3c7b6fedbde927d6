"""From where a change came is what the door knows, whatever carried it: one change by each, and its line."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from core.commands.remote import Remote
from core.config import load_config
from core.embedded import ScheduleZero
from schedule_zero.actor import Actor
from schedule_zero.client import CoreClient
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger
from schedule_zero.views import AuditLine
from tests.contract.place import BOT_TOKEN, TOKEN, Kind, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPEC = ScheduleSpec(handler="echo", method="echo", trigger=TextTrigger(text="every day at 9"), guild_id="9")


async def newest(place: Place) -> AuditLine:
    return (await place.app.client.list_audit(any_guild=True, limit=1)).items[0]


async def test_a_change_says_by_which_door_it_came(place: Place, kind: Kind, any_client: CoreClient) -> None:
    made = await any_client.create_schedule(SPEC)
    line = await newest(place)
    via = "embedded" if kind == "local" else kind
    assert (line.target, line.actor, line.via) == (made.id, "operator:operator", via)


async def test_a_bot_speaks_from_discord_for_members_and_for_itself(place: Place) -> None:
    bot = place.client("zmq", BOT_TOKEN)
    await bot.note_guild("77", "Seventy-seven")
    assert ((await newest(place)).actor, (await newest(place)).via) == ("operator:bot", "discord")
    await bot.acting_as(Actor(kind="member", id="7", guild_id="77")).set_user_timezone("7", "Asia/Tokyo")
    assert ((await newest(place)).actor, (await newest(place)).via) == ("member:7", "discord")
    await bot.close()


async def test_the_command_line_is_known_from_other_programs(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEDULE_ZERO__CORE__ADDRESS", place.address("http"))
    monkeypatch.setenv("SCHEDULE_ZERO_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)

    def asked() -> None:
        Remote(load_config(None, os.environ), os.environ, as_json=False)._ask(
            lambda client: client.change_guild_settings("9", {"timezone": "Asia/Tokyo"})
        )

    await asyncio.to_thread(asked)
    assert (await newest(place)).via == "cli"


async def test_a_program_with_the_core_inside_is_known_as_such(tmp_path: Path) -> None:
    async with ScheduleZero(tmp_path, store="memory").running() as client:
        await client.change_guild_settings("9", {"timezone": "Asia/Tokyo"})
        (line,) = (await client.list_audit(any_guild=True)).items
    assert (line.actor, line.via) == ("operator:operator", "embedded")
