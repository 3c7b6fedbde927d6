"""A core in another process, as the front's host: requests, runs, events and what the bot reports go over the wire.

The core may come and go: the client logs in again, the worker greets again, the feed goes on where it stood.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from bot.shards import Part
from schedule_zero.client import CoreClient
from schedule_zero.errors import Conflict, ScheduleZeroError
from schedule_zero.event import Event
from schedule_zero.handler import Handler
from schedule_zero.process.worker import Refused, Worker
from schedule_zero.transport.feed import Page
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.transport.zmq_client import ZmqClient

logger = logging.getLogger(__name__)

SOFTWARE: Final = "schedule-zero-bot"
AGAIN_S: Final = 5.0
"""Seconds after which what the core refused, or what failed here, is tried again."""

Deliver = Callable[[Sequence[Event]], Awaitable[None]]


class Displaced(Exception):
    """Another bot has our place at the core; the sentence says which."""


class Remote:
    """Serves a front from a core at an address.

    Attributes:
        displaced: fails with Displaced when the core has no place for this bot, and waiting would not help.
    """

    def __init__(self, client: ZmqClient, handlers_at: str, keys: KeyFile, part: Part | None = None) -> None:
        """``handlers_at``: where the core listens for handlers; ``keys``: what the bot shows there; ``part``: the shards
        of this process, whose guilds' events it hears; None: all."""
        self._part = part
        self._client = client
        self._handlers_at = handlers_at
        self._keys = keys
        self._workers: list[Worker] = []
        self._working: list[asyncio.Task[None]] = []
        self._following: list[asyncio.Task[None]] = []
        self._served = asyncio.Event()
        self.displaced: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def client(self) -> CoreClient:
        """The way to ask the core, also in the name of members."""
        return self._client

    def serve(self, handler: Handler) -> None:
        """Take runs for a handler from the core."""
        worker = Worker(handler, self._handlers_at, keys=self._keys, software=SOFTWARE)
        self._workers.append(worker)
        self._working.append(asyncio.create_task(self._work(worker), name="worker"))
        self._served.set()

    def subscribe(self, name: str, deliver: Deliver) -> None:
        """Deliver the journal from where this subscriber stands, page by page, each until it was taken."""
        self._following.append(asyncio.create_task(self._follow(name, deliver), name=f"subscriber {name}"))

    def report(self, part: str, *, ok: bool, detail: str) -> None:
        """How a part of this process is doing; the core tells it in its status while we are there."""
        name = part if self._part is None else f"{part}.{self._part.label}"
        self._client.report(name, ok=ok, detail=detail)

    async def known(self) -> None:
        """Until the core knows what is served here."""
        await self._served.wait()
        for worker in self._workers:
            await worker.welcomed.wait()

    async def drain(self) -> None:
        """Take no new runs and finish those that were begun; then hear of nothing more."""
        await asyncio.gather(*(worker.drain() for worker in self._workers), return_exceptions=True)
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._working, *self._following, return_exceptions=True)

    async def close(self) -> None:
        """Say goodbye."""
        for task in (*self._working, *self._following):
            task.cancel()
        await asyncio.gather(*self._working, *self._following, return_exceptions=True)
        await self._client.close()
        if self.displaced.done():
            self.displaced.exception()

    async def _work(self, worker: Worker) -> None:
        try:
            await worker.run()
        except Refused as error:
            self._give_up(error.sentence)

    async def _follow(self, name: str, deliver: Deliver) -> None:
        while True:
            try:
                await self._hear(name, deliver)
            except Conflict as error:
                self._give_up(error.sentence)
                return
            except ScheduleZeroError as error:
                logger.warning("the core does not tell events at the moment: %s", error.sentence)
                await asyncio.sleep(AGAIN_S)

    async def _hear(self, name: str, deliver: Deliver) -> None:
        buckets = () if self._part is None else self._part.buckets
        if self._part is not None and not buckets:
            await asyncio.Event().wait()  # there are more processes than buckets, and others tell of all guilds
        pages = self._client.pages(subscriber=name, buckets=buckets)
        try:
            async for page in pages:
                if page.missed is not None:
                    logger.warning("events %d to %d were not kept until we came, and were missed", *page.missed)
                await _delivered(page, deliver)
        finally:
            await pages.aclose()

    def _give_up(self, sentence: str) -> None:
        if not self.displaced.done():
            self.displaced.set_exception(Displaced(sentence))


async def _delivered(page: Page, deliver: Deliver) -> None:
    """Deliver a page until it is taken."""
    while page.events:
        try:
            await deliver(page.events)
        except Exception:  # a fault in one page must not end the bot; the page is told again
            logger.exception("events were not taken; they are repeated")
            await asyncio.sleep(AGAIN_S)
        else:
            return


def handlers_near(clients_at: str, handlers_at: str) -> str:
    """Where handlers connect to the core whose clients connect at ``clients_at``: the same machine, their own port."""
    if not (clients_at.startswith("tcp://") and handlers_at.startswith("tcp://")):
        return handlers_at
    return f"{clients_at.rpartition(':')[0]}:{handlers_at.rpartition(':')[2]}"
