"""Who cannot be told at the moment delays nobody else, loses nothing, and hears in one message what waited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import discord
import pytest

from bot import aside, destination, notices
from bot.aside import Aside
from bot.front import ASIDE
from bot.notice_letters import Notice
from bot.outbox import OutboxError
from schedule_zero import instant
from schedule_zero.views import GuildChannels, GuildSettings
from tests.bot.stage import POST_MESSAGE, Host, ShiftedClock, connected
from tests.bot.telling import AT, GUILD, blocked, choose, tell
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.permissions import Permission

pytestmark = pytest.mark.slow

OTHER = str(world.OTHER_GUILD)


class Naps:
    """The pauses of the notices: each ends when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._over = asyncio.Event()

    async def nap(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self._over.wait()
        await asyncio.sleep(0)

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    naps = Naps()
    monkeypatch.setattr(notices, "_sleep", naps.nap)
    return naps


def _both(host: Host) -> None:
    choose(host, failures=world.GENERAL)
    channels = GuildChannels(failures=str(world.OTHER_GENERAL))
    host.client.world.settings[OTHER] = GuildSettings(guild_id=OTHER, channels=channels)


def _guild(host: Host) -> discord.Guild:
    bot = host.handler._link.bot
    assert bot is not None
    guild = bot.get_guild(world.GUILD)
    assert guild is not None
    return guild


def _notice(number: int, **fields: Any) -> Notice:
    plain = {"at": AT, "guild_id": GUILD, "owner_id": "1", "schedule_id": "sch_1", "line": "x", "title": "x"}
    return Notice(place=f"1-{number}", **(plain | fields))


async def test_a_guild_that_is_not_available_delays_only_itself_and_then_hears_in_one_message(
    server: DiscordServer, naps: Naps
) -> None:
    async with connected(server, None) as host:
        _both(host)
        _guild(host).unavailable = True
        await tell(host, blocked(host, 1, 7), blocked(host, 2, 8, guild_id=OTHER))
        await tell(host, blocked(host, 3, 9), blocked(host, 4, 10, guild_id=OTHER))
        assert len(server.history(world.OTHER_GENERAL)) == 2
        assert server.history(world.GENERAL) == []
        _guild(host).unavailable = False
        naps.end()
        await server.wait_messages(1, channel_id=world.GENERAL)
    (digest,) = server.history(world.GENERAL)
    assert "standup 1" in digest["content"]
    assert "standup 3" in digest["content"]
    assert len(naps.asked) == 1


async def test_a_channel_that_answers_nothing_delays_only_its_guild_and_is_told_once(
    server: DiscordServer, naps: Naps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "PATIENCE", 0.3)
    async with connected(server, None) as host:
        _both(host)
        server.fault(f"POST /channels/{world.GENERAL}/messages", "hang", when="after")
        await tell(host, blocked(host, 1, 7), blocked(host, 2, 8, guild_id=OTHER))
        assert len(server.history(world.OTHER_GENERAL)) == 1
        server.clear_faults()
        naps.end()
        await server.wait_requests(POST_MESSAGE, 3)
    assert len(server.history(world.GENERAL)) == 1


async def test_a_defect_in_one_guild_does_not_silence_the_others(
    server: DiscordServer, naps: Naps, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real: Callable[..., Awaitable[Any]] = destination.in_guild

    async def defective(bot: discord.Client, channel_id: int, guild_id: int | None) -> Any:
        if guild_id == world.GUILD:
            raise ZeroDivisionError("a defect")
        return await real(bot, channel_id, guild_id)

    async with connected(server, None) as host:
        _both(host)
        with monkeypatch.context() as defect:
            defect.setattr(destination, "in_guild", defective)
            await tell(host, blocked(host, 1, 7), blocked(host, 2, 8, guild_id=OTHER))
        assert f"telling {GUILD} failed" in caplog.text
        assert len(server.history(world.OTHER_GENERAL)) == 1
        naps.end()
        await server.wait_messages(1, channel_id=world.GENERAL)


async def test_a_page_that_comes_again_while_its_notice_is_put_aside_adds_nothing_to_it(
    server: DiscordServer, naps: Naps
) -> None:
    async with connected(server, None) as host:
        _both(host)
        _guild(host).unavailable = True
        page = blocked(host, 1, 7)
        await tell(host, page)
        await tell(host, page)
        _guild(host).unavailable = False
        naps.end()
        await server.wait_messages(1, channel_id=world.GENERAL)
    (told,) = server.history(world.GENERAL)
    assert told["content"].count("standup 1") == 1


async def test_what_was_put_aside_outlives_the_process_and_is_told_once(
    server: DiscordServer, tmp_path: Path, naps: Naps
) -> None:
    async with connected(server, tmp_path) as host:
        _both(host)
        _guild(host).unavailable = True
        await tell(host, blocked(host, 1, 7))
        assert (tmp_path / ASIDE).stat().st_mode & 0o777 == 0o600
    async with connected(server, tmp_path) as host:
        _both(host)
        naps.end()
        await server.wait_messages(1, channel_id=world.GENERAL)
        await tell(host, blocked(host, 1, 7))  # the page was not acknowledged before the end
    async with connected(server, tmp_path) as host:
        _both(host)
        await tell(host, blocked(host, 1, 7), blocked(host, 2, 8))
    told = [message["content"] for message in server.history(world.GENERAL)]
    assert ["standup 1" in text for text in told] == [True, False]


async def test_a_page_is_not_taken_before_what_is_put_aside_is_on_disk(
    server: DiscordServer, tmp_path: Path, naps: Naps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    async with connected(server, tmp_path) as host:
        _both(host)
        _guild(host).unavailable = True
        with monkeypatch.context() as disk:
            disk.setattr(aside, "_write", full)
            taking = asyncio.create_task(tell(host, blocked(host, 1, 7)))
            async with asyncio.timeout(10):
                while not naps.asked:
                    await asyncio.sleep(0)
            assert not taking.done()
        naps.end()
        await taking
    assert b"standup 1" in (tmp_path / ASIDE).read_bytes()


async def test_what_is_a_week_old_is_told_no_longer(
    server: DiscordServer, tmp_path: Path, naps: Naps, clock: ShiftedClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.ahead = _seconds_until(AT)
    async with connected(server, tmp_path) as host:
        _both(host)
        _guild(host).unavailable = True
        await tell(host, blocked(host, 1, 7))
        clock.ahead += notices.KEPT + 60
        naps.end()
        async with asyncio.timeout(10):
            while b"standup" in (tmp_path / ASIDE).read_bytes():
                await asyncio.sleep(0.01)
    assert server.messages() == []
    assert "1 notices are too old to be told" in caplog.text


def _seconds_until(at: str) -> float:
    return (instant.parse(at) - instant.from_datetime(datetime.now(UTC))) / instant.SECOND


async def test_an_owner_who_is_told_in_place_of_a_channel_is_told_after_the_trouble_too(
    server: DiscordServer, naps: Naps
) -> None:
    async with connected(server, None) as host:
        _both(host)
        _guild(host).unavailable = True
        await tell(host, blocked(host, 1, 7), blocked(host, 2, 8, owner_id=str(world.MODERATOR)))
        _guild(host).unavailable = False
        server.set_overwrite(world.GENERAL, world.BOT_ROLE, deny=int(Permission.SEND_MESSAGES))
        naps.end()
        await server.wait_messages(2)
    for who, number in ((world.MEMBER, 1), (world.MODERATOR, 2)):
        (message,) = server.history(server.direct_messages(who))
        assert f"standup {number}" in message["content"]


async def test_a_person_in_trouble_delays_only_themselves(server: DiscordServer, naps: Naps) -> None:
    private = {"metadata": {"kind": "reminder"}}
    async with connected(server, None) as host:
        trouble = server.fault(f"POST /channels/{server.direct_messages(world.MEMBER)}/messages", "status", status=503)
        await tell(
            host,
            blocked(host, 1, 7, owner_id=str(world.MEMBER), **private),
            blocked(host, 2, 8, owner_id=str(world.MODERATOR), **private),
        )
        assert trouble.hits == 1
        assert len(server.messages()) == 1
        naps.end()
        await server.wait_messages(2)


async def test_the_oldest_give_way_where_too_many_wait_for_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Aside(tmp_path / "x.json")
    waiting.put(GUILD, [_notice(number) for number in range(aside.MOST_OF_ONE + 3)])
    assert [len(waiting.of(GUILD)), waiting.of(GUILD)[0].place] == [aside.MOST_OF_ONE, "1-3"]
    assert f"the 3 oldest notices for {GUILD} give way" in caplog.text


async def test_where_too_many_wait_in_all_the_journal_waits(
    server: DiscordServer, naps: Naps, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(server, None) as host:
        _both(host)
        _guild(host).unavailable = True
        await tell(host, blocked(host, 1, 7))
        monkeypatch.setattr(aside, "MOST", 1)
        waiting = asyncio.create_task(tell(host, blocked(host, 2, 8, guild_id=OTHER)))
        async with asyncio.timeout(10):
            while len(naps.asked) < 2:
                await asyncio.sleep(0)
        assert not waiting.done()
        _guild(host).unavailable = False
        naps.end()
        await waiting
    assert len(server.messages()) == 2


async def test_saves_that_come_together_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, written = aside._write, []

    def counted(path: Path, content: bytes) -> None:
        written.append(content)
        real(path, content)

    monkeypatch.setattr(aside, "_write", counted)
    waiting = Aside(tmp_path / "x.json")
    for number in range(20):
        waiting.put(str(number), [_notice(number)])
    await asyncio.gather(*(waiting.save() for _ in range(20)))
    assert len(written) == 1
    again = Aside(tmp_path / "x.json")
    await again.open()
    assert again.places() == {f"1-{number}" for number in range(20)}
    again.take("3", again.of("3"))
    assert again.of("3") == []


@pytest.mark.parametrize("damage", [b"\xff", b"{", b'{"1": [3]}'])
async def test_a_damaged_file_is_said_and_stops_no_start(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "x.json").write_bytes(damage)
    waiting = Aside(tmp_path / "x.json")
    await waiting.open()
    assert waiting.whose() == []
    assert "is damaged" in caplog.text


async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match=r"the notices .* cannot be read"):
        await Aside(tmp_path).open()


async def test_what_joins_those_that_wait_while_they_are_being_told_is_told_as_well(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nap(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))

    monkeypatch.setattr(notices, "_sleep", nap)
    monkeypatch.setattr(notices, "PATIENCE", 1.0)
    async with connected(server, None) as host:
        _both(host)
        _guild(host).unavailable = True
        await tell(host, blocked(host, 1, 7))  # put aside
        hung = server.fault(f"POST /channels/{world.OTHER_GENERAL}/messages", "hang", when="before")
        page = asyncio.create_task(tell(host, blocked(host, 2, 8), blocked(host, 3, 9, guild_id=OTHER)))
        await server.wait_fault(hung.id)
        _guild(host).unavailable = False  # and told, while the other one still takes its time over the page
        await server.wait_messages(1, channel_id=world.GENERAL)
        await page
        found = await server.wait_messages(2, channel_id=world.GENERAL)
        assert "standup 2" in str(found[-1])
        server.clear_faults()
