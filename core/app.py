"""The composition root: builds the parts, runs them, stops them in order. The only place that names them all.

Order of start: ledger, engine (recovered), service, handlers, doors. Order of stop: doors close, running work ends or
is handed back, outcomes are committed, the ledger closes. Whatever fails inside ends the whole process; what was
acknowledged is in the ledger and the next start goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import structlog

from core.engine.engine import Engine
from core.engine.inprocess import InProcessLink
from core.engine.janitor import Retention
from core.engine.ports import Clock, Pace, SystemClock
from core.governor.settings import GovernorSettings
from core.ledger.open import open_ledger
from core.ledger.port import Ledger, StoreError, Transaction
from core.ledger.rows import EventRow
from core.ledger.settings import StoreSettings
from core.local import LocalClient
from core.service.arguments import warm_up
from core.service.keyring import Keyring
from core.service.service import Service
from core.service.status import this_version
from schedule_zero.actor import OPERATOR, Via
from schedule_zero.errors import Unavailable
from schedule_zero.event import Event, EventKind
from schedule_zero.handler import Handler, name_of
from schedule_zero.ids import IdMaker
from schedule_zero.process.interrupts import meant_for_the_process
from schedule_zero.process.loading import said
from schedule_zero.views import Part

if TYPE_CHECKING:
    from core.gateway.doors import Doors, Listening

log = structlog.get_logger("schedule_zero.app")

Deliver = Callable[[Sequence[Event]], Awaitable[None]]


class App:
    """A core: ledger, engine, service, and the handlers and subscribers of this process."""

    def __init__(
        self, *, store: StoreSettings, data_dir: Path, governor: GovernorSettings, retention: Retention | None = None,
        clock: Clock | None = None, pace: Pace | None = None, ledger: Ledger | None = None,
        ids: IdMaker | None = None, listening: Listening | None = None, among_others: bool = False, operator_ids: Sequence[str] = (), via: Via = "embedded",
    ) -> None:  # fmt: skip
        """``listening``: where handlers and clients in other processes connect; None: there are none.
        ``among_others``: other cores may share the store, if it is on a server.
        ``operator_ids``: who at Discord operates the service.
        ``via``: whence the audit says that changes by ``client`` came."""
        self._listening = listening
        self._here = msgspec.structs.replace(OPERATOR, via=via)
        self.keyring = Keyring()
        self._data_dir = data_dir
        self._retention = retention
        self._clock = clock or SystemClock()
        self._pace = pace
        self._governor = governor
        self._operator_ids = tuple(operator_ids)
        self._handlers: list[Handler] = []
        self._subscribers: list[tuple[str, Deliver]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._latecomers: set[asyncio.Task[None]] = set()
        self._parts: dict[str, Part] = {}
        self.stop_requested = asyncio.Event()
        self.doors: Doors | None = None
        self.ledger: Ledger = ledger or open_ledger(
            store, data_dir, auto_upgrade=True, among_others=this_version() if among_others else None
        )
        self._ids = ids
        self.engine: Engine
        self.service: Service
        self.client: LocalClient

    def serve(self, handler: Handler) -> None:
        """Serve a handler in this process; before or after the start.

        One that comes later is known at once, and is given work once it has started.
        """
        self._handlers.append(handler)
        if self._tasks:
            link = self.engine.serve(handler)
            link.instance.draining = True
            task = asyncio.create_task(self._start_late(handler, link), name=f"start of {link.instance.name}")
            self._latecomers.add(task)
            task.add_done_callback(self._latecomers.discard)

    def subscribe(self, name: str, deliver: Deliver) -> None:
        """Deliver the journal to a durable subscriber, from where it stood; before or after the start."""
        self._subscribers.append((name, deliver))
        if self._tasks:
            self._attach(name, deliver)

    def report(self, part: str, *, ok: bool, detail: str) -> None:
        """How a part outside the engine is doing, for status."""
        self._parts[part] = Part(ok=ok, detail=detail)

    def forget(self, part: str) -> None:
        """A part is not there any more."""
        self._parts.pop(part, None)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Start, and stop in order on leaving.

        Raises:
            StoreError: the store cannot be used. CannotListen: handlers could not connect.
        """
        await self.ledger.open()
        try:
            await self._start()
            yield self
        finally:
            await self._stop()

    async def wait(self) -> None:
        """Until somebody asks to stop. Raises what ended a part: then the process must end."""
        asked = asyncio.create_task(self.stop_requested.wait(), name="stop requested")
        try:
            done, _ = await asyncio.wait([asked, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task is not asked and not task.cancelled():
                    _raise_end_of(task)
        finally:
            asked.cancel()

    async def _start(self) -> None:
        self.engine = Engine(
            ledger=self.ledger,
            clock=self._clock,
            governor=self._governor,
            retention=self._retention,
            pace=self._pace,
            ids=self._ids,
        )
        self.service = Service(self.engine, lambda: self._parts, self.keyring, operator_ids=self._operator_ids)
        await self.service.keys.load()
        self.client = LocalClient(self.service, self._here)
        for handler in self._handlers:
            try:
                await handler.start()
            except (Exception, SystemExit) as error:  # whatever a handler's author wrote
                if meant_for_the_process(error):
                    raise
                raise Unavailable(f"the handler {name_of(handler)} could not start: {said(error)}") from error
            self.engine.serve(handler)
        await self.service.guilds.load_zones()
        await self.service.measures.load()
        await self.service.errands.load()
        await self.service.upkeep.load()
        await self.service.bans.load()
        await self.service.renewal.look()
        await self.engine.recover()
        await self._note(EventKind.CORE_STARTED)
        for name, _ in self._subscribers:
            await self.engine.publisher.place(name)  # before anything can happen: a new one misses nothing of it
        self._tasks = [
            asyncio.create_task(self.engine.run(), name="the engine"),
            asyncio.create_task(_raise_when_failed(self.ledger), name="the store"),
        ]
        for name, deliver in self._subscribers:
            self._attach(name, deliver)
        self._tasks.append(asyncio.create_task(self.service.keys.keep(), name="the keys"))
        self._tasks.append(asyncio.create_task(self.service.measures.keep(), name="limits with an end"))
        self._tasks.append(asyncio.create_task(self.service.suspicions.keep(), name="suspicion"))
        self._tasks.append(asyncio.create_task(self.service.errands.run(), name="the errands"))
        self._tasks.append(asyncio.create_task(self.service.guilds.keep_zones(), name="the zones"))
        if self.ledger.membership is not None:
            self._tasks.append(asyncio.create_task(self.service.upkeep.keep(self.service.bans.load), name="the upkeep"))
        if self._listening is not None:
            from core.gateway.doors import Doors

            membership = self.ledger.membership
            self.doors = Doors(
                self._listening, self.engine, self.service, self, self._clock, self._data_dir,
                cluster=None if membership is None else membership.cluster,
            )  # fmt: skip
            self._tasks += self.doors.open()
            self._latecomers.add(asyncio.create_task(asyncio.to_thread(warm_up), name="schemas can be checked"))

    async def _stop(self) -> None:
        failed = any(task.done() for task in self._tasks)
        if self.doors is not None:
            await self.doors.close_to_clients()
        if self._tasks and not failed:
            await self.engine.drain()
            await self._note(EventKind.CORE_STOPPED)
        ending = [*self._tasks, *self._latecomers]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self._tasks = []
        if self.doors is not None:
            await self.doors.close()
        await self.ledger.close()

    async def _start_late(self, handler: Handler, link: InProcessLink) -> None:
        try:
            await handler.start()
        except (Exception, SystemExit) as error:  # a handler that comes later must not end those that are there
            if meant_for_the_process(error):
                raise
            log.exception("handler failed to start", handler=link.instance.handler)
            return
        link.instance.draining = False
        self.engine.fleet_changed()

    def _attach(self, name: str, deliver: Deliver) -> None:
        serving = self.engine.publisher.serve(name, _Sink(deliver))
        self._tasks.append(asyncio.create_task(serving, name=f"subscriber {name}"))

    async def _note(self, kind: EventKind) -> None:
        """Tell of the core itself. Not worth failing for: a core with a full disk still starts, and still stops."""
        event = EventRow(at=self._clock.now(), kind=kind)

        async def unit(tx: Transaction) -> None:
            await tx.journal.append([event])

        try:
            await self.ledger.write_essential(unit)
        except StoreError as error:
            log.warning("the store refused an event", kind=kind, error=str(error))


class _Sink:
    """A plain function as an EventSink."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def deliver(self, events: Sequence[Event]) -> None:
        await self._deliver(events)


async def _raise_when_failed(ledger: Ledger) -> None:
    raise StoreError(f"the store failed: {await ledger.failed}")


def _raise_end_of(task: asyncio.Task[Any]) -> NoReturn:
    """Raise what ended a part: the store's error where there is one, whichever part met it first."""
    try:
        task.result()
    except BaseExceptionGroup as group:
        found: BaseException | None = group.subgroup(StoreError)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if found is None:
            raise
        raise StoreError(str(found)) from group
    raise StoreError(f"{task.get_name()} ended by itself")
