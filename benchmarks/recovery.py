"""A core that is killed while 20,000 runs are due: how soon the next one is ready, and how soon all is done."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from benchmarks.crowd import CROWD, SUCCEEDED, asked, reached, save, until
from benchmarks.measure import Figures, median_of
from benchmarks.service import running_service

KILLED_AT = CROWD // 4


async def killed(folder: Path) -> Figures:
    """kill -9 once a quarter has succeeded; then start it again."""
    count = partial(asked, folder, SUCCEEDED)
    async with running_service(folder, bound=False) as service:
        due = time.time_ns() // 1000 + 15_000_000
        await save(service, due)
        await until(due)
        await reached(count, KILLED_AT)
        os.kill(service.pid, signal.SIGKILL)
    done, started = await count(), time.perf_counter()
    async with running_service(folder, bound=False) as service:
        await reached(count, done + 1)
        first = time.perf_counter() - started
        await reached(count, CROWD)
        whole = time.perf_counter() - started
        return {
            "runs done when killed": done, "start to ready s": service.ready_s, "start to first run done s": first,
            "start to all done s": whole, "runs /s from the start on": (CROWD - done) / whole,
        }  # fmt: skip


def main() -> None:
    median_of("killed in the middle of 20,000 runs, and started again", killed, runs=3)


if __name__ == "__main__":
    main()
