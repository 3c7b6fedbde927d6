"""Due to durable outcome with an in-process echo handler: latency at 1,000/s, and throughput when saturated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fires import fill
from benchmarks.measure import Figures, app_in, limited, median_of, thread_cpu
from benchmarks.percentiles import percentile
from core.app import App
from core.engine.ports import SystemClock
from handlers.echo import Echo
from schedule_zero.event import Event
from schedule_zero.instant import spell

RATE = 1000
SECONDS = 5
BACKLOG = 20_000


async def paced(folder: Path) -> Figures:
    """1,000 one-shots a second, spread evenly: due → durable outcome, read from the journal's own instants."""
    app = app_in(folder, limited(wide=True), Echo())
    async with app.running():
        late, spent = await latencies(app, "echo", RATE, SECONDS)
    return {
        "due → outcome p50 ms at 1,000/s": percentile(late, 0.50),
        "due → outcome p99 ms at 1,000/s": percentile(late, 0.99),
        "loop CPU us per run at 1,000/s": spent,
    }  # fmt: skip


async def latencies(app: App, handler: str, rate: int, seconds: int) -> tuple[list[float], float]:
    """How late outcomes were in ms, run by run, at a steady rate; and the loop's CPU time per run in us."""
    count = rate * seconds
    start = SystemClock().now() + 8_000_000
    for base in range(0, count, 1000):
        items = [
            {
                "handler": handler, "method": "echo", "guild_id": str(1000 + n % 300), "args": {"value": n},
                "trigger": {"type": "date", "at": spell(start + n * 1_000_000 // rate)},
            }
            for n in range(base, base + 1000)
        ]  # fmt: skip
        await app.client.create_schedules(items)
    await asyncio.sleep(max(0.0, (start - SystemClock().now()) / 1e6))
    cpu = thread_cpu()
    while app.engine.settler.executed < count:
        await asyncio.sleep(0.05)
    spent = (thread_cpu() - cpu) / count * 1e6
    return [(ended - due) / 1000 for due, ended in await ends(app, handler)], spent


async def ends(app: object, handler: str) -> list[tuple[int, int]]:
    """(due, ended) of every run of a handler."""
    from core.ledger.port import RunFilter

    pairs: list[tuple[int, int]] = []
    before: str | None = None
    while True:
        page = await app.ledger.reader.runs.page(RunFilter(any_guild=True), before, 1000)  # type: ignore[attr-defined]
        pairs += [(row.due, row.ended or 0) for row in page if row.handler == handler]
        if len(page) < 1000:
            return pairs
        before = page[-1].id


async def saturated(folder: Path) -> Figures:
    """All due at once: from the instant to the last durable outcome, one durable subscriber listening."""
    told = 0

    async def listen(events: Sequence[Event]) -> None:
        nonlocal told
        told += len(events)

    app = app_in(folder, limited(wide=True), Echo())
    app.subscribe("bench", listen)
    async with app.running():
        return await saturate(app, "echo")


async def saturate(app: App, handler: str) -> Figures:
    """Runs of a handler, all due at once: how fast they are done."""
    due = SystemClock().now() + 20_000_000
    await fill(app.client, BACKLOG, due, recurring=False, handler=handler)
    while SystemClock().now() < due - 50_000:
        await asyncio.sleep(0.01)
    started, cpu = time.perf_counter(), thread_cpu()
    while app.engine.settler.executed < BACKLOG:
        await asyncio.sleep(0.01)
    wall, spent = time.perf_counter() - started, thread_cpu() - cpu
    return {"saturated runs /s": BACKLOG / wall, "loop CPU us per run, saturated": spent / BACKLOG * 1e6}


def main() -> None:
    median_of("due to durable outcome, paced", paced)
    median_of("due to durable outcome, saturated", saturated)


if __name__ == "__main__":
    main()
