"""Twenty thousand one-shots of 300 guilds that are all due at one instant, asked of services over HTTP; and where they
stand, as the store itself says."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.creates import BATCH, BATCH_PATH, GUILDS, Client, accepted
from benchmarks.service import Service
from schedule_zero.instant import spell

CROWD = 20_000
SUCCEEDED = "SELECT count(*) FROM runs WHERE state = 'succeeded'"

Count = Callable[[], Awaitable[int]]


async def save(service: Service, due: int) -> None:
    """Save them all."""
    async with aiohttp.ClientSession(headers=service.headers) as session:
        client = Client(session, service)
        for start in range(0, CROWD, BATCH):
            items = [
                {
                    "handler": "echo", "method": "echo", "guild_id": str(10**17 + n % GUILDS), "args": {"value": n},
                    "trigger": {"type": "date", "at": spell(due)},
                }
                for n in range(start, start + BATCH)
            ]  # fmt: skip
            _, answer = await client.send("POST", BATCH_PATH, msgspec.json.encode({"items": items}))
            accepted(answer)


async def asked(folder: Path, query: str) -> int:
    """A number that the SQLite store of the service in this folder says, whether it runs or not."""
    with closing(sqlite3.connect(f"file:{folder}/data/schedule-zero.sqlite3?mode=ro", uri=True)) as database:
        return int(database.execute(query).fetchone()[0])


async def until(instant: int) -> None:
    """Wait for an instant (wall microseconds)."""
    await asyncio.sleep(max(0.0, instant / 1e6 - time.time()))


async def reached(count: Count, wanted: int) -> None:
    """Wait until so many have succeeded."""
    while await count() < wanted:
        await asyncio.sleep(0.02)
