"""End to end over the wire: two handler processes, each run there and back."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.fires import fill
from benchmarks.measure import Figures, app_in, limited, median_of, thread_cpu
from core.app import App
from core.engine.ports import SystemClock

BACKLOG = 20_000
HANDLERS = 2


@asynccontextmanager
async def handlers(app: App) -> AsyncIterator[None]:
    """Two processes that serve ``echo`` under the name ``far``."""
    command = [sys.executable, "-m", "schedule_zero", "handler", "handlers.echo:Echo", "--name", "far", "--core"]
    processes = [
        await asyncio.create_subprocess_exec(
            *command, (app.doors and app.doors.handlers_at) or "", stderr=asyncio.subprocess.DEVNULL
        )
        for _ in range(HANDLERS)
    ]
    while len(app.engine.fleet.handlers().get("far", [])) < HANDLERS:
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            await process.wait()


async def saturated(folder: Path) -> Figures:
    """All due at once: from the instant to the last durable outcome."""
    app = app_in(folder, limited(wide=True), handlers_at="tcp://127.0.0.1:*")
    async with app.running(), handlers(app):
        due = SystemClock().now() + 20_000_000
        await fill(app.client, BACKLOG, due, recurring=False, handler="far")
        while SystemClock().now() < due - 50_000:
            await asyncio.sleep(0.01)
        started, cpu = time.perf_counter(), thread_cpu()
        while app.engine.settler.executed < BACKLOG:
            await asyncio.sleep(0.01)
        wall, spent = time.perf_counter() - started, thread_cpu() - cpu
    return {
        "saturated runs /s over the wire": BACKLOG / wall,
        "loop CPU us per run over the wire": spent / BACKLOG * 1e6,
    }


def main() -> None:
    median_of("two handler processes, saturated", saturated)


if __name__ == "__main__":
    main()
