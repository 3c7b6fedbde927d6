"""The pump: what is taken in one turn of the loop is bounded, so that one who sends much keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import zmq

from schedule_zero.transport.pump import AT_ONCE, BYTES_AT_ONCE, Pump


@pytest.mark.parametrize(
    ("messages", "taken"),
    [
        ([b"x" * (BYTES_AT_ONCE // 2)] * 5, [2, 2, 1]),
        ([b"x" * (BYTES_AT_ONCE + 1)] * 3, [1, 1, 1]),
        ([b"x"] * (2 * AT_ONCE + 1), [AT_ONCE, AT_ONCE, 1]),
    ],
    ids=["as many as hold so many bytes", "one that is larger", "so many"],
)
async def test_one_turn_of_the_loop_takes_so_much_and_others_have_theirs_before_the_next(
    messages: list[bytes], taken: list[int]
) -> None:
    with zmq.Context() as context:
        ours: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        theirs: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        ours.rcvhwm = 0
        ours.bind("inproc://pump")
        theirs.connect("inproc://pump")
        for message in messages:
            theirs.send(message, zmq.NOBLOCK)
        turns: list[Any] = []
        done = asyncio.Event()

        def take(batch: Sequence[Sequence[bytes]]) -> None:
            turns.append(len(batch))
            asyncio.get_running_loop().call_soon(turns.append, "others")
            if sum(turn for turn in turns if turn != "others") == len(messages):
                done.set()

        pump = Pump(ours, take)
        async with asyncio.timeout(10):
            await done.wait()
        await pump.close(0)
        theirs.close(0)
    assert turns == [each for count in taken for each in (count, "others")]
