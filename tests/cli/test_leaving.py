"""Leaving: a Discord side that overhears that it shall end is told again."""

from __future__ import annotations

import asyncio

import pytest

from core.commands import up


async def deaf(times: int, asked: list[int]) -> None:
    """Swallows so many cancellations, as discord.py does while a shard reconnects."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            asked.append(len(asked))
            if len(asked) > times:
                raise


@pytest.mark.parametrize("times", [0, 1, up.LEAVINGS - 1])
async def test_a_side_that_swallows_a_cancellation_is_asked_again(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr(up, "LEAVING_S", 0.01)
    asked: list[int] = []
    side = asyncio.create_task(deaf(times, asked))
    await asyncio.sleep(0)
    await up.end([side])
    assert side.cancelled()
    assert len(asked) == times + 1


async def test_a_side_that_never_ends_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "LEAVING_S", 0.01)
    asked: list[int] = []
    side = asyncio.create_task(deaf(up.LEAVINGS, asked))
    await asyncio.sleep(0)
    await up.end([side])
    assert not side.done()
    side.cancel()
    await asyncio.gather(side, return_exceptions=True)
