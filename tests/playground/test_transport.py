"""What the bot hears from the simulated Discord: Discord's own words, and no message twice."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest
from discord.http import Route
from hypothesis import given
from hypothesis import strategies as st
from simcord.http import FakeHTTPClient

from bot.playground.nonces import Nonces
from tests.playground.conftest import Start, Started
from tests.playground.visitor import Visitor


async def test_a_route_the_playground_lacks_is_not_found_as_on_discord(started: Started) -> None:
    with pytest.raises(discord.NotFound) as refusal:
        await started.bot.http.request(Route("GET", "/no/such/route"))
    assert refusal.value.code == 0
    assert "no GET /no/such/route" in refusal.value.text


async def test_a_field_the_playground_lacks_is_a_bad_request(started: Started) -> None:
    route = Route("PATCH", "/channels/{channel_id}", channel_id=started.channel("general"))
    with pytest.raises(discord.HTTPException) as refusal:
        await started.bot.http.request(route, json={"no_such_field": 1})
    assert (refusal.value.status, refusal.value.code) == (400, 50035)


async def test_a_defect_of_the_simulation_looks_like_a_broken_discord(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise KeyError("inside")

    monkeypatch.setattr(FakeHTTPClient, "request", broken)
    with pytest.raises(discord.DiscordServerError, match="KeyError"):
        await started.post("hello")


async def test_two_posts_with_one_nonce_are_one_message(started: Started) -> None:
    visitor = await Visitor(started.site, "general").open()
    ids = await asyncio.gather(*(started.post("once", nonce="n1") for _ in range(5)))
    assert len(set(ids)) == 1
    await visitor.sees("once")
    assert visitor.texts == ["once"]


async def test_a_nonce_counts_per_channel_and_only_when_enforced(started: Started) -> None:
    one = await started.post("a", nonce="n1")
    other = await started.post("b", "staff", nonce="n1")
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=started.channel("general"))
    unforced = await started.bot.http.request(route, json={"content": "c", "nonce": "n1"})
    assert len({one, other, int(unforced["id"])}) == 3


async def test_a_nonce_is_still_known_after_a_restart(start: Start) -> None:
    first = await (await start()).post("once", nonce="n1")
    started = await start()
    assert await started.post("once", nonce="n1") == first
    assert (await Visitor(started.site, "general").open()).texts == ["once"]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_nonce_is_forgotten_after_some_minutes() -> None:
    clock = Clock()
    nonces = Nonces(clock, lasts=300)
    nonces.note("1", "a", {"id": "1"})
    clock.now += 299
    assert nonces.find("1", "a") == {"id": "1"}
    clock.now += 2
    assert nonces.find("1", "a") is None
    assert len(nonces) == 0


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20)), max_size=60), st.integers(1, 8))
def test_nonces_take_bounded_room_and_the_newest_stay(used: list[tuple[str, int]], most: int) -> None:
    nonces = Nonces(Clock(), most=most)
    for channel_id, number in used:
        nonces.note(channel_id, str(number), {"id": str(number)})
    newest = list(dict.fromkeys((channel_id, str(number)) for channel_id, number in reversed(used)))[:most]
    assert {(channel_id, nonce) for channel_id, nonce, _ in nonces} == set(newest)
