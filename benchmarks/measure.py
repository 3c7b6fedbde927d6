"""What the benchmarks share: repeating, medians, CPU time of the loop's thread, and the machine's load."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from core.app import App
from core.commands.up import tune_interpreter
from core.gateway.doors import Listening
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from schedule_zero.handler import Handler

RUNS = 5
GUILDS = 300
WIDE = {
    "running": 100_000, "rate": "1000000/s", "burst": 1_000_000, "runs_per_day": 100_000_000, "schedules": 1_000_000,
}  # fmt: skip

Figures = dict[str, float]

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def limited(*, guild_running: int = 20, wide: bool = False) -> GovernorSettings:
    """Limits on global, plan, guild and method: the defaults, or (``wide``) as many limits that do not bind."""
    plan = dict(WIDE) if wide else {"running": guild_running, "rate": "10/s", "runs_per_day": 20_000}
    plan["shared"] = {"running": 100_000, "rate": "1000000/s", "burst": 1_000_000}
    plan["schedules"] = 1_000_000
    world = {"running": 4000, "rate": "1000000/s", "burst": 1_000_000}
    settings = {
        "plans": {"verified": plan}, "default_plan": "verified",
        "methods": {"echo.echo": {"running": 4000, "rate": "1000000/s", "burst": 1_000_000}},
    }  # fmt: skip
    return msgspec.convert({**settings, **({"global": world} if wide else {})}, GovernorSettings)


def median_of(name: str, once: Callable[[Path], Awaitable[Figures]], runs: int = RUNS) -> Figures:
    """Run ``once`` in fresh folders and print the median of every figure."""
    taken: list[Figures] = []
    for _ in range(runs):
        gc.collect()
        with tempfile.TemporaryDirectory(prefix="schedule-zero-bench-") as folder:
            taken.append(asyncio.run(_plain(once(Path(folder)))))
    medians = {key: statistics.median(figures[key] for figures in taken) for key in taken[0]}
    spread = {key: (min(f[key] for f in taken), max(f[key] for f in taken)) for key in taken[0]}
    print(f"\n{name}   (median of {runs}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")
    for key, value in medians.items():
        low, high = spread[key]
        print(f"  {key:<44} {value:>12,.2f}   [{low:,.2f} … {high:,.2f}]")
    return medians


async def _plain(work: Awaitable[Figures]) -> Figures:
    return await work


def app_in(folder: Path, governor: GovernorSettings, *handlers: Handler, listening: Listening | None = None) -> App:
    """A core with the default store (SQLite file, synchronous=FULL), with the interpreter set as ``up`` sets it."""
    tune_interpreter()
    folder.mkdir(exist_ok=True)
    app = App(store=StoreSettings(), data_dir=folder, governor=governor, listening=listening)
    for handler in handlers:
        app.serve(handler)
    return app


def thread_cpu() -> float:
    """CPU seconds of the calling thread: the event loop's own work."""
    return time.thread_time()


def resident_mb() -> float:
    """Resident memory of this process now, in MiB (peak where the system does not say)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
