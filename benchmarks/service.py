"""A real ``up`` as its own process, for benchmarks that speak HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec

ROOT = Path(__file__).resolve().parent.parent

CONFIG = """\
data_dir: {data}
http: {{bind: "127.0.0.1:{port}"}}
zmq: {{handlers: "tcp://127.0.0.1:*", clients: "tcp://127.0.0.1:*", events: "tcp://127.0.0.1:*"}}
handlers: {{builtin: [{{module: handlers.echo}}]}}
store: {{url: {store}}}
governor:
  default_plan: bench
  plans:
    bench: {plan}
{world}
log: {{level: warning, format: console}}
"""
AS_USUAL = '{running: 20, rate: "10/s", runs_per_day: 20000, schedules: 1000000}'
UNBOUND = '{running: 100000, rate: "1000000/s", burst: 1000000, runs_per_day: 100000000, schedules: 1000000}'
WORLD = '{running: 4000, rate: "1000000/s", burst: 1000000}'


class Service(msgspec.Struct):
    """Where it listens, how to speak to it, and how long it took to be ready."""

    address: str
    headers: dict[str, str]
    ready_s: float
    pid: int


@contextlib.asynccontextmanager
async def running_service(
    folder: Path, *, bound: bool = True, store: str | None = None, guilds: str | None = None
) -> AsyncIterator[Service]:
    """Start ``up``, or ``core`` on a store of several, wait until it is ready, and end it by its id. ``bound``: by limits
    as a guild usually has; ``guilds``: by this plan."""
    data, config, port = folder / "data", folder / "bench.yaml", _free_port()
    plan, world = (AS_USUAL, "") if bound else (UNBOUND, f"  global: {WORLD}")
    config.write_text(
        CONFIG.format(
            data=data, port=port, store="null" if store is None else f'"{store}"', plan=guilds or plan, world=world
        )
    )
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "core.cli", "up" if store is None else "core", "--config", str(config), cwd=ROOT, env={**os.environ, "DISCORD_TOKEN": ""},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        await _ready(address, process)
        took = time.perf_counter() - started
        token = (data / "api-token").read_text().strip()
        yield Service(address, {"Authorization": f"Bearer {token}"}, took, process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _ready(address: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session:
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{address}/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.01)
    raise RuntimeError(f"the service ended with {process.returncode}")


class Cpu(msgspec.Struct):
    """CPU seconds of a process: its first thread, which runs the event loop, and all others."""

    loop: float
    others: float

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(self.loop - earlier.loop, self.others - earlier.others)


def cpu_of(pid: int) -> Cpu:
    """What a process has spent so far; nothing where the system does not say."""
    try:
        spent = {int(task.name): _spent(task) for task in Path(f"/proc/{pid}/task").iterdir()}
    except OSError:
        return Cpu(0.0, 0.0)
    loop = spent.pop(pid, 0.0)
    return Cpu(loop, sum(spent.values()))


def _spent(task: Path) -> float:
    """Seconds a thread was running, by the scheduler's own count (nanoseconds)."""
    return int((task / "schedstat").read_text().split()[0]) / 1e9


async def settled(pid: int) -> None:
    """Wait until a process has nothing to do: behind a core that is ready, the Discord side is still being loaded."""
    before = cpu_of(pid)
    while True:
        await asyncio.sleep(0.3)
        now = cpu_of(pid)
        if (now - before).loop + (now - before).others < 0.015:
            return
        before = now


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
