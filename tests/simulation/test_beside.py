"""Beside a handler that hangs, crashes, lies or is slow a good one works as if it were alone: to the microsecond, in
virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from core.app import App
from core.engine.engine import Engine
from core.engine.ports import Answer, HandlerLink, Instance, Order
from core.governor.settings import GovernorSettings, Limits, MethodQuota, Plan
from core.ledger.settings import StoreSettings
from schedule_zero.handler import MethodInfo
from schedule_zero.instant import spell
from schedule_zero.run import Cause
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import DateTrigger, IntervalTrigger
from tests.simulation.day import clock_of_life, quiet, run_life
from tests.simulation.virtual import START, VirtualLoop

pytestmark = pytest.mark.slow

LASTS_S: Final = 150.0
FLOOD_AT_S: Final = 5.0
FLOOD: Final = 300
SLOTS: Final = 100
GOOD, BAD = "good", "bad"


class Far(HandlerLink):
    """A handler elsewhere that beats for what it has. ``given``: when it was given each run, and how late that was."""

    def __init__(self, engine: Engine, handler: str, place: int = 0, credit: int = 256) -> None:
        info = {"work": MethodInfo(name="work", doc="", timeout=None, at_most_once=False, schema={})}
        self.engine = engine
        self.handler = handler
        self.place = place
        self.instance = Instance(name=f"{handler}@{place}", handler=handler, methods=info, credit=credit)
        self.given: list[tuple[float, int]] = []
        self.held: dict[tuple[str, int], Order] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.start(self.beat())

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def send(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self.given.append((asyncio.get_running_loop().time(), order.late_by))
            self.held[order.run_id, order.attempt] = order
        for order in orders:
            self.take(order)

    def take(self, order: Order) -> None:
        self.start(self.work(order))

    async def work(self, order: Order) -> None:
        await asyncio.sleep(0.1)
        self.answer(order, "succeeded", value="null")

    def answer(self, order: Order, kind: str, **fields: object) -> None:
        self.held.pop((order.run_id, order.attempt), None)
        self.engine.answer(
            [Answer(run_id=order.run_id, attempt=order.attempt, instance=self.instance.name, kind=kind, **fields)]  # type: ignore[arg-type]
        )

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(2.0)
            self.engine.beat(self.instance.name, list(self.held))

    def cancel(self, run_id: str, attempt: int) -> None: ...
    def acknowledge(self, answered: Sequence[tuple[str, int]]) -> None: ...
    def drain(self) -> None: ...

    async def close(self, grace_s: float) -> None:
        for task in self.tasks:
            task.cancel()


class Hanging(Far):
    """Takes all it gets, beats, never answers and heeds no cancel."""

    def take(self, order: Order) -> None: ...


class Greedy(Hanging):
    """The same, and claims that it can do thousands at once."""

    def __init__(self, engine: Engine, handler: str) -> None:
        super().__init__(engine, handler, credit=4096)


class Mute(Hanging):
    """Takes all it gets, and is not heard of again."""

    async def beat(self) -> None: ...


class Failing(Far):
    """Fails at once, whatever it gets."""

    async def work(self, order: Order) -> None:
        self.answer(order, "failed", cause=Cause.PASSING, error="503")


class Slow(Far):
    """Answers after twenty seconds."""

    async def work(self, order: Order) -> None:
        await asyncio.sleep(20.0)
        self.answer(order, "succeeded", value="null")


class Crashing(Far):
    """Dies of its first run, and is there again a second later as another process."""

    def take(self, order: Order) -> None:
        if self.engine.fleet.link(self.instance.name) is self:
            self.engine.leave(self.instance, "its connection broke")
            self.held.clear()
            self.start(self.again())

    async def again(self) -> None:
        await asyncio.sleep(1.0)
        self.engine.join(Crashing(self.engine, self.handler, self.place + 1))


class Lying(Hanging):
    """Answers and beats for what the good one was given, and reports progress of it."""

    def take(self, order: Order) -> None:
        others = [flight.order for flight in self.engine.flights if flight.order.handler == GOOD]
        for other in others:
            self.answer(other, "succeeded", value='"a lie"')
            self.answer(other, "failed", cause=Cause.LASTING, error="a lie")
        self.engine.beat(self.instance.name, [(other.run_id, other.attempt) for other in others])


BADS: Final = [Hanging, Greedy, Mute, Failing, Slow, Crashing, Lying]


def settings(adaptive: str | None) -> GovernorSettings:
    methods = {} if adaptive is None else {"bad.work": MethodQuota(adaptive=adaptive)}  # type: ignore[arg-type]
    return GovernorSettings(
        global_=Limits(running=SLOTS), plans={"free": Plan()}, default_plan="free", methods=methods
    )  # fmt: skip


@cache
def given_to_good(
    bad: type[Far] | None, guild_id: str | None = "2", adaptive: str | None = None
) -> list[tuple[float, int]]:
    """When the good handler was given each of its runs, with the bad one beside it, or alone."""
    given: list[tuple[float, int]] = []

    async def life() -> None:
        app = App(
            store=StoreSettings(url="memory"),
            data_dir=Path("unused"),
            governor=settings(adaptive),
            clock=clock_of_life(),
        )
        async with app.running():
            good = Far(app.engine, GOOD)
            app.engine.join(good)
            each_second = IntervalTrigger(every="PT1S", start=spell(START + 2_000_000))
            await app.client.create_schedule(
                ScheduleSpec(handler=GOOD, method="work", guild_id="1", trigger=each_second)
            )
            if bad is not None:
                app.engine.join(bad(app.engine, BAD))
                never = DateTrigger(at=spell(START + 10**12))
                flood = await app.client.create_schedule(
                    ScheduleSpec(
                        handler=BAD, method="work", guild_id=guild_id, trigger=never, policy={"overlap": "allow"}
                    )
                )
                await asyncio.sleep(FLOOD_AT_S)
                for _ in range(FLOOD):
                    await app.client.run_schedule(flood.id)
            loop = asyncio.get_running_loop()
            await asyncio.sleep(LASTS_S - loop.time())
            given.extend(good.given)
            runs = (await app.client.list_runs(guild_id="1", state="succeeded", limit=200)).items
            assert len(runs) >= LASTS_S - 5, "what others say of its runs is not believed"
            assert {run.result for run in runs if run.attempts[0].handler == GOOD} == {None}
            for task in good.tasks:
                task.cancel()

    with quiet() as loops:
        loops.append(VirtualLoop(0.0))
        run_life(loops[-1], 0, life())
    return given


@pytest.mark.parametrize(
    "guild_id",
    ["2", "1", None],
    ids=["anothers", "its own", "the operators"],
)
@pytest.mark.parametrize("bad", BADS)
def test_beside_a_bad_handler_a_good_one_is_given_its_runs_as_if_it_were_alone(
    bad: type[Far], guild_id: str | None
) -> None:
    alone = given_to_good(None)
    assert len(alone) >= LASTS_S - 4
    assert given_to_good(bad, guild_id) == alone


@pytest.mark.parametrize("adaptive", ["aimd", "gradient2"])
def test_a_limit_that_adapts_to_the_bad_one_is_the_bad_ones_alone(adaptive: str) -> None:
    assert given_to_good(Hanging, "2", adaptive) == given_to_good(None)
