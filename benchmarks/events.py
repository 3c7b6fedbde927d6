"""Events to a subscriber in another process: all that happened in an hour of its absence, and how soon it hears the next.

The hour is one of 1,000 events a second. They are written in portions of the same rows that runs leave; what is timed is
the way out: journal, core, wire, and the events as objects in the subscriber's hands.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from benchmarks.measure import Figures, app_in, limited, median_of, thread_cpu
from benchmarks.percentiles import percentile
from core.app import App
from core.engine.ports import SystemClock
from core.gateway.doors import Listening
from core.ledger.port import Transaction, Unit
from core.ledger.rows import EventRow
from core.web.token import ensure_token
from schedule_zero.event import EventKind
from schedule_zero.transport.zmq_client import ZmqClient

HOUR = 3600
PER_SECOND = 1000
AT_ONCE = 20_000
FRESH = 500
PAUSE_S = 0.005


async def catch_up(folder: Path, seconds: int) -> Figures:
    """So many seconds of 1,000 events each, to a subscriber that was away."""
    count = seconds * PER_SECOND
    token = ensure_token(folder)
    app = app_in(folder, limited(wide=True), listening=Listening(clients="tcp://127.0.0.1:*"))
    app.keyring.trust(token)
    async with app.running():
        assert app.doors is not None
        epoch, before = await app.ledger.reader.journal.head()
        await write(app, count)
        command = ["-m", "benchmarks.events", "--listen", str(app.doors.clients_at), "--token", token]
        place = ["--after", f"{epoch}-{before}", "--count", str(count + FRESH)]
        listener = await asyncio.create_subprocess_exec(
            sys.executable, *command, *place, stdout=asyncio.subprocess.PIPE
        )
        assert listener.stdout is not None
        await listener.stdout.readline()
        cpu = thread_cpu()
        took = float(await listener.stdout.readline())
        spent = thread_cpu() - cpu
        late = await fresh(app, listener.stdout)
        await listener.wait()
    return {
        "events of the hour heard, s per hour": took * HOUR / seconds,
        "events /s while catching up": count / took,
        "loop CPU us per event": spent / count * 1e6,
        "committed → heard p50 ms": percentile(late, 0.50),
        "committed → heard p99 ms": percentile(late, 0.99),
    }


async def write(app: App, count: int) -> None:
    """Events as runs leave them."""
    for base in range(0, count, AT_ONCE):
        now = SystemClock().now()
        rows = [
            EventRow(at=now, kind=EventKind.RUN_SUCCEEDED, guild_id=str(1000 + n % 300), schedule_id=f"sch_{n:020}",
                     run_id=f"run_{n:020}", data='{"attempt":1}')
            for n in range(base, min(base + AT_ONCE, count))
        ]  # fmt: skip
        await app.ledger.write(appending(rows))


def appending(rows: list[EventRow]) -> Unit[None]:
    async def unit(tx: Transaction) -> None:
        await tx.journal.append(rows)

    return unit


async def fresh(app: App, heard: asyncio.StreamReader) -> list[float]:
    """How long after its commit each of some events is heard, in ms."""
    late = []
    for _ in range(FRESH):
        await write(app, 1)
        began = time.monotonic()
        await heard.readline()
        late.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(PAUSE_S)
    return late


async def listen(address: str, token: str, after: str, count: int) -> None:
    """The subscriber: says when it begins, how long it took to hear all but the fresh ones, and each fresh one."""
    client = ZmqClient(address, token)
    await client.status()
    print(flush=True)
    began, told = time.monotonic(), 0
    async for page in client.pages(after):
        told += len(page.events)
        if told >= count - FRESH:
            break
    print(time.monotonic() - began, flush=True)
    async for _ in client.events(page.place):
        told += 1
        print(flush=True)
        if told == count:
            break
    await client.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen")
    parser.add_argument("--token", default="")
    parser.add_argument("--after", default="")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=HOUR)
    asked = parser.parse_args()
    if asked.listen:
        asyncio.run(listen(asked.listen, asked.token, asked.after, asked.count))
    else:
        median_of("an hour away", lambda folder: catch_up(folder, asked.seconds), runs=1)


if __name__ == "__main__":
    main()
