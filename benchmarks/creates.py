"""Creates and deletes over HTTP against a running service: one client, sixteen clients, and batches."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.measure import Figures, median_of
from benchmarks.service import Service, running_service

SINGLE = 400
PARALLEL = 3200
BATCHES = 10


def schedule(n: int) -> dict[str, Any]:
    """A daily schedule of one of 300 guilds."""
    return {
        "handler": "echo", "method": "echo", "guild_id": str(1000 + n % 300), "args": {"value": n},
        "trigger": {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin"},
    }  # fmt: skip


async def once(folder: Path) -> Figures:
    async with running_service(folder) as service, aiohttp.ClientSession(headers=service.headers) as session:
        await many(session, service, 50, 4)  # warm up
        one, _ = await many(session, service, SINGLE, 1)
        sixteen, ids = await many(session, service, PARALLEL, 16)
        deleted = await delete(session, service, ids)
        batch = await batches(session, service)
    return {"creates /s, 1 client": one, "creates /s, 16 clients": sixteen, "deletes /s, 16 clients": deleted,
            "creates /s, batches of 1,000": batch}  # fmt: skip


async def many(session: aiohttp.ClientSession, service: Service, count: int, clients: int) -> tuple[float, list[str]]:
    """So many creates by so many clients at once: creates per second, and the ids."""
    numbers = iter(range(count))
    ids: list[str] = []

    async def client() -> None:
        for n in numbers:
            async with session.post(f"{service.address}/api/v1/schedules", json=schedule(n)) as answer:
                assert answer.status == 201, await answer.text()
                ids.append((await answer.json())["id"])

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return count / (time.perf_counter() - started), ids


async def delete(session: aiohttp.ClientSession, service: Service, ids: list[str]) -> float:
    left = iter(ids)

    async def client() -> None:
        for id in left:
            async with session.delete(f"{service.address}/api/v1/schedules/{id}") as answer:
                assert answer.status == 200, await answer.text()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(16)))
    return len(ids) / (time.perf_counter() - started)


async def batches(session: aiohttp.ClientSession, service: Service) -> float:
    items = [schedule(n) for n in range(1000)]
    started = time.perf_counter()
    for _ in range(BATCHES):
        async with session.post(f"{service.address}/api/v1/schedules/batch", json={"items": items}) as answer:
            view = await answer.json()
            assert all(item["status"] == 201 for item in view["items"]), view["items"][0]
    return BATCHES * 1000 / (time.perf_counter() - started)


def main() -> None:
    median_of("creates and deletes over HTTP", once)


if __name__ == "__main__":
    main()
