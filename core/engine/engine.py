"""The engine: what the process does with it, and the door for handlers and for those who listen.

One firing, through this package: ``scheduler`` and ``tick`` make the run, ``waiting`` and ``choose`` decide when it
starts, ``dispatch`` commits and sends the attempt, a link brings the answer, ``settle`` commits the outcome,
``publisher`` tells. ``parts`` puts all of them together, ``consequences`` says what the commit of one means for the others;
``docs/architecture.md`` has the picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

from core.engine.acquaintances import kept
from core.engine.inprocess import InProcessLink
from core.engine.outcome import vanish
from core.engine.parts import Parts
from core.engine.ports import Answer, EventSink, HandlerLink, Instance
from schedule_zero.handler import Handler, MethodInfo

DRAIN_S: Final = 5.0


class Engine(Parts):
    """Everything that moves. Made once per process; ``run`` serves until cancelled, ``drain`` comes before."""

    # life

    async def recover(self) -> None:
        """Take up what the last end left open; before ``run``."""
        self.reception.remember(await kept(self.ledger.reader.notes))
        if self.cluster is None:
            await self.estate.take_up_all()
        else:
            await self.cluster.turn()

    async def run(self) -> None:
        """Serve until cancelled. A part that fails ends all: the ledger holds the truth and a restart is cheap."""
        self.leases.begun()
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self.scheduler.run(), name="scheduler")
            parts.create_task(self.tick.look_ahead(self.pace.longest_sleep_s), name="look-ahead")
            parts.create_task(self.dispatcher.run(), name="dispatcher")
            parts.create_task(self.settler.run(), name="settler")
            parts.create_task(self.settler.logbook.run(), name="logbook")
            parts.create_task(self.leases.run(), name="leases")
            parts.create_task(self.janitor.run(), name="janitor")
            parts.create_task(self.herald.run(), name="herald")
            parts.create_task(self.health.run(), name="health")
            parts.create_task(self.chronicle.run(), name="chronicle")
            if self.cluster is not None:
                parts.create_task(self.cluster.run(), name="cluster")

    async def drain(self) -> None:
        """Give out nothing new, let running work end (or hand it back), commit what was answered."""
        await self.dispatcher.pause()
        await self.tick.idle()
        await asyncio.gather(*(link.close(DRAIN_S) for link in self.fleet.links()))
        await self.settler.drain()
        await self.settler.logbook.write_all()
        await self.chronicle.close()

    # handlers

    def serve(self, handler: Handler) -> InProcessLink:
        """Serve a handler inside this process."""
        link = InProcessLink(handler, self, self.incarnation)
        link.instance.since = self.clock.now()
        self.fleet.join(link.instance, link, link.methods)
        self.fleet_changed()
        return link

    def join(self, link: HandlerLink) -> None:
        """An instance elsewhere came, or came back with what it had been given."""
        self.reception.join(link)
        self.fleet_changed()

    def leave(self, instance: Instance, reason: str) -> None:
        """An instance elsewhere went. Its attempts are its own until their leases run out."""
        self.consequences.gone(instance.name)
        self.reception.leave(instance, reason)
        self.fleet_changed()

    def leaves_soon(self, instance: Instance, by: str = "itself") -> None:
        """An instance elsewhere gets nothing new, and knows, or need not know. ``by``: who wants it."""
        self.reception.leaves_soon(instance, by)
        self.fleet_changed()

    def drain_handler(self, instances: Sequence[Instance], by: str) -> None:
        """Give these nothing new, and tell them to finish; those elsewhere leave then. ``by``: who wants it."""
        for instance in instances:
            self.reception.drain(instance, by)
        self.fleet_changed()

    def resume_handler(self, instances: Sequence[Instance], by: str) -> None:
        """Give these, which live inside the core, work again. ``by``: who wants it."""
        for instance in instances:
            self.reception.resume(instance, by)
        self.fleet_changed()

    def came_back(self, instance: str, held: Sequence[tuple[str, int]]) -> None:
        """An instance says all that it holds. What it was given by the process before this one and does not hold went
        down with that process, on its way. Among several cores it may hold what it was given by one of them and say so
        to none of the others."""
        if self.territory.shared:
            return
        kept, now = set(held), self.clock.now()
        missing = [
            flight for flight in self.flights
            if flight.adopted and flight.instance == instance
            and (flight.order.run_id, flight.order.attempt) not in kept
        ]  # fmt: skip
        for flight in missing:
            self.settler.end(flight, vanish(flight, now, ours=True, before=flight.unanswered))

    def declared(self, handler: str) -> dict[str, MethodInfo]:
        """What a handler can do, as far as is known."""
        return self.fleet.all_methods(handler)

    def serves(self, handler: str) -> bool:
        """Whether a handler of this name runs inside the core."""
        return self.fleet.serves(handler)

    def holds(self, instance: str, run_id: str, attempt: int) -> bool:
        """Whether this attempt is still that instance's to run."""
        flight = self.flights.current(run_id)
        if flight is None and self.territory.shared:
            return True  # as far as is known here: it may be under way at another core, or be taken over in a moment
        fits = flight is not None and flight.order.attempt == attempt and flight.instance == instance
        return fits and flight is not None and flight.stopping is None

    def excused(self, instance: str) -> bool:
        """Whether it is no wonder that nothing is heard of an instance: what it does keeps it from beating, as it said."""
        return self.flights.excused(instance, self.clock.monotonic()) is not None

    def subscribe(self, name: str, sink: EventSink) -> Awaitable[None]:
        """Deliver the journal to a durable subscriber until cancelled."""
        return self.publisher.serve(name, sink)

    # AnswerSink: what links bring

    def answer(self, answers: Sequence[Answer]) -> None:
        self.settler.take(answers)

    def beat(self, instance: str, running: Sequence[tuple[str, int]]) -> None:
        now = self.clock.monotonic()
        fresh: list[Answer] = []
        for run_id, attempt in running:
            if self.flights.extend(instance, run_id, attempt, now):
                flight = self.flights.current(run_id)
                if flight is not None and not flight.started:
                    fresh.append(Answer(run_id=run_id, attempt=attempt, instance=instance, kind="started"))
        if fresh:
            self.settler.take(fresh)

    def fleet_changed(self) -> None:
        self.consequences.fleet_changed()
