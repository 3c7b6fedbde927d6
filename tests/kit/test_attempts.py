"""The work in hand: what is told of an attempt that is stopped, before it began or while it runs."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from schedule_zero import Handler, method
from schedule_zero.handler import Context, methods_of
from schedule_zero.process.attempts import Attempts
from schedule_zero.process.silences import Silences
from schedule_zero.process.slots import Slots
from schedule_zero.transport import wire


class Slow(Handler):
    """Works until it is stopped."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    @method
    async def work(self, ctx: Context) -> None:
        self.begun.append(ctx.run_id)
        await asyncio.Event().wait()

    @method
    def block(self, ctx: Context) -> None:
        self.begun.append(ctx.run_id)
        while not ctx.cancelled:
            time.sleep(0.001)


def order(run_id: str, name: str = "work") -> wire.Order:
    return wire.Order(run_id, 1, name, "{}", "sch_1", None, "1", 0, 0, 60.0, "{}")


class Hands:
    """One slot, and what is said from it."""

    def __init__(self) -> None:
        self.handler = Slow()
        self.said: list[msgspec.Struct] = []
        self.told: list[wire.Ended] = []
        self.attempts = Attempts(
            methods_of(self.handler), Slots(1).seat(lambda: None), say=self.said.append, tell=self.told.append,
            heard=lambda: True, silences=Silences(),
        )  # fmt: skip

    async def begin(self, *orders: wire.Order) -> None:
        """Until the first of them runs; the others wait behind it."""
        for each in orders:
            self.attempts.begin(each, draining=False)
        async with asyncio.timeout(10):
            while not self.handler.begun:
                await asyncio.sleep(0)

    async def over(self) -> None:
        """Until nothing of them is on the loop."""
        own = asyncio.current_task()
        async with asyncio.timeout(10):
            await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not own), return_exceptions=True)


async def test_what_waits_for_a_slot_at_the_end_is_handed_back_as_not_begun_and_what_runs_as_cancelled() -> None:
    hands = Hands()
    await hands.begin(order("run_a"), order("run_b"), order("run_c"))
    assert hands.attempts.hand_back() == [("run_a", 1)]
    await hands.over()
    assert hands.said == [wire.Nack("run_b", 1, "draining"), wire.Nack("run_c", 1, "draining")]
    assert [(each.run_id, each.status) for each in hands.told] == [("run_a", "cancelled")]
    assert (hands.handler.begun, hands.attempts.held()) == (["run_a"], [("run_a", 1)])


async def test_what_the_core_cancels_while_it_waits_for_a_slot_is_answered_at_once_and_never_begun() -> None:
    hands = Hands()
    await hands.begin(order("run_a"), order("run_b"))
    hands.attempts.cancel(("run_b", 1))
    assert [(each.run_id, each.status) for each in hands.told] == [("run_b", "cancelled")]
    hands.attempts.cancel(("run_a", 1))
    await hands.over()
    assert [each.run_id for each in hands.told] == ["run_b", "run_a"]
    assert hands.handler.begun == ["run_a"]


@pytest.mark.parametrize("name", ["work", "block"])
async def test_what_is_cut_off_is_told_to_stop_and_is_no_fault_of_its_method(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    hands = Hands()
    await hands.begin(order("run_a", name), order("run_b"))
    assert hands.attempts.abandon() == [("run_a", 1), ("run_b", 1)]
    await hands.over()
    assert (hands.told, hands.said, hands.handler.begun) == ([], [], ["run_a"])
    assert "handler failed" not in caplog.text
