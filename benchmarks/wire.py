"""End to end over the wire: two handler processes, each run there and back, in the clear and under CURVE."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from benchmarks.measure import Figures, app_in, limited, median_of
from benchmarks.percentiles import percentile
from benchmarks.runs import latencies, saturate
from core.app import App
from core.gateway.doors import Listening
from core.gateway.exposure import Curve
from core.gateway.pair import ensure_pair
from core.gateway.peer import Peer
from handlers.echo import Echo
from schedule_zero.process.worker import Worker
from schedule_zero.transport.curve import new_pair

ANY = "tcp://127.0.0.1:*"
HANDLERS = 2
NAME = "far"
CUTS = 50


@asynccontextmanager
async def house(folder: Path, curve: Curve) -> AsyncIterator[App]:
    """A core as ``up`` has it, and two processes that serve ``echo`` under another name."""
    app = app_in(folder, limited(wide=True), Echo(), listening=Listening(handlers=ANY, curve=curve))
    async with app.running():
        assert app.doors is not None
        options = ["--core", str(app.doors.handlers_at)]
        if curve == "on":
            options += ["--key", str(await key_file(app, folder))]
        command = [sys.executable, "-m", "schedule_zero", "handler", "handlers.echo:Echo", "--name", NAME, *options]
        processes = [
            await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL) for _ in range(HANDLERS)
        ]
        while len(app.engine.fleet.handlers().get(NAME, [])) < HANDLERS:
            await asyncio.sleep(0.05)
        try:
            yield app
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                await process.wait()


async def key_file(app: App, folder: Path) -> Path:
    """The key file of a handler that this core knows."""
    pair = new_pair()
    await app.client.new_key(NAME, role="handler", public=pair.public)
    path = folder / "handler.key"
    path.write_text(f"public {pair.public}\nsecret {pair.secret}\nserver {ensure_pair(folder).public}\n")
    return path


async def saturated(folder: Path, curve: Curve) -> Figures:
    """All due at once: from the instant to the last durable outcome."""
    async with house(folder, curve) as app:
        return await saturate(app, NAME)


async def paced(folder: Path, rate: int, seconds: int) -> Figures:
    """So many one-shots a second, spread evenly: due → durable outcome."""
    async with house(folder, "auto") as app:
        late, spent = await latencies(app, NAME, rate, seconds)
    return {
        f"due → outcome p50 ms at {rate:,}/s": percentile(late, 0.50),
        f"due → outcome p99 ms at {rate:,}/s": percentile(late, 0.99),
        f"loop CPU us per run at {rate:,}/s": spent,
    }


async def reconnected(folder: Path) -> Figures:
    """A connection is reset, again and again: how long until the core has welcomed that handler anew."""
    app = app_in(folder, limited(wide=True), listening=Listening(handlers=ANY))
    took: list[float] = []
    async with app.running():
        assert app.doors is not None
        between = Between(str(app.doors.handlers_at))
        worker = Worker(Echo(), await between.listen(), name=NAME)
        serving = asyncio.create_task(worker.run())
        for _ in range(CUTS):
            await worker.welcomed.wait()
            known = {peer.route for peer in _peers(app)}
            started = time.perf_counter()
            between.reset()
            while {peer.route for peer in _peers(app)} <= known:
                await asyncio.sleep(0.001)
            took.append((time.perf_counter() - started) * 1000)
        await worker.drain()
        await serving
        await between.close()
    return {"reset → known again p50 ms": percentile(took, 0.5), "reset → known again p99 ms": percentile(took, 0.99)}


class Between:
    """A piece of wire that can be cut."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("tcp://").rpartition(":")
        self._target = (host, int(port))
        self._streams: list[asyncio.StreamWriter] = []
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def listen(self) -> str:
        """Where to connect instead."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def reset(self) -> None:
        """Break what is connected."""
        for stream in self._streams:
            stream.transport.abort()
        self._streams.clear()

    async def close(self) -> None:
        self.reset()
        self._server.close()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._streams += [writer, far_writer]
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(_carry(source, target))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
    except ConnectionError:
        return


def _peers(app: App) -> list[Peer]:
    assert app.doors is not None
    return list(app.doors._gateway._peers.values())


def main() -> None:
    plain = median_of("two handler processes, saturated", partial(saturated, curve="auto"))
    secret = median_of("the same under CURVE", partial(saturated, curve="on"))
    name = "loop CPU us per run, saturated"
    print(f"  {'CURVE costs, of the loop CPU':<44} {(secret[name] / plain[name] - 1) * 100:>11.1f} %")
    median_of("two handler processes, 1,000/s", partial(paced, rate=1000, seconds=5))
    median_of("two handler processes, 5,000/s", partial(paced, rate=5000, seconds=3))
    median_of("a connection that breaks", reconnected, runs=1)


if __name__ == "__main__":
    main()
