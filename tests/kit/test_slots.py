"""Slots: what several cores are offered is never more than there is, and a late order waits."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.process.slots import Seat, Slots


def seats(most: int, held: list[int], turn: int = 0) -> tuple[Slots, list[Seat]]:
    """Seats that take, and hold so many."""
    slots = Slots(most)
    made = [slots.seat(lambda: None) for _ in held]
    slots._telling = True  # nobody to tell
    for seat, count in zip(made, held, strict=True):
        seat.taking = True
        seat.held = count
    slots._turn = turn
    return slots, made


@given(st.integers(1, 300), st.lists(st.integers(0, 100), min_size=1, max_size=6), st.integers(0, 10))
def test_all_cores_together_are_offered_what_there_is_and_no_more(most: int, held: list[int], turn: int) -> None:
    _, made = seats(most, held, turn)
    assert sum(seat.credit() for seat in made) == max(most, sum(held))
    assert all(seat.credit() >= seat.held for seat in made)


def test_a_core_alone_has_all_and_one_that_went_leaves_its_part() -> None:
    _, (first,) = seats(8, [3])
    assert first.credit() == 8
    _, (first, second) = seats(8, [2, 3])
    assert (first.credit(), second.credit()) == (4, 4)
    second.taking = False
    assert first.credit() == 5


async def test_what_comes_beyond_the_slots_waits_for_one_and_can_be_cancelled() -> None:
    _, (first, second) = seats(1, [0, 0])
    order: list[str] = []

    async def work(seat: Seat, name: str) -> None:
        async with seat:
            order.append(name)

    async with AsyncExitStack() as leaving:
        await leaving.enter_async_context(first)
        tasks = [asyncio.create_task(work(second, name)) for name in "abc"]
        for _ in range(5):
            await asyncio.sleep(0)
        assert (order, second.held) == ([], 3)
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        assert second.held == 2
    await asyncio.gather(tasks[0], tasks[2])
    assert (order, first.held, second.held) == (["a", "c"], 0, 0)
