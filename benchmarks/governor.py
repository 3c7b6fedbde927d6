"""What the governor costs: an admission, a run's way through the fair queue, guilds that do nothing, runs that are parked.

An admission is asked of four scopes (global, plan, guild, method), each with a running limit and a rate, and stands
beside the least that any such limiter does in Python: a bare GCRA over the same four keys.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from benchmarks.creates import BATCH, BATCH_PATH, Client, accepted
from benchmarks.crowd import asked, reached
from benchmarks.measure import GUILDS, Figures, limited, median_of, resident_mb, thread_cpu
from benchmarks.service import Service, cpu_of, running_service, settled
from benchmarks.size import resident
from core.engine.waiting import WaitingRoom
from core.governor.fairness import FairQueue, Waiting
from core.governor.governor import Governor
from core.governor.verdict import Admit, Wait
from core.ledger.rows import RunRow
from schedule_zero.instant import DAY, SECOND, spell
from schedule_zero.run import RunState

ADMISSIONS: Final = 200_000
HELD: Final = 500  # so many run at any moment
IDLE_GUILDS: Final = 10_000
IDLE_S: Final = 60
PARKED: Final = 100_000
METHOD: Final = "echo.echo"
PROCESS: Final = "echo@1"
PARKING: Final = "{running: 0, schedules: 1000000}"
WAITING: Final = "SELECT count(*) FROM runs WHERE state = 'waiting'"


async def admissions(_: Path) -> Figures:
    """CPU time of one admission, its end, and a refusal; the loop around them is taken off."""
    guilds = [str(1000 + number) for number in range(GUILDS)]
    governor, bare = Governor(limited(wide=True)), BareGcra()
    asked = [guilds[number % GUILDS] for number in range(ADMISSIONS)]
    empty = _empty(asked)
    took, ended = 0.0, 0.0
    for start in range(0, ADMISSIONS, HELD):
        some, now = asked[start : start + HELD], start * 1e-4
        began = thread_cpu()
        for guild in some:
            governor.take(guild, METHOD, (PROCESS,), now)
        between = thread_cpu()
        for guild in some:
            governor.release(guild, METHOD, PROCESS, 0.1, now, ok=True)
        took, ended = took + between - began, ended + thread_cpu() - between
    began = thread_cpu()
    for number, guild in enumerate(asked):
        bare.take(("global", "plan", guild, METHOD), number * 1e-4)
    raw = thread_cpu() - began - empty
    refusing = Governor(limited(guild_running=1))
    for guild in guilds:
        refusing.take(guild, METHOD, (PROCESS,), 0.0)
    began = thread_cpu()
    for guild in asked:
        refusing.take(guild, METHOD, (PROCESS,), 0.0)
    refused = thread_cpu() - began - empty
    each = 1e6 / ADMISSIONS
    return {
        "admission over four scopes us": (took - empty) * each, "its end us": (ended - empty) * each,
        "refusal us": refused * each, "bare GCRA over four keys us": raw * each,
        "admission / bare GCRA": (took - empty) / raw,
    }  # fmt: skip


def _empty(asked: list[str]) -> float:
    began = thread_cpu()
    for _ in asked:
        pass
    return thread_cpu() - began


class BareGcra:
    """GCRA and nothing else: one time for each key; all are asked, then all are moved on."""

    def __init__(self, interval: float = 1e-6, burst: int = 1_000_000) -> None:
        self._tats: dict[str, float] = {}
        self._interval = interval
        self._slack = (burst - 1) * interval

    def take(self, keys: tuple[str, ...], now: float) -> bool:
        """Whether one more may start now under every key; if so it is charged."""
        tats, latest = self._tats, now + self._slack
        for key in keys:
            if tats.get(key, 0.0) > latest:
                return False
        for key in keys:
            tats[key] = max(tats.get(key, 0.0), now) + self._interval
        return True


async def ways(_: Path) -> Figures:
    """CPU time of a run's whole way: in line, handed out, admitted, ended; with nobody parked, and with 100,000 parked."""
    return {"a run's way us, nobody parked": _way(0), f"a run's way us, {PARKED:,} parked": _way(PARKED)}


def _way(parked: int) -> float:
    queue, governor = FairQueue(4000), Governor(limited(wide=True))
    for number in range(parked):
        queue.put(Waiting(f"parked{number}", f"p{number % IDLE_GUILDS}", "away.away", "away", 1, 0))
    while (entry := queue.next(0.0)) is not None:
        queue.park(entry, Wait("handler:away", "available", 0, 0))
    count = 50_000
    entries = [Waiting(f"run{n}", str(1000 + n % GUILDS), METHOD, "echo", 1, n) for n in range(count)]
    began = thread_cpu()
    for start in range(0, count, HELD):
        now = start * 1e-4
        for entry in entries[start : start + HELD]:
            queue.put(entry)
        held = []
        while (entry := queue.next(now)) is not None:
            assert isinstance(governor.take(entry.guild, entry.method, (PROCESS,), now), Admit)
            queue.started(entry)
            held.append(entry)
        for entry in held:
            for scope in governor.release(entry.guild, entry.method, PROCESS, 0.1, now, ok=True):
                queue.released(scope)
            queue.finished(entry, 0.1)
    return (thread_cpu() - began) / count * 1e6


async def memory(_: Path) -> Figures:
    """What 100,000 waiting runs of 10,000 guilds take in the waiting room and the fair queue: in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        grown = await asyncio.wrap_future(apart.submit(parked_mb, PARKED))
    return {f"{PARKED:,} parked runs, MiB": grown, "bytes a parked run": grown * 2**20 / PARKED}


def parked_mb(count: int) -> float:
    """How much a process grows by so many runs that wait for a handler that is away."""
    queue = FairQueue(1000)
    room = WaitingRoom(queue, capacity=2 * count)  # nobody is to be left in the ledger
    gc.collect()
    before = resident_mb()
    for number in range(count):
        room.offer(_row(number), wall=0, now=0.0)
        while (entry := queue.next(0.0)) is not None:
            queue.park(entry, Wait("handler:away", "available", 0, 0))
    assert queue.waiting() == count
    gc.collect()
    return resident_mb() - before


def _row(number: int) -> RunRow:
    return RunRow(
        id=f"run_{number:020}", schedule_id=f"sch_{number:020}", occurrence=f"t:{number}",
        guild_id=str(10**17 + number % IDLE_GUILDS), handler="away", method="away", priority=1, due=number,
        start_before=None, state=RunState.WAITING, attempt=0, not_before=None, args=None, result=None, reason=None,
        error=None, missed=None, created=number, ended=None, lost=0, line=1,
    )  # fmt: skip


async def idle(folder: Path) -> Figures:
    """A whole service with 10,000 guilds: CPU of all its threads over a minute in which nothing is due."""
    now = time.time_ns() // 1000
    async with running_service(folder, bound=False) as service:
        await save(service, IDLE_GUILDS, now + DAY)
        calm = await spent(service)
    return {f"CPU % with {IDLE_GUILDS:,} guilds, nothing due": calm}


async def waiting(folder: Path) -> Figures:
    """The same with 100,000 runs of 10,000 guilds that may not run anything; and how large the process is."""
    async with running_service(folder, guilds=PARKING) as service:
        await settled(service.pid)
        empty = resident(service.pid)
        due = time.time_ns() // 1000 + 150 * SECOND
        await save(service, PARKED, due)
        saved = resident(service.pid)
        await reached(partial(asked, folder, WAITING), PARKED)
        return {
            f"CPU % with {PARKED:,} runs parked": await spent(service),
            f"resident MiB with {PARKED:,} runs parked": resident(service.pid),
            "resident MiB before they were due": saved,
            "resident MiB of an empty one": empty,
        }


async def save(service: Service, count: int, due: int) -> None:
    """So many one-shots, all due at one instant, one guild after the other."""
    trigger = {"type": "date", "at": spell(due)}
    async with aiohttp.ClientSession(headers=service.headers) as session:
        client = Client(session, service)
        for start in range(0, count, BATCH):
            guilds = [str(10**17 + n % IDLE_GUILDS) for n in range(start, start + BATCH)]
            items = [{"handler": "echo", "method": "echo", "trigger": trigger, "guild_id": guild} for guild in guilds]
            accepted((await client.send("POST", BATCH_PATH, msgspec.json.encode({"items": items})))[1])


async def spent(service: Service) -> float:
    """CPU of a process over a minute, as a part of one processor; not counted until it has settled."""
    await settled(service.pid)
    before = cpu_of(service.pid)
    await asyncio.sleep(IDLE_S)
    used = cpu_of(service.pid) - before
    return (used.loop + used.others) / IDLE_S * 100


def main() -> None:
    median_of("an admission", admissions)
    median_of("a run's way through the fair queue", ways)
    median_of("parked runs in memory", memory, runs=3)
    median_of("10,000 guilds with nothing to do", idle, runs=1)
    median_of("100,000 runs that are parked", waiting, runs=1)


if __name__ == "__main__":
    main()
