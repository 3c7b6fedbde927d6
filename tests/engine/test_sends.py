"""Messages into one channel, and direct messages: held back each by itself, told, and kept over a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from schedule_zero import Handler, method
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import Schedule
from schedule_zero.views import Gauge
from tests.engine.house import House, plan

Build = Callable[..., Awaitable[House]]


class Post(Handler):
    """As the handler ``discord``, without Discord."""

    name = "discord"

    def __init__(self) -> None:
        self.sent: list[str] = []

    @method()
    async def send_message(self, channel_id: str, content: str = "x") -> None:
        self.sent.append(channel_id)

    @method()
    async def send_dm(self, user_id: str, content: str = "x") -> None:
        self.sent.append(user_id)


@pytest.fixture
async def post(build: Build) -> tuple[House, Post]:
    return await opened(build, sends_per_channel="2/min", dms_per_hour=1)


async def opened(build: Build, **limits: Any) -> tuple[House, Post]:
    house, handler = await build(governor=plan(**limits)), Post()
    house.engine.serve(handler)
    return house, handler


async def to(house: House, channel_id: str, guild_id: str = "1") -> Schedule:
    return await house.schedule(
        handler="discord", method="send_message", guild_id=guild_id, args={"channel_id": channel_id},
        policy={"overlap": "allow"},
    )  # fmt: skip


async def ok(house: House, run: Run) -> None:
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_a_channel_that_is_used_up_holds_its_own_messages_back_and_says_so(post: tuple[House, Post]) -> None:
    house, _ = post
    busy, other, foreign = await to(house, "7"), await to(house, "8"), await to(house, "7", "2")
    for run in [await house.run_now(busy) for _ in range(2)]:
        await ok(house, run)
    third = await house.run_now(busy)
    held = await house.why(third)
    assert (held.scope, held.limit, held.used, held.allowed) == ("channel:1/7", "sends_per_channel", 2, 2)
    assert held.until is not None
    assert held.words.startswith("Channel 7 has used 2 of 2 sends its rate allows; the next can start at ")
    checked = (await house.client.check_run(busy.id)).why
    assert checked is not None
    assert checked.scope == "channel:1/7"
    await ok(house, await house.run_now(other))
    await ok(house, await house.run_now(foreign))
    house.pass_time(31)
    await ok(house, third)


async def test_direct_messages_are_held_back_for_the_guild_and_outside_for_each_person(
    post: tuple[House, Post],
) -> None:
    house, _ = post

    async def dm(guild_id: str | None, owner: str) -> Run:
        schedule = await house.schedule(
            handler="discord", method="send_dm", guild_id=guild_id, args={"user_id": owner}, owner_id=owner
        )
        return await house.run_now(schedule)

    first, second = [await dm("1", "100000000000000001") for _ in range(2)]
    await ok(house, first)
    assert (await house.why(second)).scope == "dms:1"
    mine, again = [await dm(None, "100000000000000001") for _ in range(2)]
    await ok(house, mine)
    assert (await house.why(again)).scope == "person:100000000000000001"
    await ok(house, await dm(None, "100000000000000002"))


async def test_the_operators_own_messages_are_not_counted(post: tuple[House, Post]) -> None:
    house, _ = post
    schedule = await house.schedule(
        handler="discord", method="send_dm", guild_id=None, args={"user_id": "5"}, policy={"overlap": "allow"}
    )
    for run in [await house.run_now(schedule) for _ in range(5)]:
        await ok(house, run)


async def test_a_restart_neither_forgets_what_was_sent_nor_where_waiting_runs_go(build: Build) -> None:
    limits = {"sends_per_channel": "2/min"}
    house, _ = await opened(build, **limits)
    busy, other = await to(house, "7"), await to(house, "8")
    for run in [await house.run_now(busy) for _ in range(2)]:
        await ok(house, run)
    third = await house.run_now(busy)
    assert (await house.why(third)).scope == "channel:1/7"
    await house.kill()
    house, handler = await opened(build, **limits)
    assert (await house.why(third)).scope == "channel:1/7"
    await ok(house, await house.run_now(other))
    assert handler.sent == ["8"]
    house.pass_time(61)
    await ok(house, third)


async def test_a_waiting_run_whose_schedule_goes_to_another_channel_now_counts_there(post: tuple[House, Post]) -> None:
    house, handler = post
    busy = await to(house, "7")
    for run in [await house.run_now(busy) for _ in range(2)]:
        await ok(house, run)
    third = await house.run_now(busy)
    assert (await house.why(third)).scope == "channel:1/7"
    await house.client.patch_schedule(busy.id, {"args": {"channel_id": "9"}})
    await ok(house, third)
    assert handler.sent == ["7", "7", "9"]


async def test_a_limit_set_while_runs_wait_tells_their_channels_apart(build: Build) -> None:
    house, handler = await opened(build)
    handler.set_available(False)
    one, two = await to(house, "7"), await to(house, "8")
    runs = [await house.run_now(schedule) for schedule in (one, one, one, two)]
    await house.until(lambda: house.engine.queue.waiting() == 4)
    await house.client.change_guild_quota("1", {"sends_per_channel": "1/min"})
    handler.set_available(True)
    await ok(house, runs[3])
    assert sorted(handler.sent) == ["7", "8"]
    await house.client.change_guild_quota("1", {}, reset=["sends_per_channel"])
    for run in runs:
        await ok(house, run)


async def test_the_busiest_channels_and_direct_messages_are_shown_with_their_use(post: tuple[House, Post]) -> None:
    house, _ = post
    for channel, times in [("7", 2), ("8", 1)]:
        schedule = await to(house, channel)
        for run in [await house.run_now(schedule) for _ in range(times)]:
            await ok(house, run)
    gauges = [
        each for each in (await house.client.get_guild("1")).gauges
        if each.limit in ("sends_per_channel", "dms_per_hour")
    ]  # fmt: skip
    assert [(each.scope, each.words, each.allowed) for each in gauges] == [
        ("guild:1", "2/min", None), ("channel:1/7", "2/min", 2), ("channel:1/8", "2/min", 2), ("guild:1", "", 1),
    ]  # fmt: skip
    assert [_rounded(each) for each in gauges] == [None, 2, 1, 0]


def _rounded(gauge: Gauge) -> int | None:
    return None if gauge.used is None else round(gauge.used)


async def test_what_cannot_be_read_at_the_moment_is_asked_for_again(
    post: tuple[House, Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, _ = post
    room, usher, asked = house.engine.room, house.engine.usher, asyncio.Event()
    whole = usher.look_up

    async def fails_first() -> None:
        if not asked.is_set():
            asked.set()
            waiting = room.take_unknown()
            room.ask_again(waiting)
            return
        await whole()

    monkeypatch.setattr(usher, "look_up", fails_first)
    monkeypatch.setattr(house.engine.book, "known", lambda id: None)
    run = await house.run_now(await to(house, "7"))
    await ok(house, run)
    assert asked.is_set()
