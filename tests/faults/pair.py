"""Two cores on one database, one of which is killed or frozen, and started again as a supervisor would."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from core.engine.ports import ADOPTION_S
from core.ledger.membership import LEASE_S
from schedule_zero import instant
from schedule_zero.transport.http import HttpClient
from tests.faults.follower import Follower
from tests.faults.load import Load, now
from tests.faults.proxy import Proxy
from tests.faults.stage import CLAIMED, DOOR_OPEN, Hands, Stage
from tests.faults.store import Store
from tests.ports import Port
from tests.process.life import PATIENCE, Life

TAKEN_OVER_S: Final = 10.0
"""Seconds within which the other core has to work for everybody."""
BEGINS: Final = '"attempts begin"'
SENTENCE: Final = "this core was silent for too long"


class One:
    """One of the two: its configuration, ports and present life."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.http, self.zmq, self.clients = Port(), Port(), Port()
        self.data = folder / "data"
        self.config = folder / "schedule-zero.yaml"
        settings = msgspec.yaml.decode(config.read_bytes())
        settings["data_dir"] = str(self.data)
        settings["http"]["bind"] = f"127.0.0.1:{self.http.number}"
        settings["zmq"] |= {"handlers": self.handlers_at, "clients": f"tcp://127.0.0.1:{self.clients.number}"}
        self.data.mkdir(parents=True)
        self.config.write_bytes(msgspec.yaml.encode(settings))
        self.life: Life

    @property
    def handlers_at(self) -> str:
        """Where it listens for handlers."""
        return f"tcp://127.0.0.1:{self.zmq.number}"

    def close(self) -> None:
        """Leave the ports."""
        for port in (self.http, self.zmq, self.clients):
            port.close()


class PairStage(Stage):
    """A stage with two cores. Whoever asks does so at the one that is not struck."""

    def __init__(self, folder: Path, random: Random, *, store: Store, level: str) -> None:
        super().__init__(folder, random, store=store, level=level)
        self.cores = [One(folder / name, self.config) for name in ("first", "second")]
        self._token = "pair-" + "0123456789" * 4
        self._front: Proxy

    async def open(self) -> None:
        """Both cores, a client and a follower."""
        for one in self.cores:
            token = one.data / "api-token"
            token.touch(mode=0o600)
            token.write_text(self._token, encoding="utf-8")
            await self._start(one)
        await self._until_shared()
        self._front = Proxy(self.cores[0].http.number)
        self.client = HttpClient(f"http://127.0.0.1:{self._front.port}", self._token, timeout=PATIENCE)
        self.follower = Follower(self.client)

    async def add_hands(self, module: str = "tests.faults.works:Works") -> Hands:
        """A handler process that serves both."""
        cores = [part for one in self.cores for part in ("--core", one.handlers_at)]
        hands = Hands([sys.executable, "-m", "schedule_zero", "handler", module, *cores], None)
        self.hands.append(hands)
        self.start_again(hands)
        return hands

    async def strike(self, place: int, *, freeze: bool) -> None:
        """Kill or freeze one; see the other take over, and the frozen one end as soon as it wakes."""
        one, other = self.cores[place], self.cores[1 - place]
        self._front.target = other.http.number
        await self._front.drop()
        await asyncio.sleep(self.random.uniform(0.5, 1.5))
        with self.episode("one core frozen" if freeze else "one core killed", ADOPTION_S):
            said, began = other.life.place, time.monotonic()
            one.life.send(signal.SIGSTOP) if freeze else one.life.kill()
            await other.life.says(CLAIMED, after=said, patience=3 * TAKEN_OVER_S)
            took = time.monotonic() - began
            self.notes.append(f"{'frozen' if freeze else 'killed'}: taken over after {took:.1f} s")
            if took > TAKEN_OVER_S:
                self.wrong.append(f"it took {took:.1f} s to take over")
        if freeze:
            await self._wake(one)
        elif (code := await one.life.end()) != -signal.SIGKILL:
            self.wrong.append(f"a core ended by itself with {code}; {one.life.last_words()}")
        await asyncio.sleep(self.random.uniform(0.0, 2.0))
        await self._start(one)
        await self._until_shared()

    async def end(self) -> None:
        """End the handlers, then the cores."""
        for hands in self.hands:
            hands.life.send(signal.SIGTERM)
        for hands in self.hands:
            await self._ended(hands.life, "a handler")
        for one in self.cores:
            one.life.send(signal.SIGTERM)
            await self._ended(one.life, "a core")

    async def close(self) -> None:
        """Leave nothing behind."""
        for port in (self._http, self._zmq, self._clients):
            port.close()
        await super().close()
        if hasattr(self, "_front"):
            await self._front.close()
        for one in self.cores:
            one.close()

    async def _wake(self, one: One) -> None:
        """Let it go on: it may notice only that its time is over."""
        await asyncio.sleep(self.random.uniform(0.0, 3.0))
        said, woken = one.life.place, now()
        one.life.send(signal.SIGCONT)
        code = await one.life.end()
        # It may have been frozen in the midst of a line: that is one of before, whenever it comes out.
        begun = [line for line in one.life.log[said:] if BEGINS in line and _at(line) >= woken]
        if code != 1 or begun or SENTENCE not in "\n".join(one.life.log[said:]):
            self.wrong.append(f"a woken core began {len(begun)} and ended with {code}; {one.life.last_words()}")

    async def _start(self, one: One) -> None:
        one.life = self.start([sys.executable, "-m", "core.cli", "core", "--config", str(one.config)])
        await one.life.says(DOOR_OPEN)

    async def _until_shared(self) -> None:
        """Until the core that came last works for its part."""
        for one in self.cores:
            if hasattr(one, "life"):
                await one.life.says(CLAIMED)


async def kill_one(stage: Stage, load: Load, times: int) -> None:
    """`kill -9` of one of two cores, in turns."""
    await _strike(stage, times, freeze=False)


class _Line(msgspec.Struct):
    """Of a line of the log: when it was said."""

    timestamp: str


def _at(line: str) -> int:
    return instant.parse(msgspec.json.decode(line, type=_Line).timestamp)


async def freeze_one(stage: Stage, load: Load, times: int) -> None:
    """SIGSTOP of one of two cores until the other one has taken over, in turns, then SIGCONT."""
    await _strike(stage, times, freeze=True)


async def _strike(stage: Stage, times: int, *, freeze: bool) -> None:
    assert isinstance(stage, PairStage)
    assert LEASE_S < TAKEN_OVER_S
    for number in range(times):
        await asyncio.sleep(stage.random.uniform(0.5, 3.0))
        await stage.strike(number % 2, freeze=freeze)
