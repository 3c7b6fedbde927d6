"""Recovery: what a start makes of what the last end left open; what a core makes of what it takes over is the same.

Attempts of handlers that lived in the old process died with it: they are lost at once, and do not count against the
run. Attempts of handlers elsewhere keep a lease for a while, so that a handler which comes back is adopted. What it does
not hold then never reached it, and is lost in the same way. Where a method was declared to keep its process from beating, its
attempts keep the lease that goes with it.
"""

from __future__ import annotations

import structlog

from core.engine.fleet import Fleet
from core.engine.flights import Flight, Flights
from core.engine.outcome import CRASH_CAP, Ends, unanswered, vanish
from core.engine.plan import TermsBook, timeout_of
from core.engine.ports import ADOPTION_S, LEASE_S, Clock, Order
from core.engine.routing import read_routing
from core.engine.stopping import stopped, wanted_stopped
from core.engine.territory import Territory
from core.engine.waiting import WaitingRoom
from core.governor.fairness import FairQueue, Waiting
from core.governor.governor import Governor
from core.ledger.port import Ledger, ReadyRun, Within
from core.ledger.rows import AttemptRow, LeaseRow, RunRow
from schedule_zero.run import RunState

log = structlog.get_logger("schedule_zero.recovery")


class Recovery:
    """Takes up the attempts that are open in the ledger, before anything new starts."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, flights: Flights, room: WaitingRoom, terms: TermsBook, fleet: Fleet,
        queue: FairQueue, governor: Governor, territory: Territory, ends: Ends, incarnation: str,
    ) -> None:  # fmt: skip
        """``incarnation``: this process, as the instances inside it are named for."""
        self._clock = clock
        self._ledger = ledger
        self._flights = flights
        self._room = room
        self._terms = terms
        self._fleet = fleet
        self._queue = queue
        self._governor = governor
        self._territory = territory
        self._ends = ends
        self._incarnation = incarnation

    async def open_runs(self, within: Within = None) -> None:
        """Take up every dispatched or running run that was not known. What died with its process ends at once."""
        found = [
            each for each in await self._ledger.reader.runs.open(within)
            if self._flights.get(each[0].id, each[0].attempt) is None
        ]  # fmt: skip
        ready = await self._ledger.reader.runs.ready([run.id for run, _, _ in found])
        often = [run.id for run, _, _ in found if run.lost + 1 >= CRASH_CAP]
        tries = await self._ledger.reader.runs.attempts(often) if often else {}
        wanted = await self._wanted_stopped({run.id for run, _, _ in found})
        for run, attempt, lease in found:
            self._room.under_way(run.schedule_id, run.id)
            flight = self._flight(run, attempt, lease, ready[run.id])
            flight.unanswered = unanswered(tries.get(run.id, ()))
            self._flights.add(flight)
            if run.id in wanted:
                self._flights.stop(flight, "cancelled", self._clock.monotonic())
            self._count(flight)
            if self._died(attempt.instance):
                self._ends.end(flight, vanish(flight, self._clock.now(), ours=True, before=flight.unanswered))
        if found:
            log.info("runs were open at the last end", count=len(found))

    def _count(self, flight: Flight) -> None:
        """It takes its room already, also where it ends at once: every end is counted off."""
        order = flight.order
        flight.confined = self._fleet.is_confined(flight.instance, order.handler, order.guild_id)
        self._governor.restore_running(order.guild_id, order.full_method, flight.instance, order.schedule_id)
        self._queue.started(
            Waiting(order.run_id, order.guild_id, order.full_method, order.handler, flight.terms.priority, order.due,
                    schedule=order.schedule_id)
        )  # fmt: skip
        self._fleet.had(flight.instance, order.handler)

    def _died(self, instance: str) -> bool:
        """An in-process instance of an earlier incarnation is gone for good."""
        _, _, incarnation = instance.partition("@")
        return incarnation.startswith("core_") and incarnation != self._incarnation

    async def _wanted_stopped(self, open_runs: set[str]) -> set[str]:
        """Those of the open runs that shall stop. Wishes that came too late are forgotten."""
        wanted = await wanted_stopped(self._ledger.reader.notes)
        late = wanted - open_runs
        if late and self._territory.shared:  # some of them are under way at other cores
            rows = await self._ledger.reader.runs.get_many(sorted(late))
            late = {id for id in late if id not in rows or rows[id].ended is not None}
        if late:
            await self._ledger.write_essential(lambda tx: stopped(tx, late))
        return wanted & open_runs

    def _flight(self, run: RunRow, attempt: AttemptRow, lease: LeaseRow, ready: ReadyRun) -> Flight:
        terms, now = self._terms.of(ready.policy), self._clock.monotonic()
        method = self._fleet.method(run.handler, run.method, run.guild_id)
        timeout_s, lease_s = timeout_of(terms.timeout_s, method), max(LEASE_S, lease.remaining / 1e6)
        order = Order(
            run_id=run.id, attempt=run.attempt, schedule_id=run.schedule_id, guild_id=run.guild_id,
            owner_id=ready.owner_id, handler=run.handler, method=run.method, instance=attempt.instance, due=run.due,
            late_by=0, deadline=self._clock.now() + int(timeout_s * 1e6), timeout_s=timeout_s,
            args=ready.args, metadata=ready.metadata,
        )  # fmt: skip
        return Flight(
            order=order, terms=terms, start_before=run.start_before, instance=attempt.instance, sent_at=now,
            sent=attempt.sent, lease_s=lease_s, lease_until=now + max(ADOPTION_S, lease_s), timeout_at=now + timeout_s,
            revision=ready.revision, failures=ready.failures, lost=run.lost,
            at_most_once=bool(lease.at_most_once), started=run.state is RunState.RUNNING,
            running=run.state is RunState.RUNNING, inherited=True, adopted=True,
            routing=None if run.routing is None else read_routing(run.routing),
        )  # fmt: skip
