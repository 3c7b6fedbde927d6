"""Semantics, section 5: a message is out exactly once, whatever was cut off in between.

The simulated Discord keeps nonces for 180 s and outlives the bot; `fault(..., "hang", when="after")` stores the message
and keeps the answer back, which is what a crash between POST and answer looks like.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from discord.http import Route

from bot.faults import FateUnknown
from bot.sender import NONCE_LIVES
from bot.shards import Part
from schedule_zero.errors import Reject, RetryAfter
from tests.bot.stage import POST_MESSAGE, Host, ShiftedClock, connected, make_context
from tests.discord_server import world
from tests.discord_server.app import DiscordServer

pytestmark = pytest.mark.slow

GENERAL = str(world.GENERAL)


async def _cut_off(server: DiscordServer, host: Host, *, stored: bool, channel: str = GENERAL) -> None:
    """An attempt that ends between POST and answer; the message is at Discord, or is not."""
    fault = server.fault(POST_MESSAGE, "hang", when="after" if stored else "before")
    attempt = asyncio.create_task(host.send(channel_id=channel, content="tea"))
    await server.wait_fault(fault.id)
    attempt.cancel()
    await asyncio.gather(attempt, return_exceptions=True)
    server.clear_faults()


def _shown(server: DiscordServer, channel_id: int = world.GENERAL) -> list[str]:
    return [message["content"] for message in server.history(channel_id)]


async def _later(server: DiscordServer, clock: ShiftedClock, seconds: float) -> None:
    clock.ahead += seconds
    server.advance_clock(seconds)


async def test_a_message_is_posted_with_a_nonce_of_its_run(server: DiscordServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as host:
        result = await host.send(channel_id=GENERAL, content="tea")
        (entry,) = server.messages()
        assert result == {"message_id": str(server.history(world.GENERAL)[0]["id"]), "channel_id": GENERAL}
        assert entry.nonce is not None
        assert len(entry.nonce) == 25


# Complaint 4: sent twice.
async def test_a_run_that_was_answered_is_answered_again_without_a_post(server: DiscordServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as host:
        first = await host.send(channel_id=GENERAL, content="tea")
    async with connected(server, tmp_path) as host:
        server.forget_nonces()
        again = await host.send(channel_id=GENERAL, content="tea")
        assert again["message_id"] == first["message_id"]
        assert len(server.messages()) == 1


async def test_within_the_nonces_time_a_cut_off_post_is_repeated(server: DiscordServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as host:
        await _cut_off(server, host, stored=True)
    async with connected(server, tmp_path) as host:
        await host.send(channel_id=GENERAL, content="tea")
    assert _shown(server) == ["tea"]
    assert [entry.duplicate for entry in server.messages()] == [False, True]


async def test_beyond_the_nonces_time_a_cut_off_post_is_looked_for(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    async with connected(server, tmp_path) as host:
        await _cut_off(server, host, stored=True)
        for number in range(150):
            server.say(f"noise {number}")
    await _later(server, clock, 3_600)
    async with connected(server, tmp_path) as host:
        result = await host.send(channel_id=GENERAL, content="tea")
        assert result["message_id"] == server.history(world.GENERAL)[0]["id"]
    assert len(server.messages(contains="tea")) == 1


PREVIEW = {"type": "article", "url": "https://example.org/news", "title": "News", "description": "All the news"}


@pytest.mark.parametrize("late_by", [0, 3_600_000_000], ids=["without an embed of its own", "with one"])
async def test_a_message_with_a_link_is_found_although_discord_added_a_preview(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock, late_by: int
) -> None:
    text = "Read https://example.org/news".ljust(2_000, "!")  # no room for a note of lateness but in an embed
    context = make_context(late_by=late_by)
    async with connected(server, tmp_path) as host:
        fault = server.fault(POST_MESSAGE, "hang", when="after")
        attempt = asyncio.create_task(host.send(context=context, channel_id=GENERAL, content=text))
        await server.wait_fault(fault.id)
        attempt.cancel()
        await asyncio.gather(attempt, return_exceptions=True)
        server.clear_faults()
    (message,) = server.history(world.GENERAL)
    assert len(message["embeds"]) == (1 if late_by else 0)
    message["embeds"].insert(0, PREVIEW)
    await _later(server, clock, 3_600)
    async with connected(server, tmp_path) as host:
        await host.send(context=context, channel_id=GENERAL, content=text)
    assert len(server.history(world.GENERAL)) == 1


async def test_a_direct_message_is_looked_for_as_well(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    context = make_context(owner_id=str(world.MEMBER), guild_id=None)
    async with connected(server, tmp_path) as host:
        fault = server.fault(POST_MESSAGE, "hang", when="after")
        attempt = asyncio.create_task(host.send("send_dm", context=context, user_id=str(world.MEMBER), content="tea"))
        await server.wait_fault(fault.id)
        attempt.cancel()
        await asyncio.gather(attempt, return_exceptions=True)
        server.clear_faults()
    await _later(server, clock, 3_600)
    async with connected(server, tmp_path) as host:
        await host.send("send_dm", context=context, user_id=str(world.MEMBER), content="tea")
    assert _shown(server, server.direct_messages(world.MEMBER)) == ["tea"]


async def test_what_was_looked_for_in_vain_is_posted(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    async with connected(server, tmp_path) as host:
        await _cut_off(server, host, stored=False)
        server.say("tea")  # the same words by somebody else are not ours
    await _later(server, clock, 3_600)
    async with connected(server, tmp_path) as host:
        await host.send(channel_id=GENERAL, content="tea")
    assert len(server.messages(contains="tea", author_id=world.BOT)) == 1


async def test_the_same_words_of_another_run_are_not_taken_for_this_one(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    async with connected(server, tmp_path) as host:
        await _cut_off(server, host, stored=False)
        await host.send(context=make_context("run_2"), channel_id=GENERAL, content="tea")
    await _later(server, clock, 3_600)
    async with connected(server, tmp_path) as host:
        await host.send(channel_id=GENERAL, content="tea")
    assert _shown(server) == ["tea", "tea"]


async def test_where_the_history_cannot_be_read_nothing_is_repeated(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    channel = str(world.NO_HISTORY)
    async with connected(server, tmp_path) as host:
        await _cut_off(server, host, stored=True, channel=channel)
    await _later(server, clock, NONCE_LIVES + 1)
    async with connected(server, tmp_path) as host:
        with pytest.raises(FateUnknown, match=r"^unknown: an earlier attempt may have posted this"):
            await host.send(channel_id=channel, content="tea")
        with pytest.raises(Reject):
            await host.send(channel_id=channel, content="tea")
    assert len(server.messages()) == 1


async def test_a_clock_that_was_set_back_makes_a_cut_off_post_looked_for(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    async with connected(server, tmp_path) as host:
        await _cut_off(server, host, stored=True)
    server.forget_nonces()
    clock.ahead = -20.0
    async with connected(server, tmp_path) as host:
        await host.send(channel_id=GENERAL, content="tea")
    assert len(server.messages()) == 1


async def test_a_refused_post_is_forgotten_so_that_it_can_be_tried_anew(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    channel = str(world.NO_HISTORY)
    async with connected(server, tmp_path) as host:
        server.fault(POST_MESSAGE, "status", status=400)
        with pytest.raises(Reject):
            await host.send(channel_id=channel, content="tea")
        await _later(server, clock, 3_600)
        await host.send(channel_id=channel, content="tea")
    assert len(server.messages()) == 1


async def test_a_refused_repeat_does_not_forget_the_post_that_may_be_out(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    async with connected(server, tmp_path) as host:
        await _cut_off(server, host, stored=True)
    async with connected(server, tmp_path) as host:
        server.fault(POST_MESSAGE, "status", status=400)
        with pytest.raises((Reject, RetryAfter)):
            await host.send(channel_id=GENERAL, content="tea")
    await _later(server, clock, 3_600)
    async with connected(server, tmp_path) as host:
        await host.send(channel_id=GENERAL, content="tea")
    assert _shown(server) == ["tea"]


async def test_a_post_that_never_had_a_connection_is_simply_sent_later(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = str(world.NO_HISTORY)
    async with connected(server, tmp_path) as host:
        await host.send(channel_id=channel, content="cake")
        monkeypatch.setattr(Route, "BASE", "http://127.0.0.1:9/api/v10")
        with pytest.raises(RetryAfter):
            await host.send(channel_id=channel, content="tea")
        assert not host.takes_work()
        monkeypatch.setattr(Route, "BASE", server.api_url)
        await _later(server, clock, 3_600)
        await host.wait_up()
        await host.send(channel_id=channel, content="tea")
    assert len(server.messages(contains="tea")) == 1


async def test_two_attempts_of_one_run_at_once_post_one_message(server: DiscordServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as host:
        server.set_nonce_seconds(0)
        results = await asyncio.gather(*(host.send(channel_id=GENERAL, content="tea") for _ in range(3)))
        assert len({result["message_id"] for result in results}) == 1
    assert len(server.messages()) == 1


async def test_when_the_outbox_cannot_be_written_nothing_is_posted(
    server: DiscordServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(server, tmp_path) as host:
        with monkeypatch.context() as disk:
            disk.setattr("os.fsync", _disk_full)
            with pytest.raises(RetryAfter, match="outbox"):
                await host.send(channel_id=GENERAL, content="tea")
        assert server.messages() == []
        await host.send(channel_id=GENERAL, content="tea")
    assert len(server.messages()) == 1


def _disk_full(handle: int) -> None:
    raise OSError(28, "No space left on device")


async def test_a_late_message_is_found_although_its_words_grew_a_note(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock
) -> None:
    async with connected(server, tmp_path) as host:
        await _cut_off(server, host, stored=True)
    await _later(server, clock, 3_600)
    async with connected(server, tmp_path) as host:
        late = make_context(late_by=3_600_000_000)
        await host.send(context=late, channel_id=GENERAL, content="tea")
    assert _shown(server) == ["tea"]


# ── several processes ──


async def test_another_bots_cut_off_post_is_repeated_under_its_nonce(server: DiscordServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path, part=Part(0, 0, 1)) as host:
        await _cut_off(server, host, stored=True)
    async with connected(server, tmp_path, part=Part(0, 1, 2)) as host:
        await host.send(context=make_context(attempt=2), channel_id=GENERAL, content="tea")
    assert [entry.duplicate for entry in server.messages()] == [False, True]


@pytest.mark.parametrize("stored", [True, False])
async def test_another_bots_cut_off_post_is_looked_for_beyond_the_nonces_time(
    server: DiscordServer, tmp_path: Path, clock: ShiftedClock, stored: bool
) -> None:
    async with connected(server, tmp_path, part=Part(0, 0, 1)) as host:
        await _cut_off(server, host, stored=stored)
        await host.send(
            context=make_context("run_2"), channel_id=GENERAL, content="tea"
        )  # of another run, not this one
    await _later(server, clock, 3_600)
    context = make_context(attempt=2, late_by=3_600_000_000)  # it says by now that it is late
    async with connected(server, tmp_path, part=Part(0, 1, 2)) as host:
        await host.send(context=context, channel_id=GENERAL, content="tea")
        await host.send(context=context, channel_id=GENERAL, content="tea")
    assert len(server.messages(contains="tea")) == 2


async def test_what_another_bot_sent_is_answered_without_a_post(server: DiscordServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path, part=Part(0, 0, 1)) as host:
        first = await host.send(channel_id=GENERAL, content="tea")
    server.forget_nonces()
    async with connected(server, tmp_path, part=Part(0, 1, 2)) as host:
        again = await host.send(context=make_context(attempt=2), channel_id=GENERAL, content="tea")
    assert again["message_id"] == first["message_id"]
    assert len(server.messages()) == 1
