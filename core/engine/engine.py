"""The engine: its parts put together, and what each part's commit means for the others.

One firing, through this package: ``scheduler`` and ``tick`` make the run, ``waiting`` and ``choose`` decide when it
starts, ``dispatch`` commits and sends the attempt, a link brings the answer, ``settle`` commits the outcome,
``publisher`` tells. ``docs/architecture.md`` has the picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Final

import structlog

from core.engine.acquaintances import kept
from core.engine.chained import ChainedLedger
from core.engine.chains import Chains, Followed
from core.engine.choose import Chosen
from core.engine.chronicle import Chronicle
from core.engine.cluster import Cluster
from core.engine.dispatch import Dispatcher
from core.engine.entitle import Entitler
from core.engine.estate import Estate
from core.engine.fleet import Fleet
from core.engine.flights import Flight, Flights
from core.engine.handover import Handing
from core.engine.health import Health
from core.engine.herald import Herald
from core.engine.horizon import Horizon
from core.engine.inprocess import InProcessLink
from core.engine.janitor import Janitor, Retention
from core.engine.leases import LeaseKeeper
from core.engine.outcome import Outcome, judged, vanish
from core.engine.overstayed import Overstayed
from core.engine.plan import PlanBook
from core.engine.ports import Answer, Clock, EventSink, HandlerLink, Instance, Pace
from core.engine.publisher import Publisher
from core.engine.reception import Reception
from core.engine.recovery import Recovery
from core.engine.scheduler import Scheduler
from core.engine.settle import Settler, Verdict
from core.engine.tally import Tally
from core.engine.territory import Territory
from core.engine.tick import Tick
from core.engine.waiting import WaitingRoom
from core.governor.fairness import SLOTS, FairQueue
from core.governor.governor import Governor
from core.governor.settings import GovernorSettings
from core.ledger.port import Ledger, Transaction
from core.ledger.rows import EventRow, Move, RunRow, ScheduleRow, dead_letter
from schedule_zero.event import EventKind
from schedule_zero.handler import Handler, MethodInfo
from schedule_zero.ids import IdMaker
from schedule_zero.instant import HOUR
from schedule_zero.run import DEAD, RunState, SkipReason

log = structlog.get_logger("schedule_zero.engine")

HORIZON_CAPACITY: Final = 20_000
WINDOW: Final = HOUR
DRAIN_S: Final = 5.0
CHECK_INTERVAL_S: Final = 10.0


class Engine:
    """Everything that moves. Made once per process; ``run`` serves until cancelled, ``drain`` comes before."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, governor: GovernorSettings, ids: IdMaker | None = None,
        retention: Retention | None = None, pace: Pace | None = None, check_interval_s: float = CHECK_INTERVAL_S,
    ) -> None:  # fmt: skip
        """``check_interval_s``: how often it is looked at how the runs of handlers went."""
        self.pace = pace = pace or Pace()
        self.clock = clock
        self.ids = ids or IdMaker()
        self.book = PlanBook()
        self.fleet = Fleet()
        self.flights = Flights()
        self.overstayed = Overstayed()
        self._most_running = self._slots = governor.global_.running or SLOTS
        self.queue = FairQueue(self._slots, weight_of=lambda id: governor.quota_of(id).weight)
        self.governor = Governor(governor, self.fleet.whose)
        self.entitler = Entitler(governor)
        self.room = WaitingRoom(self.queue)
        self.publisher = Publisher(ledger)
        membership = ledger.membership
        self.incarnation = self.ids.make("core", clock.now()) if membership is None else membership.id
        self.territory = Territory(shared=membership is not None)
        self.handing = Handing(self.territory, self.ids)
        chains = Chains(
            clock=clock, ids=self.ids, terms=self.book.terms, entitler=self.entitler, handing=self.handing
        )  # fmt: skip
        self.ledger = ledger = ChainedLedger(ledger, chains, self)
        self.tick = Tick(
            clock=clock, ledger=ledger, book=self.book, horizon=Horizon(WINDOW, HORIZON_CAPACITY),
            entitler=self.entitler, ids=self.ids, consequences=self, territory=self.territory,
        )  # fmt: skip
        self.scheduler = Scheduler(self.tick, clock, pace.longest_sleep_s)
        self.settler = Settler(
            clock=clock, ledger=ledger, flights=self.flights, consequences=self, handing=self.handing
        )
        self.dispatcher = Dispatcher(
            clock=clock, ledger=ledger, room=self.room, queue=self.queue, governor=self.governor, fleet=self.fleet,
            book=self.book, longest_sleep_s=pace.dispatch_s,
            ticks_first=partial(self.tick.caught_up, pace.ticks_first_s), consequences=self, membership=membership,
        )  # fmt: skip
        self.leases = LeaseKeeper(clock=clock, flights=self.flights, fleet=self.fleet, ends=self.settler)
        self.herald = Herald(ledger)
        self.reception = Reception(clock=clock, fleet=self.fleet, herald=self.herald)
        self.janitor = Janitor(
            clock=clock, ledger=ledger, terms=self.book.terms, ids=self.ids, retention=retention or Retention(),
            turn_s=pace.janitor_s, changed=self.schedules_changed, reception=self.reception, territory=self.territory,
        )  # fmt: skip
        self.estate = Estate(
            ledger=ledger, territory=self.territory, flights=self.flights, room=self.room, tick=self.tick,
            dispatcher=self.dispatcher, settler=self.settler, recovery=self._recovery, consequences=self,
        )  # fmt: skip
        self.cluster = None if membership is None else Cluster(
            clock=clock, ledger=ledger, membership=membership, territory=self.territory, estate=self.estate
        )  # fmt: skip
        self.tally = Tally()
        self.health = Health(
            clock=clock,
            fleet=self.fleet,
            flights=self.flights,
            tally=self.tally,
            check_interval_s=check_interval_s,
            telling=self.reception,
            changed=self.fleet_changed,
        )
        self.chronicle = Chronicle(clock=clock, ledger=ledger, tally=self.tally, core=self.incarnation)
        self._local: dict[str, InProcessLink] = {}

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
        self._local[link.instance.name] = link
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
        self._seats_free(instance.name, self.overstayed.gone(instance.name))
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
        until = self.flights.excused(instance)
        return until is not None and until > self.clock.monotonic()

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
        slots = min(self._most_running, self.fleet.credit() or self._most_running)
        if slots != self._slots:  # the share one guild may hold is a part of what can run at once now
            self._slots = slots
            self.queue.resize(slots)
        for handler in self.fleet.handlers():
            self.queue.released(f"handler:{handler}")
        self.dispatcher.wake()

    # consequences of a tick, and of the service's own changes

    def runs_created(self, runs: Sequence[RunRow]) -> None:
        """Committed waiting runs enter the waiting room, if they are this core's to give out."""
        if self.territory.shared:
            runs = [run for run in runs if self.territory.owns(run.guild_id)]
        wall, now = self.clock.now(), self.clock.monotonic()
        for run in runs:
            self.room.offer(run, wall=wall, now=now)
        if runs:
            self.dispatcher.wake()

    def runs_withdrawn(self, run_ids: Sequence[str]) -> None:
        """Runs ended while they waited."""
        if run_ids:
            self.room.withdraw(run_ids)
            self.dispatcher.wake()

    def cancel_open(self, run_ids: Sequence[str]) -> None:
        """Runs under way shall stop."""
        for run_id in run_ids:
            flight = self.flights.current(run_id)
            if flight is not None:
                self.leases.stop(flight, "cancelled")

    async def schedules_changed(self, rows: Sequence[ScheduleRow]) -> None:
        """Committed schedules that are new or different."""
        if self.territory.shared:
            rows = [row for row in rows if self.territory.owns(row.guild_id)]
        await self.scheduler.note(rows)

    def territory_changed(self) -> None:
        """There is more to look after."""
        self.leases.begun()
        self.dispatcher.wake()

    async def followed(self, followed: Followed) -> None:
        """Committed runs that follow others, and what they meant for those before them."""
        for row in followed.rows:
            self.book.foresee(row)
        for id in followed.failing:
            self.book.drop(id)
        if followed.blocked:
            await self.schedules_changed(followed.blocked)
        self.runs_withdrawn(followed.withdrawn)
        self.runs_created(followed.runs)
        self.cancel_open(followed.cancel)

    # consequences of a dispatch

    def begun(self, flights: Sequence[Flight]) -> None:
        for flight in flights:
            self.flights.add(flight)
            if self.territory.shared:  # where its bucket was laid down while it was written, the room forgot its place
                self.room.under_way(flight.order.schedule_id, flight.order.run_id)
        self.leases.begun()

    def not_begun(self, chosen: Sequence[Chosen]) -> None:
        """The attempt was not committed: what was taken is given back; a run that still waits queues again."""
        for item in chosen:
            self.governor.give_back(item.entry.guild, item.entry.method, item.instance, item.taken_at)
            self.fleet.not_begun(item.instance, item.place.handler, item.taken_at)
            self.queue.finished(item.entry, 0.0)
            if item.place.run_id in self.room:
                self.queue.put(item.entry)

    def overtaken(self, chosen: Sequence[Chosen], still_waiting: Sequence[RunRow]) -> None:
        """Between choice and commit the runs were cancelled or moved on: the room follows the ledger."""
        self.room.withdraw([item.place.run_id for item in chosen])
        self.not_begun(chosen)
        self.runs_created(still_waiting)

    async def expire(self, run_ids: Sequence[str]) -> None:
        """Runs whose time to start has passed while they waited."""
        now = self.clock.now()

        async def unit(tx: Transaction) -> list[Move]:
            rows = await tx.runs.get_many(list(run_ids))
            moves: list[Move] = []
            events: list[EventRow] = []
            for row in rows.values():
                if row.state is not RunState.WAITING:
                    continue
                move = _expiry(row, now)
                moves.append(move)
                kind = EventKind.RUN_SKIPPED if move.after is RunState.SKIPPED else EventKind.RUN_FAILED
                events.append(
                    EventRow(at=now, kind=kind, guild_id=row.guild_id, schedule_id=row.schedule_id, run_id=row.id,
                             data=f'{{"reason":"{move.reason}"}}')
                )  # fmt: skip
            if moves:
                await tx.runs.move(moves)
                await tx.journal.append(events)
                await tx.dead.add([dead_letter(move.run_id, rows[move.run_id], now) for move in moves if move.after in DEAD])
                unused = [row for row in rows.values() if row.attempt == 0 and row.state is RunState.WAITING]
                await self.entitler.give_back(tx, [(row.guild_id, row.charged) for row in unused])
            return moves

        moved = await self.ledger.write(unit)
        self.tick.missed += sum(move.after is RunState.SKIPPED for move in moved)
        self.runs_withdrawn([move.run_id for move in moved])

    async def refill(self) -> None:
        """There is room again for runs that were left in the ledger."""
        await self._recovery().waiting_runs(self.territory.within())

    # consequences of an outcome

    def settled(self, verdicts: Sequence[Verdict]) -> None:
        """Outcomes are committed: capacity is free again, and each run ends or waits for its next try."""
        wall, now = self.clock.now(), self.clock.monotonic()
        answered: dict[str, list[tuple[str, int]]] = {}
        for verdict in verdicts:
            flight, order = verdict.flight, verdict.flight.order
            seat_s, method = max(0.0, now - flight.sent_at), _method(flight)
            ok = judged(flight, verdict.outcome)
            self.tally.note(flight, verdict.outcome, verdict.took_s, now)
            for scope in self.governor.release(
                order.guild_id, method, flight.instance, seat_s, now, ok=ok, took_s=verdict.took_s,
                taken_at=flight.taken_at, one_of_several=ok is False and self.fleet.another_is_well(
                    flight.instance, order.handler, order.method, order.guild_id
                ),
            ):  # fmt: skip
                self.queue.released(scope)
            self.fleet.judge(flight.instance, order.handler, ok, verdict.took_s, flight.taken_at, now)
            if flight.overstays and self.fleet.link(flight.instance) is not None:
                self.overstayed.add(flight)
            else:
                self.fleet.given_back(flight.instance, order.handler)
            self.queue.finished_run(order.run_id, order.guild_id, method, seat_s)
            answered.setdefault(flight.instance, []).append((order.run_id, order.attempt))
            if verdict.outcome.state is RunState.WAITING:
                self._wait_again(verdict, wall, now)
            else:
                self.room.ended(order.schedule_id, order.run_id)
            if verdict.outcome.lasting or flight.failures:  # they may be counted otherwise now than the plan says
                self.book.drop(order.schedule_id)
        for instance, attempts in answered.items():
            self._acknowledge(instance, attempts)
        if verdicts:
            self.dispatcher.wake()

    def late(self, instance: str, attempts: Sequence[tuple[str, int]]) -> None:
        """Late answers are committed, so who sent them may forget them."""
        self._seats_free(instance, self.overstayed.ended(instance, attempts))
        self._acknowledge(instance, attempts)

    def _seats_free(self, instance: str, handlers: Sequence[str]) -> None:
        """What an instance would not stop is over there."""
        for handler in handlers:
            self.fleet.given_back(instance, handler)
        if handlers:
            self.fleet_changed()

    def _acknowledge(self, instance: str, attempts: Sequence[tuple[str, int]]) -> None:
        link = self.fleet.link(instance)
        if link is not None:
            link.acknowledge(attempts)

    def _wait_again(self, verdict: Verdict, wall: int, now: float) -> None:
        flight = verdict.flight
        if not self.territory.owns(
            flight.order.guild_id
        ):  # it was waited for, so that another core may have the next try
            self.room.ended(flight.order.schedule_id, flight.order.run_id)
            return
        self.room.retry(
            flight.order, start_before=flight.start_before, priority=flight.terms.priority,
            not_before=verdict.outcome.not_before, lost=verdict.outcome.lost, wall=wall, now=now, routing=flight.routing,
        )  # fmt: skip

    def count(self, flight: Flight) -> None:
        """An attempt that was under way already takes its room."""
        order = flight.order
        flight.confined = self.fleet.is_confined(flight.instance, order.handler, order.guild_id)
        self.governor.restore_running(order.guild_id, _method(flight), flight.instance)
        self.fleet.had(flight.instance, order.handler)

    def _recovery(self) -> Recovery:
        return Recovery(
            clock=self.clock, ledger=self.ledger, flights=self.flights, room=self.room, terms=self.book.terms,
            fleet=self.fleet, died=self._died, end=self._bury, partly=self.territory.shared,
        )  # fmt: skip

    def _bury(self, flight: Flight, outcome: Outcome) -> None:
        """End an attempt that died with the last process. It is counted first, as every end is counted off."""
        self.count(flight)
        self.settler.end(flight, outcome)

    def _died(self, instance: str) -> bool:
        """An in-process instance of an earlier incarnation is gone for good."""
        _, _, incarnation = instance.partition("@")
        return incarnation.startswith("core_") and incarnation != self.incarnation


def _method(flight: Flight) -> str:
    return f"{flight.order.handler}.{flight.order.method}"


def _expiry(row: RunRow, now: int) -> Move:
    tried = row.attempt > 0
    return Move(
        run_id=row.id, before=RunState.WAITING, before_attempt=row.attempt,
        after=RunState.FAILED if tried else RunState.SKIPPED, attempt=row.attempt, at=now,
        reason=SkipReason.EXPIRED if tried else SkipReason.MISSED, lost=row.lost, schedule_id=row.schedule_id,
    )  # fmt: skip
