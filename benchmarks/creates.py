"""Creates and deletes over HTTP against a running service: one client, sixteen clients, and batches of 1,000.

Every schedule is another one: names, arguments, zones, and rules of every formal kind, so that nothing is quick only
because it has been seen before. Bodies are made before the clock starts and answers are judged after it has stopped:
client and service share the machine.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from benchmarks.measure import Figures, median_of
from benchmarks.percentiles import percentile
from benchmarks.service import Cpu, Service, cpu_of, running_service, settled

SINGLE: Final = 400
PARALLEL: Final = 3200
BATCHES: Final = 10
BATCH: Final = 1000
DISTURBED: Final = 5
GUILDS: Final = 300
ZONES: Final = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Kolkata",
    "Asia/Tokyo", "Australia/Sydney", "UTC",
)  # fmt: skip
TOPICS: Final = (
    "standup", "retro", "release", "quiz", "digest", "raid", "backup", "reminder", "greeting", "lottery", "training",
)  # fmt: skip
SINGLE_PATH: Final = "/api/v1/schedules"
BATCH_PATH: Final = "/api/v1/schedules/batch"


def schedule(n: int) -> dict[str, Any]:
    """The schedule of that number, always the same one; no two are alike."""
    chance = random.Random(n)
    topic = chance.choice(TOPICS)
    return {
        "handler": "echo", "method": "echo", "guild_id": str(10**17 + chance.randrange(GUILDS)),
        "name": f"{topic} {n}", "trigger": trigger(chance), "metadata": {"made_by": f"import-{n % 7}"},
        "args": {"value": {"channel_id": str(10**17 + n), "content": f"Time for {topic} number {n}!", "pin": n % 2 == 0}},
    }  # fmt: skip


def trigger(chance: random.Random) -> dict[str, Any]:
    """Six in ten cron, three intervals, one date."""
    zone = chance.choice(ZONES)
    minute, hour, step = chance.randrange(60), chance.randrange(24), chance.randrange(2, 30)
    kind = chance.randrange(20)
    if kind < 12:
        days = ("* * *", "* * 1-5", f"* * {kind % 7}", f"{chance.randrange(1, 29)} * *")[kind % 4]
        clock = f"*/{step} *" if kind == 0 else f"{minute} {hour}"
        return {"type": "cron", "expression": f"{clock} {days}", "timezone": zone}
    if kind < 18:
        return {"type": "interval", "every": f"PT{step}H{minute}M", "timezone": zone}
    day = datetime.now(UTC).date() + timedelta(days=2 + chance.randrange(300))
    return {"type": "date", "at": f"{day}T{hour:02}:{minute:02}:00", "timezone": zone}


def body(n: int) -> bytes:
    return msgspec.json.encode(schedule(n))


def batch(number: int) -> bytes:
    """A thousand schedules; every number has others."""
    return msgspec.json.encode({"items": [schedule(n) for n in range(number * BATCH, (number + 1) * BATCH)]})


class Client:
    """One connection pool to the service."""

    def __init__(self, session: aiohttp.ClientSession, service: Service) -> None:
        self._session = session
        self._service = service

    async def send(self, method: str, path: str, content: bytes | None = None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if content is not None else {}
        async with self._session.request(method, self._service.address + path, data=content, headers=headers) as answer:
            return answer.status, await answer.read()

    async def many(self, requests: list[tuple[str, str, bytes | None]], clients: int) -> tuple[float, list[bytes]]:
        """Send them all, so many at a time: how many a second, and the answers."""
        left: Iterator[tuple[str, str, bytes | None]] = iter(requests)
        answers: list[tuple[int, bytes]] = []

        async def client() -> None:
            for request in left:
                answer = await self.send(*request)
                answers.append(answer)

        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        took = time.perf_counter() - started
        assert all(status in (200, 201) for status, _ in answers), answers[0]
        return len(requests) / took, [text for _, text in answers]


async def once(folder: Path) -> Figures:
    limit = aiohttp.TCPConnector(limit=32)
    async with (
        running_service(folder) as service,
        aiohttp.ClientSession(headers=service.headers, connector=limit) as session,
    ):
        client = Client(session, service)
        await settled(service.pid)
        return await singles(client, service) | await batches(client, service) | await disturbed(client)


async def singles(client: Client, service: Service) -> Figures:
    """Creates by one client and by sixteen, and the deletes of what they made."""
    made = iter([("POST", SINGLE_PATH, body(10**6 + n)) for n in range(50 + SINGLE + PARALLEL)])
    await client.many([next(made) for _ in range(50)], 4)  # warm up
    one, _ = await client.many([next(made) for _ in range(SINGLE)], 1)
    before = cpu_of(service.pid)
    sixteen, answers = await client.many(list(made), 16)
    spent = cpu_of(service.pid) - before
    ids = [msgspec.json.decode(answer)["id"] for answer in answers]
    deleted, _ = await client.many([("DELETE", f"{SINGLE_PATH}/{id}", None) for id in ids], 16)
    return {
        "creates /s, 1 client": one, "creates /s, 16 clients": sixteen, "deletes /s, 16 clients": deleted,
        **per_item("16 clients", spent, PARALLEL),
    }  # fmt: skip


async def batches(client: Client, service: Service) -> Figures:
    """Batches one after another."""
    requests: list[tuple[str, str, bytes | None]] = [("POST", BATCH_PATH, batch(n)) for n in range(BATCHES)]
    before = cpu_of(service.pid)
    rate, answers = await client.many(requests, 1)
    spent = cpu_of(service.pid) - before
    for answer in answers:
        accepted(answer)
    return {"creates /s, batches of 1,000": rate * BATCH, **per_item("batches", spent, BATCHES * BATCH)}


async def disturbed(client: Client) -> Figures:
    """How long somebody else's small question takes at most while batches come in."""
    waits: list[float] = []
    requests: list[tuple[str, str, bytes | None]] = [("POST", BATCH_PATH, batch(BATCHES + n)) for n in range(DISTURBED)]

    async def ask() -> None:
        while True:
            started = time.perf_counter()
            status, _ = await client.send("GET", "/ready")
            assert status == 200
            waits.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.002)

    asking = asyncio.create_task(ask())
    await client.many(requests, 1)
    asking.cancel()
    return {"GET /ready beside batches, p50 ms": percentile(waits, 0.5),
            "GET /ready beside batches, longest ms": max(waits)}  # fmt: skip


def accepted(answer: bytes) -> None:
    """Fails unless every item of a batch was saved."""
    items = msgspec.json.decode(answer)["items"]
    assert len(items) == BATCH
    assert all(item["status"] == 201 for item in items), next(item for item in items if item["status"] != 201)


def per_item(name: str, spent: Cpu, count: int) -> Figures:
    return {f"{name}: loop CPU us per create": spent.loop / count * 1e6,
            f"{name}: other threads' CPU us": spent.others / count * 1e6}  # fmt: skip


def main() -> None:
    median_of("creates and deletes over HTTP", once)


if __name__ == "__main__":
    main()
