"""A house whose hands are elsewhere: a gateway on a real socket, and workers that connect to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.gateway.exposure import Curve
from core.gateway.gateway import Gateway
from core.gateway.guard import Guard
from core.listening import CannotListen
from schedule_zero.handler import Handler
from schedule_zero.process.worker import Worker
from schedule_zero.transport.curve import new_pair
from tests.engine.conftest import Build, build, clock, logged, make_ledger
from tests.engine.house import Hands, House
from tests.gateway.desk import Desk
from tests.gateway.stranger import StrangeHandler

__all__ = ["Door", "build", "clock", "desk", "door", "logged", "make_ledger"]


class Far(Hands):
    """Hands in another process, as far as the core can tell."""

    name = "far"


class Door:
    """A house with a gateway, and the workers that came to it."""

    def __init__(self, house: House, curve: Curve = "auto", address: str = "tcp://127.0.0.1:*") -> None:
        self.house = house
        self.pair = new_pair()
        self.guard = Guard(house.service.keyring, house.clock, self.pair, curve)
        self.gateway = Gateway(house.engine, house.clock, self.guard, house.service.keys.register)
        self.address = self.gateway.bind(address)
        self._tasks: list[asyncio.Task[Any]] = [asyncio.create_task(self.gateway.run())]
        self.workers: list[Worker] = []

    async def come(self, hands: Hands | None = None, **options: Any) -> tuple[Worker, Hands]:
        """A worker connects and is welcomed."""
        hands = hands or Far()
        return await self.serve(hands, **options), hands

    async def serve(self, handler: Handler, **options: Any) -> Worker:
        """As ``come``, for any handler."""
        worker = Worker(handler, self.address, **options)
        self.workers.append(worker)
        self._tasks.append(asyncio.create_task(worker.run()))
        async with asyncio.timeout(10):
            await worker.welcomed.wait()
        return worker

    async def heard_from(self, worker: Worker) -> None:
        """Until the gateway has heard of a worker at this hour of the clock."""
        now = self.house.clock.monotonic()
        (peer,) = (peer for peer in self.gateway._peers.values() if peer.instance.name.endswith(worker.instance))
        await self.house.until(lambda: peer.heard >= now)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.gateway.close()
        await self.guard.close()


async def bound_again(gateway: Gateway, address: str) -> None:
    """Listen where another one did: ZeroMQ closes in a thread of its own, soon after it was told to."""
    async with asyncio.timeout(10):
        while True:
            try:
                gateway.bind(address)
            except CannotListen:
                await asyncio.sleep(0.01)
            else:
                return


@pytest.fixture
async def door(build: Build) -> AsyncIterator[Door]:
    made = Door(await build(serve=False))
    yield made
    await made.close()


@pytest.fixture
async def desk(build: Build) -> AsyncIterator[Desk]:
    made = Desk(await build())
    made.open()
    yield made
    await made.close()


@pytest.fixture
async def stranger(door: Door) -> AsyncIterator[StrangeHandler]:
    made = StrangeHandler(door.address)
    yield made
    await made.close()
