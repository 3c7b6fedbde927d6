"""Beside a handler that hangs and one that crashes: what becomes of a good one's latency, over the wire, in turns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.measure import Figures, median_of
from benchmarks.percentiles import percentile
from benchmarks.runs import latencies
from benchmarks.wire import NAME, house
from core.app import App
from schedule_zero import Handler, method
from schedule_zero.instant import DAY, spell
from schedule_zero.process.serving import main as serve_handler

RATE = 1000
SECONDS = 5
RESTART_S = 1.0  # so long whoever starts it anew waits
FLOODS = {"hanging": 2000, "crashing": 200}
# Theirs do not come to an end while the good one is measured.
PATIENT = {"overlap": "allow", "timeout": "PT1H", "retry": {"max_attempts": 20, "backoff": "fixed", "initial": "PT1S"}}


class Hanging(Handler):
    """Takes what it gets, and never answers."""

    @method
    async def echo(self, value: int = 0) -> None:
        await asyncio.sleep(86_400)


class Crashing(Handler):
    """Dies of whatever it gets."""

    @method
    async def echo(self, value: int = 0) -> None:
        os._exit(1)


async def once(folder: Path) -> Figures:
    """The good one alone, and then beside the bad ones."""
    alone, beside = folder / "alone", folder / "beside"
    alone.mkdir()
    beside.mkdir()
    async with house(alone, "auto") as app:
        late, _ = await latencies(app, NAME, RATE, SECONDS)
    async with house(beside, "auto") as app, bad_ones(app):
        late_beside, _ = await latencies(app, NAME, RATE, SECONDS)
    p99, p99_beside = percentile(late, 0.99), percentile(late_beside, 0.99)
    return {
        f"due → outcome p50 ms at {RATE:,}/s, alone": percentile(late, 0.50),
        f"due → outcome p50 ms at {RATE:,}/s, beside": percentile(late_beside, 0.50),
        f"due → outcome p99 ms at {RATE:,}/s, alone": p99,
        f"due → outcome p99 ms at {RATE:,}/s, beside": p99_beside,
        "p99 beside the bad ones / alone": p99_beside / p99,
    }


@contextlib.asynccontextmanager
async def bad_ones(app: App) -> AsyncIterator[None]:
    """Both of them, each with more to do than it takes; the crashing one is started anew as often as it dies."""
    assert app.doors is not None
    core = str(app.doors.handlers_at)
    serving = [asyncio.create_task(serve(core, name)) for name in FLOODS]
    try:
        for name, count in FLOODS.items():
            while not app.engine.fleet.instances(name):
                await asyncio.sleep(0.05)
            await flood(app, name, count)
        yield
    finally:
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def serve(core: str, name: str) -> None:
    """Keep a process of a bad handler there, until cancelled."""
    served = f"benchmarks.beside:{name.capitalize()}"
    command = [sys.executable, "-m", "benchmarks.beside", served, "--name", name, "--core", core]
    nursery = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL, start_new_session=True)
    try:
        await nursery.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(nursery.pid, signal.SIGKILL)
        await nursery.wait()


def keep_alive(words: list[str]) -> None:
    """Start ``schedule-zero handler`` with these words, and anew whenever it dies, until killed. It is forked: the third of
    a second of computing that a Python process starts with would be measured, too."""
    while True:
        child = os.fork()
        if child == 0:
            sys.exit(serve_handler(words))
        os.waitpid(child, 0)
        time.sleep(RESTART_S)


async def flood(app: App, handler: str, count: int) -> None:
    """So many runs of a handler, due at once, of guilds that the good one does not work for."""
    due = spell(app.engine.clock.now() + DAY)
    for base in range(0, count, 1000):
        items = [
            {
                "handler": handler, "method": "echo", "guild_id": str(5000 + n % 50), "args": {"value": n},
                "trigger": {"type": "date", "at": due}, "policy": PATIENT,
            }
            for n in range(base, min(count, base + 1000))
        ]  # fmt: skip
        made = await app.client.create_schedules(items)
        for item in made.items:
            assert item.schedule is not None, item.problem
            await app.client.run_schedule(item.schedule.id)


def main() -> None:
    median_of("a good handler, alone and beside one that hangs and one that crashes", once)


if __name__ == "__main__":
    keep_alive(sys.argv[1:]) if sys.argv[1:] else main()
