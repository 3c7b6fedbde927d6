"""One simulated day: a core that is stopped dead again and again, people who use it, and a world that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import logging
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apscheduler._schedulers.async_ as aps
import msgspec
import structlog

from core.app import App
from core.engine.ports import Pace
from core.governor.settings import GovernorSettings, Plan
from core.ledger.port import StoreError
from core.ledger.settings import StoreSettings
from core.service import errands, keys
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.ids import IdMaker
from tests.simulation.disk import Disk, simulated_ledger
from tests.simulation.people import People
from tests.simulation.rows import Rows
from tests.simulation.virtual import START, Deadlock, VirtualClock, VirtualLoop
from tests.simulation.world import Guards, World, WorldLink

DAY_S = 86_400.0
CALM_S = 3_600.0  # the last hour has no faults, so that everything under way can end
LIMITS = GovernorSettings(
    default_plan="day", plans={"day": Plan(running=3, rate="20/min", runs_per_hour=60, schedules=50)}
)
IDLE_S = 300.0
"""Between two looks at what only other processes change, as there are none in a day: each look is steps nothing comes of."""
PACE = Pace(longest_sleep_s=900.0, dispatch_s=900.0, janitor_s=300.0)


class Story(msgspec.Struct):
    """What a day leaves: the disk, the world, what people were told, and how often the core was stopped."""

    seed: int
    disk: Disk
    world: World
    people: People
    stops: int
    steps: int
    end: int

    def close(self) -> None:
        """Throw the disk away."""
        self.disk.rows.close()


class _Now(dt.datetime):
    """APScheduler reads the wall clock by itself; here it reads the simulated one."""

    clock: VirtualClock

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=cls.clock.now())


def live(seed: int, guards: Guards | None = None, *, stop_every: int = 430, rows: Rows | None = None) -> Story:
    """Simulate one day.

    Args:
        seed: decides everything.
        guards: which of the guards against doubled messages stand.
        stop_every: about how many steps the core takes between two stops.
        rows: where the ledger lies; in memory unless said.
    """
    rng = random.Random(f"day {seed}")
    world = World(seed, guards or Guards())
    disk = Disk(random.Random(f"disk {seed}"), rows, died_with_us=seed % 2 == 0)
    people = People(random.Random(f"people {seed}"))
    now, skew, stops, steps, life = 0.0, 0, 0, 0, 0
    with quiet() as loops:
        while now < DAY_S:
            calm = now >= DAY_S - CALM_S
            stop_at = None if calm else 1 + int(rng.expovariate(1 / stop_every))
            until = DAY_S if calm else min(DAY_S - CALM_S, now + rng.uniform(600, 20_000))
            loops.append(VirtualLoop(now, stop_at))
            entropy = random.Random(f"{seed}/{life}")
            disk.calm, life = calm, life + 1
            run_life(loops[-1], skew, _core(disk, world, people, entropy, until, calm, life))
            now, steps, stops = loops[-1].time(), steps + loops[-1].steps, stops + loops[-1].frozen
            if not calm and now < DAY_S - CALM_S:
                now = min(DAY_S - CALM_S, now + rng.choice([1.0, 5.0, 60.0, rng.uniform(60, 7200)]))
                skew += rng.choice([0, 0, 0, rng.randint(-30, 30) * 1_000_000])
    return Story(seed, disk, world, people, stops, steps, START + int(now * 1e6) + skew)


async def _core(
    disk: Disk, world: World, people: People, entropy: random.Random, until: float, calm: bool, life: int
) -> None:  # fmt: skip
    """One life of the core: start, serve, and end when it is told to, or when its store fails."""
    clock = clock_of_life()
    app = App(
        store=StoreSettings(url="memory"), data_dir=Path("unused"), governor=LIMITS, clock=clock,
        pace=PACE, ledger=simulated_ledger(disk), ids=IdMaker(entropy.randbytes),
    )  # fmt: skip
    with contextlib.suppress(StoreError):
        async with app.running():
            # Every other day the handlers seem to live elsewhere: their attempts keep a lease over a restart.
            home = app.engine.incarnation if disk.died_with_us else f"elsewhere-{life}"
            link = WorldLink(world, app.engine, calm, home)
            app.engine.fleet.join(link.instance, link)
            app.engine.fleet_changed()
            busy = asyncio.create_task(people.use(app.client, clock, calm=calm))
            stop = asyncio.get_running_loop().call_at(until, app.stop_requested.set)
            try:
                await app.wait()
            finally:
                stop.cancel()
                busy.cancel()
                with contextlib.suppress(asyncio.CancelledError, ScheduleZeroError):
                    await busy


def clock_of_life() -> VirtualClock:
    """The clock of the life that is being lived."""
    return _Now.clock


def run_life(loop: VirtualLoop, skew: int, life: Any) -> None:
    """Run one life to its end, or to the step at which everything freezes."""
    _Now.clock = VirtualClock(loop, skew)
    asyncio.set_event_loop(loop)
    task = loop.create_task(life)
    task.add_done_callback(lambda _: loop.stop())
    try:
        loop.run_forever()
        if not loop.frozen:
            task.result()
    except Deadlock:
        raise AssertionError("every task waits and no timer is set: a wake-up was lost") from None
    finally:
        asyncio.set_event_loop(None)
        del _Now.clock


@contextlib.contextmanager
def quiet() -> Iterator[list[VirtualLoop]]:
    """A frozen life leaves coroutines that complain when they are collected; that is no news here.

    Whoever lived on the loops of the list is collected at the end, all together.
    """
    hook, real = sys.unraisablehook, vars(aps)["datetime"]
    looks = {room: vars(room)["LOOK_S"] for room in (errands, keys)}
    loops: list[VirtualLoop] = []
    sys.unraisablehook = lambda _: None
    vars(aps)["datetime"] = _Now
    for room in looks:
        vars(room)["LOOK_S"] = IDLE_S
    gc.disable()
    gc.freeze()  # what was there before the day need not be looked through after it
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield loops
    finally:
        vars(aps)["datetime"] = real
        for room, look_s in looks.items():
            vars(room)["LOOK_S"] = look_s
        while loops:
            loops.pop().bury()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of coroutines that were never awaited
            while gc.collect():  # what is unwound reaches for what was to go with it, once
                pass
        gc.unfreeze()
        gc.enable()
        structlog.reset_defaults()
        logging.disable(logging.NOTSET)
        sys.unraisablehook = hook
