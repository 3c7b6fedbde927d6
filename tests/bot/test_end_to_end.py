"""The whole path, nothing replaced but Discord: slash command, core, ledger, handler, message."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.main import run_discord
from core.app import App
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from schedule_zero.event import Event, EventKind
from tests.bot.stage import BotSettings
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.permissions import Permission
from tests.discord_server.records import Interaction

pytestmark = pytest.mark.slow


class Watched(App):
    """The core, with its journal and the state of the bot to wait for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            store=StoreSettings(url="memory"), data_dir=folder, governor=GovernorSettings(default_plan="verified")
        )
        self.told: list[Event] = []
        self.connected = asyncio.Event()
        self._changed = asyncio.Event()
        self.subscribe("test", self._hear)

    def report(self, part: str, *, ok: bool, detail: str) -> None:
        super().report(part, ok=ok, detail=detail)
        if part == "discord" and ok:
            self.connected.set()

    async def wait_event(self, kind: EventKind, count: int = 1) -> None:
        """Until the journal tells of so many such events."""
        async with asyncio.timeout(10):
            while sum(event.kind == kind for event in self.told) < count:
                self._changed.clear()
                await self._changed.wait()

    async def _hear(self, events: Sequence[Event]) -> None:
        self.told += events
        self._changed.set()


@contextlib.asynccontextmanager
async def _up(server: DiscordServer, folder: Path) -> AsyncIterator[Watched]:
    app = Watched(folder)
    async with app.running():
        settings = BotSettings(api_base=server.api_url)
        bot = asyncio.create_task(run_discord(app, settings, server.settings.token, data_dir=folder))
        try:
            await asyncio.wait_for(app.connected.wait(), 20)
            yield app
        finally:
            bot.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await bot


@pytest.fixture
async def app(server: DiscordServer, tmp_path: Path) -> AsyncIterator[Watched]:
    async with _up(server, tmp_path) as app:
        yield app


def _words(answer: Interaction) -> str:
    assert answer.message is not None
    return answer.content + "\n".join(_texts(answer.message["components"]))


def _texts(components: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for component in components:
        if component["type"] == 10:
            found.append(component["content"])
        found += _texts(component.get("components", []))
    return found


def _custom_id(components: list[dict[str, Any]], label: str) -> str:
    for component in components:
        if component.get("label") == label:
            return str(component["custom_id"])
        with contextlib.suppress(LookupError):
            return _custom_id(component.get("components", []), label)
    raise LookupError(label)


async def _press(
    server: DiscordServer, message: dict[str, Any], label: str, user_id: int = world.MEMBER
) -> Interaction:
    return await server.press(int(message["id"]), _custom_id(message["components"], label), user_id=user_id)


async def _moderates(server: DiscordServer, command: str, **options: Any) -> Interaction:
    return await server.invoke(command, options, user_id=world.MODERATOR)


@pytest.mark.slow
async def test_a_reminder_comes_once_where_it_was_set(server: DiscordServer, app: Watched) -> None:
    answer = await server.invoke("remind me", {"when": "in 1 second", "text": "tea"})
    assert "Reminder set: tea" in _words(answer)
    await server.wait_messages(1, channel_id=world.GENERAL, contains="tea")
    (message,) = server.history(world.GENERAL)
    assert message["content"].startswith(f"<@{world.MEMBER}> tea\n-# Set by you <t:")
    (listed,) = (await app.client.list_schedules(any_guild=True)).items
    await app.wait_event(EventKind.RUN_SUCCEEDED)
    (run,) = (await app.client.list_runs(schedule_id=listed.id, state="succeeded")).items
    assert run.result == {"message_id": message["id"], "channel_id": str(world.GENERAL)}
    assert len(server.messages()) == 1


@pytest.mark.slow
async def test_a_time_is_converted_into_other_zones(server: DiscordServer, app: Watched) -> None:
    options = {"when": "2027-01-15 09:00", "from": "Central European Time", "to": "Tokyo, india, New York"}
    shown = _words(await server.invoke("timezone convert", options))
    assert "<t:1800000000:F>" in shown
    assert "**Europe/Berlin**: Friday 15 January 2027, 09:00 (UTC+01:00)" in shown
    assert "**Asia/Tokyo**: Friday 15 January 2027, 17:00 (UTC+09:00)" in shown
    assert "**Asia/Kolkata**: Friday 15 January 2027, 13:30 (UTC+05:30)" in shown
    assert "**America/New_York**: Friday 15 January 2027, 03:00 (UTC-05:00)" in shown
    refused = _words(await server.invoke("timezone convert", {"when": "tomorrow at 9", "to": "CST"}))
    assert "`to`: 'CST' is not one time zone; did you mean America/Chicago or Asia/Shanghai?" in refused


@pytest.mark.slow
async def test_a_snoozed_reminder_is_a_schedule_of_its_own(server: DiscordServer, app: Watched) -> None:
    await server.invoke("remind me", {"when": "in 1 second", "text": "tea"})
    await server.wait_messages(1, contains="tea")
    (message,) = server.history(world.GENERAL)
    await _press(server, message, "20 min")
    page = await app.client.list_schedules(any_guild=True, state="active")
    assert [schedule.metadata["kind"] for schedule in page.items] == ["reminder"]
    assert "snooze_of" in page.items[0].metadata
    await server.wait_requests("PATCH /webhooks/*/*/messages/@original", 2)
    assert server.history(world.GENERAL)[0]["components"] == []


@pytest.mark.slow
async def test_a_reminder_in_private_comes_in_private(server: DiscordServer, app: Watched) -> None:
    private = server.direct_messages(world.MEMBER)
    answer = await server.invoke("remind me", {"when": "in 1 second", "text": "tea"}, channel_id=private)
    assert "Reminder set: tea" in _words(answer)
    await server.wait_messages(1, channel_id=private, contains="tea")
    listed = await server.invoke("remind list", {"filter": "done"}, channel_id=private)
    assert "tea" in _words(listed)


async def test_a_schedule_is_made_shown_run_paused_deleted_and_taken_back(server: DiscordServer, app: Watched) -> None:
    made = await _moderates(
        server, "schedule message", when="every weekday at 9", channel=world.NEWS, text="Standup!", name="standup"
    )
    assert "Scheduled: standup" in _words(made)
    run = await _moderates(server, "schedule run_now", item="standup")
    assert "succeeded · due" in _words(run)
    assert [message["content"] for message in server.history(world.NEWS)] == ["Standup!"]
    shown = await _moderates(server, "schedule show", item="standup")
    assert "**Last runs**\n- succeeded" in _words(shown)
    assert "Paused: standup" in _words(await _moderates(server, "schedule pause", item="standup", until="in 2 hours"))
    assert "Resumed: standup" in _words(await _moderates(server, "schedule resume", item="standup"))
    assert "standup" in _words(await _moderates(server, "schedule list"))
    preview = await _moderates(server, "schedule preview", item="standup", n=50)
    assert _words(preview).count("Z` · <t:") == 50
    deleted = await _moderates(server, "schedule delete", item="standup")
    assert deleted.message is not None
    token = _custom_id(deleted.message["components"], "Undo").split(":")[2]
    assert "Taken back: standup" in _words(await _moderates(server, "schedule undo", token=token))
    assert "too late" in _words(await _moderates(server, "schedule undo", token=token))


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("blorp", "blorp"),
        ("2001-01-01 09:00", "did you mean"),
        ("30 february at 9", "30 february"),
    ],
)
async def test_a_time_nobody_can_mean_changes_nothing(
    server: DiscordServer, app: Watched, when: str, words: str
) -> None:
    answer = await server.invoke("remind me", {"when": when, "text": "tea"})
    assert words in _words(answer).lower()
    assert (await app.client.list_schedules(any_guild=True)).items == ()


async def test_an_unknown_zone_is_refused(server: DiscordServer, app: Watched) -> None:
    answer = await server.invoke("remind me", {"when": "tomorrow at 9", "text": "tea", "tz": "Nowhere/Land"})
    assert "Nowhere/Land" in _words(answer)
    assert (await app.client.list_schedules(any_guild=True)).items == ()
    zone = await server.invoke("timezone set", {"tz": "Nowhere/Land"})
    assert "Nowhere/Land" in _words(zone)


async def test_the_zone_a_person_set_is_the_zone_of_their_times(server: DiscordServer, app: Watched) -> None:
    await server.invoke("timezone set", {"tz": "Asia/Tokyo"})
    answer = await server.invoke("remind me", {"when": "tomorrow at 9", "text": "tea"})
    assert "Asia/Tokyo" in _words(answer)
    (schedule,) = (await app.client.list_schedules(any_guild=True)).items
    assert schedule.next_fire_times[0].endswith("T09:00:00+09:00")


async def test_suggestions_come_from_the_core_while_typing(server: DiscordServer, app: Watched) -> None:
    whens = await server.autocomplete("remind me", "when", "in 2 ho")
    assert whens
    zones = await server.autocomplete("timezone set", "tz", "berl")
    assert "Europe/Berlin" in [zone["value"] for zone in zones]
    await server.invoke("remind me", {"when": "in 2 hours", "text": "tea"})
    items = await server.autocomplete("remind show", "item", "te")
    assert len(items) == 1


async def test_somebody_elses_reminder_does_not_exist(server: DiscordServer, app: Watched) -> None:
    private = server.direct_messages(world.MEMBER)
    await server.invoke("remind me", {"when": "in 2 hours", "text": "secret"}, channel_id=private)
    (schedule,) = (await app.client.list_schedules(any_guild=True)).items
    answer = await _moderates(server, "remind show", item=schedule.id)
    assert "secret" not in _words(answer)
    assert "no schedule" in _words(answer)


async def test_a_channel_deleted_meanwhile_blocks_the_schedule_and_tells_once(
    server: DiscordServer, app: Watched
) -> None:
    # Complaint 2: silently deleted items. Here nothing is deleted, and the server hears of it.
    server.set_role_permissions(world.GUILD, world.GUILD, int(Permission.ADMINISTRATOR))
    await _moderates(server, "settings channels", failures=world.GENERAL)
    await _moderates(server, "schedule message", when="every weekday at 9", channel=world.NEWS, text="x", name="doomed")
    server.delete_channel(world.NEWS)
    (schedule,) = (await app.client.list_schedules(any_guild=True)).items
    for number in range(1, 11):
        await app.client.run_schedule(schedule.id)
        await app.wait_event(EventKind.RUN_FAILED, number)
    await server.wait_messages(1, channel_id=world.GENERAL, contains="is blocked")
    blocked = await app.client.get_schedule(schedule.id)
    assert blocked.state == "blocked"
    assert [event.kind for event in app.told].count(EventKind.SCHEDULE_BLOCKED) == 1
    assert len(server.messages(world.GENERAL)) == 1
    notice = server.history(world.GENERAL)[0]
    await _press(server, notice, "Resume", user_id=world.MODERATOR)
    await app.wait_event(EventKind.SCHEDULE_RESUMED)
    assert (await app.client.get_schedule(schedule.id)).state == "active"


async def test_status_says_that_discord_is_connected(server: DiscordServer, app: Watched) -> None:
    answer = await server.invoke("status")
    assert "✅ discord: connected as" in _words(answer)
