"""What a method tells goes on at once, then at most ten times a second, and the rest at its end; from any thread."""

from __future__ import annotations

import asyncio
import threading

from schedule_zero.process.calling import OnLoop
from schedule_zero.process.lines import Told
from schedule_zero.process.telling import Teller


class Ear:
    """Hears what is told."""

    def __init__(self, *, listens: bool = True) -> None:
        self.heard: list[Told] = []
        self.listens = listens
        self.teller = Teller(OnLoop(), self.heard.append, may_tell=lambda: self.listens)

    @property
    def lines(self) -> list[str]:
        return [line.text for told in self.heard for line in told.taken.lines]

    @property
    def left_out(self) -> int:
        return sum(told.taken.left_out + sum(line.left_out for line in told.taken.lines) for told in self.heard)


async def test_the_first_is_told_at_once_and_the_others_together() -> None:
    ear = Ear()
    ear.teller.note("log", None, "a")
    assert ear.lines == ["a"]
    for text in "bc":
        ear.teller.note("log", None, text)
    ear.teller.note("progress", 0.25, "a quarter")
    ear.teller.note("progress", 0.5, "half")
    assert len(ear.heard) == 1
    async with asyncio.timeout(10):
        while len(ear.heard) < 2:
            await asyncio.sleep(0.001)
    assert ear.lines == ["a", "b", "c"]
    assert (ear.heard[1].fraction, ear.heard[1].note) == (0.5, "half")


async def test_the_rest_is_told_at_the_end_and_nothing_afterwards() -> None:
    ear = Ear()
    for text in "ab":
        ear.teller.note("log", None, text)
    assert ear.teller.flush(last=True)
    ear.teller.close()
    ear.teller.note("log", None, "too late")
    await asyncio.sleep(0)
    assert ear.lines == ["a", "b"]


async def test_nothing_is_told_while_nobody_listens_and_everything_then() -> None:
    ear = Ear(listens=False)
    ear.teller.note("log", None, "a")
    assert not ear.teller.flush()
    ear.listens = True
    ear.teller.note("log", None, "b")
    assert ear.teller.flush()
    assert ear.lines == ["a", "b"]


async def test_a_thread_that_logs_in_a_tight_loop_fills_its_excerpt_and_not_the_loop() -> None:
    ear, calls = Ear(), 0
    loop = asyncio.get_running_loop()
    soon = loop.call_soon_threadsafe

    def counted(*args: object) -> asyncio.Handle:
        nonlocal calls
        calls += 1
        return soon(*args)  # type: ignore[arg-type]

    loop.call_soon_threadsafe = counted  # type: ignore[assignment,method-assign]

    def talk() -> None:
        for n in range(20_000):
            ear.teller.note("log", None, str(n))

    thread = threading.Thread(target=talk)
    thread.start()
    thread.join()  # the loop stands still meanwhile
    assert calls <= 1
    async with asyncio.timeout(10):
        while not ear.heard:
            await asyncio.sleep(0)
    ear.teller.flush(last=True)
    assert (ear.lines[0], ear.lines[-1]) == ("0", "19999")
    assert len(ear.lines) <= 1000
    assert len(ear.lines) + ear.left_out == 20_000
