"""Memory with 100,000 schedules, and the time from the start to ready."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from benchmarks.creates import BATCH, BATCH_PATH, Client, accepted, batch
from benchmarks.measure import Figures, median_of
from benchmarks.service import Service, running_service

SCHEDULES = 100_000


async def hundred_thousand(folder: Path) -> Figures:
    """Save 100,000 schedules, restart, and read the memory of the process."""
    async with running_service(folder) as service:
        await fill(service)
        grown = resident(service.pid)
    async with running_service(folder) as service:
        return {"resident MiB after saving 100,000": grown, "resident MiB after a restart": resident(service.pid),
                "start to ready s, 100,000 schedules": service.ready_s}  # fmt: skip


async def fill(service: Service) -> None:
    async with aiohttp.ClientSession(headers=service.headers) as session:
        client = Client(session, service)
        for number in range(SCHEDULES // BATCH):
            _, answer = await client.send("POST", BATCH_PATH, batch(number))
            accepted(answer)


async def empty_start(folder: Path) -> Figures:
    """From ``exec`` to ``/ready`` 200, on an empty data folder."""
    async with running_service(folder) as service:
        return {"start to ready s, empty": service.ready_s, "resident MiB, empty": resident(service.pid)}


def resident(pid: int) -> float:
    """Resident memory of a process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    median_of("start to ready", empty_start)
    median_of("memory with 100,000 schedules", hundred_thousand, runs=3)


if __name__ == "__main__":
    main()
