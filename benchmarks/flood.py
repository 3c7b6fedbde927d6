"""A flood on the real core: one guild has 10,000 runs due at once, fifty quiet ones have one each second.

In one process, on the default store; a run occupies one of 100 slots and does nothing else. What quiet runs wait is read
where they begin to work. The same load with all of it one guild's is first come, first served on the same core. At last
``up`` is killed in the middle of such a flood and started again, and everything is counted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from benchmarks.creates import BATCH, BATCH_PATH, Client, accepted
from benchmarks.crowd import SUCCEEDED, asked, reached, until
from benchmarks.measure import Figures, app_in, median_of, thread_cpu
from benchmarks.percentiles import percentile
from benchmarks.service import running_service
from core.app import App
from core.engine.ports import SystemClock
from core.governor.settings import GovernorSettings, Limits, Plan
from schedule_zero.handler import Context, Handler, method
from schedule_zero.instant import SECOND, spell

FLOOD: Final = 10_000
QUIET: Final = 50
SLOTS: Final = 100
RUNS: Final = 3
AHEAD_S: Final = 15
BEFORE_S: Final = 1  # quiet runs have gone for so long when the flood comes
SETTINGS: Final = GovernorSettings(
    global_=Limits(running=SLOTS, rate="1000000/s", burst=1_000_000),
    plans={"bench": Plan(running=100_000, rate="1000000/s", burst=1_000_000, runs_per_day=10**8)},
    default_plan="bench",
)
KILLED_AT: Final = FLOOD // 4
QUIET_S: Final = 19  # of the flood that is killed; with the second before it, batches are full
QUIET_MARK: Final = "quiet"
UNDER_WAY: Final = "SELECT count(*) FROM leases"
SPENT: Final = "SELECT coalesce(sum(used), 0) FROM usage"
COUNTS: Final = {
    "runs": "SELECT count(*) FROM runs", "succeeded": SUCCEEDED,
    "schedules that ran": "SELECT count(DISTINCT schedule_id) FROM runs",
    "charged to quotas": SPENT, "told as succeeded": "SELECT count(*) FROM journal WHERE kind = 'run.succeeded'",
}  # fmt: skip


class Load(msgspec.Struct, frozen=True):
    """Who has what to do.

    Attributes:
        flooding: the guilds that share the flood; none: there is no flood.
        quiet: the guilds with one run each second.
        run_s: how long each run takes.
        lasts_s: how long the quiet ones go on.
        size: how many runs the flood has.
    """

    flooding: tuple[str, ...]
    quiet: tuple[str, ...]
    run_s: float
    lasts_s: int
    size: int = FLOOD

    def schedules(self, due: int, handler: str, method: str, length: str) -> Iterable[dict[str, Any]]:
        """All of them one-shots; the flood is due at one instant (wall microseconds)."""
        for n in range(self.size if self.flooding else 0):
            yield _one_shot(handler, method, self.flooding[n % len(self.flooding)], due, {length: self.run_s})
        for second in range(-BEFORE_S, self.lasts_s):
            for place, guild in enumerate(self.quiet):
                at = due + second * SECOND + place * SECOND // len(self.quiet)
                yield _one_shot(handler, method, guild, at, {length: self.run_s, "value": QUIET_MARK})


def _one_shot(handler: str, method: str, guild: str, at: int, args: dict[str, Any]) -> dict[str, Any]:
    trigger = {"type": "date", "at": spell(at)}
    return {"handler": handler, "method": method, "guild_id": guild, "args": args, "trigger": trigger}


class Seat(Handler):
    """Occupies a slot for a time.

    Attributes:
        waits: of quiet runs, when each was due, and how late it began (microseconds).
        flooded: how many runs of the flood have ended.
    """

    name = "seat"

    def __init__(self) -> None:
        self.waits: list[tuple[int, int]] = []
        self.flooded = 0
        self._clock = SystemClock()

    @method()
    async def take(self, ctx: Context, seconds: float, value: str = "") -> None:
        """Do nothing for so long."""
        if value == QUIET_MARK:
            self.waits.append((ctx.due, self._clock.now() - ctx.due))
        await asyncio.sleep(seconds)
        self.flooded += value != QUIET_MARK


class Told(msgspec.Struct):
    """What a load came to: waits of quiet runs due while the flood lasted, in ms; how long it lasted; the loop's CPU."""

    waits: list[float]
    lasted_s: float
    cpu_s: float


async def once(folder: Path, load: Load) -> Told:
    """One load on a core of its own."""
    seat = Seat()
    app = app_in(folder, SETTINGS, seat)
    async with app.running():
        due = SystemClock().now() + AHEAD_S * SECOND
        await save(app, list(load.schedules(due, "seat", "take", "seconds")))
        await until(due)
        began, cpu = time.perf_counter(), thread_cpu()
        if load.flooding:
            while seat.flooded < load.size:
                await asyncio.sleep(0.05)
        else:
            await asyncio.sleep(load.lasts_s)
        lasted, spent = time.perf_counter() - began, thread_cpu() - cpu
    over = due + int(lasted * SECOND)
    return Told([late / 1000 for at, late in seat.waits if due <= at < over], lasted, spent)


async def save(app: App, items: list[dict[str, Any]]) -> None:
    for start in range(0, len(items), BATCH):
        made = await app.client.create_schedules(items[start : start + BATCH])
        refused = [item.problem for item in made.items if item.status != 201]
        assert not refused, refused[0]


async def beside(folder: Path, *, run_s: float, floods: int = 1, size: int = FLOOD, guilds: int = QUIET) -> Figures:
    """The quiet guilds alone, then beside the flood, then all of it as one guild's."""
    flooding = tuple(f"10{number}" for number in range(floods))
    quiet = tuple(f"2{number:02}" for number in range(guilds))
    lasts_s = int(1.4 * size * run_s / SLOTS) + 5
    alone = await once(folder / "alone", Load((), quiet, run_s, lasts_s))
    fair = await once(folder / "fair", Load(flooding, quiet, run_s, lasts_s, size))
    fifo = await once(folder / "fifo", Load(flooding[:1], flooding[:1] * guilds, run_s, lasts_s, size))
    free = SLOTS / 5 - guilds * run_s  # of the fifth that the cap leaves, what the quiet ones do not use themselves
    calm, most = percentile(alone.waits, 0.99), percentile(fair.waits, 0.99)
    return {
        "quiet wait p50 ms, alone": percentile(alone.waits, 0.50),
        "quiet wait p99 ms, alone": calm,
        "quiet wait p50 ms, beside the flood": percentile(fair.waits, 0.50),
        "quiet wait p99 ms, beside the flood": most,
        "quiet wait longest ms, beside the flood": max(fair.waits),
        "quiet extra wait p99 ms": most - calm,
        "one run time / the free slots, ms": run_s / free * 1000,
        "quiet wait p99 ms, first come first served": percentile(fifo.waits, 0.99),
        "flood took s": fair.lasted_s,
        "flood took / first come first served": fair.lasted_s / fifo.lasted_s,
        "loop busy beside the flood": fair.cpu_s / fair.lasted_s,
    }


async def killed(folder: Path) -> Figures:
    """kill -9 once a quarter of the flood has ended, start again, and count: nothing twice, nothing missing."""
    quiet = tuple(f"2{number:02}" for number in range(QUIET))
    load = Load(("100",), quiet, 0.2, QUIET_S)
    async with running_service(folder, bound=False) as service:
        due = time.time_ns() // 1000 + 20 * SECOND
        items = list(load.schedules(due, "echo", "echo", "after"))
        async with aiohttp.ClientSession(headers=service.headers) as session:
            client = Client(session, service)
            for start in range(0, len(items), BATCH):
                content = msgspec.json.encode({"items": items[start : start + BATCH]})
                accepted((await client.send("POST", BATCH_PATH, content))[1])
        await until(due)
        await reached(partial(asked, folder, SUCCEEDED), KILLED_AT)
        os.kill(service.pid, signal.SIGKILL)
    under_way = await asked(folder, UNDER_WAY)
    async with running_service(folder, bound=False):
        await reached(partial(asked, folder, SUCCEEDED), len(items))
    counts = {f"{name}, of {len(items):,}": float(await asked(folder, query)) for name, query in COUNTS.items()}
    wrong = {name: count for name, count in counts.items() if count != len(items)}
    assert not wrong, wrong
    return counts | {"under way when killed": under_way, "left under way": await asked(folder, UNDER_WAY)}


def main() -> None:
    median_of("a flood of 10,000 runs of 0.2 s", partial(beside, run_s=0.2), runs=RUNS)
    median_of("three floods, together as large", partial(beside, run_s=0.2, floods=3), runs=1)
    median_of(
        "a flood of 4,000 runs of 1 s, ten quiet guilds", partial(beside, run_s=1.0, size=4_000, guilds=10), runs=1
    )
    median_of("a flood, killed in the middle", killed, runs=1)


if __name__ == "__main__":
    main()
