"""Consequences: what one part's commit means for the others.

The ledger has it by then; here memory follows: the waiting room, the attempts under way, capacity, and who has to wake up.
Each part knows only its own share of this, as a protocol beside it (``Consequences`` in ``tick``, ``chained``, ``dispatch``,
``settle``, ``estate``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from core.engine.chains import Followed
from core.engine.choose import Chosen
from core.engine.fleet import Fleet
from core.engine.flights import Flight, Flights
from core.engine.leases import LeaseKeeper
from core.engine.outcome import judged
from core.engine.overstayed import Overstayed
from core.engine.plan import PlanBook
from core.engine.ports import Clock
from core.engine.scheduler import Scheduler
from core.engine.settle import Verdict
from core.engine.tally import Tally
from core.engine.territory import Territory
from core.engine.waiting import WaitingRoom
from core.governor.fairness import FairQueue
from core.governor.governor import Governor
from core.ledger.rows import RunRow, ScheduleRow
from schedule_zero.run import RunState


class Consequences:
    """Brings memory after the ledger."""

    def __init__(
        self, *, clock: Clock, territory: Territory, room: WaitingRoom, queue: FairQueue, governor: Governor,
        fleet: Fleet, flights: Flights, overstayed: Overstayed, book: PlanBook, tally: Tally, wake: asyncio.Event,
        slots: int,
    ) -> None:  # fmt: skip
        """``wake``: the dispatcher's; ``slots``: how many runs may be under way at once at the most."""
        self._clock = clock
        self._territory = territory
        self._room = room
        self._queue = queue
        self._governor = governor
        self._fleet = fleet
        self._flights = flights
        self._overstayed = overstayed
        self._book = book
        self._tally = tally
        self._wake = wake
        self._most_running = self._slots = slots
        self._scheduler: Scheduler
        self._leases: LeaseKeeper
        self._when_settled: list[Callable[[Sequence[Verdict]], None]] = []

    def close_the_circle(self, scheduler: Scheduler, leases: LeaseKeeper) -> None:
        """Runs go round in a circle, and so do these two: what they set off has consequences for them. Once, before anything
        is committed."""
        self._scheduler = scheduler
        self._leases = leases

    def when_settled(self, heard: Callable[[Sequence[Verdict]], None]) -> None:
        """Call with committed outcomes."""
        self._when_settled.append(heard)

    # of a tick, of what follows, and of the service's own changes

    def runs_created(self, runs: Sequence[RunRow]) -> None:
        """Committed waiting runs enter the waiting room, if they are this core's to give out."""
        if self._territory.shared:
            runs = [run for run in runs if self._territory.owns(run.guild_id)]
        wall, now = self._clock.now(), self._clock.monotonic()
        for run in runs:
            self._room.offer(run, wall=wall, now=now)
        if runs:
            self._wake.set()

    def runs_withdrawn(self, run_ids: Sequence[str]) -> None:
        """Runs ended while they waited."""
        if run_ids:
            self._room.withdraw(run_ids)
            self._wake.set()

    def cancel_open(self, run_ids: Sequence[str]) -> None:
        """Runs under way shall stop."""
        for run_id in run_ids:
            flight = self._flights.current(run_id)
            if flight is not None:
                self._leases.stop(flight, "cancelled")

    async def schedules_changed(self, rows: Sequence[ScheduleRow]) -> None:
        """Committed schedules that are new or different."""
        if self._territory.shared:
            rows = [row for row in rows if self._territory.owns(row.guild_id)]
        await self._scheduler.note(rows)
        for row in rows:
            self._room.args_changed(row.id)

    async def followed(self, followed: Followed) -> None:
        """Committed runs that follow others, and what they meant for those before them."""
        for row in followed.rows:
            self._book.foresee(row)
        for id in followed.failing:
            self._book.drop(id)
        if followed.blocked:
            await self.schedules_changed(followed.blocked)
        self.runs_withdrawn(followed.withdrawn)
        self.runs_created(followed.runs)
        self.cancel_open(followed.cancel)

    # of a dispatch

    def begun(self, flights: Sequence[Flight]) -> None:
        """Attempts are committed, and about to be sent."""
        for flight in flights:
            self._flights.add(flight)
            if self._territory.shared:  # where its bucket was laid down while it was written, the room forgot its place
                self._room.under_way(flight.order.schedule_id, flight.order.run_id)
        self._leases.begun()

    def not_begun(self, chosen: Sequence[Chosen]) -> None:
        """The attempt was not committed: what was taken is given back; a run that still waits queues again."""
        for item in chosen:
            entry = item.entry
            self._governor.give_back(
                entry.guild, entry.method, item.instance, item.taken_at, entry.destination, entry.schedule
            )
            self._fleet.not_begun(item.instance, item.place.handler, item.taken_at)
            self._queue.finished(entry, 0.0)
            self._room.stand_again(item.place)

    def overtaken(self, chosen: Sequence[Chosen], still_waiting: Sequence[RunRow]) -> None:
        """Between choice and commit the runs were cancelled or moved on: the room follows the ledger."""
        self._room.withdraw([item.place.run_id for item in chosen])
        self.not_begun(chosen)
        self.runs_created(still_waiting)

    # of an outcome

    def settled(self, verdicts: Sequence[Verdict]) -> None:
        """Outcomes are committed: capacity is free again, and each run ends or waits for its next try."""
        wall, now = self._clock.now(), self._clock.monotonic()
        answered: dict[str, list[tuple[str, int]]] = {}
        for verdict in verdicts:
            flight, order = verdict.flight, verdict.flight.order
            self._tally.note(flight, verdict.outcome, verdict.took_s, now)
            self._free(verdict, now)
            answered.setdefault(flight.instance, []).append((order.run_id, order.attempt))
            if verdict.outcome.state is RunState.WAITING:
                self._wait_again(verdict, wall, now)
            else:
                self._room.ended(order.schedule_id, order.run_id)
            if verdict.outcome.lasting or flight.failures:  # they may be counted otherwise now than the plan says
                self._book.drop(order.schedule_id)
        for instance, attempts in answered.items():
            self._acknowledge(instance, attempts)
        for heard in self._when_settled:
            heard(verdicts)
        if verdicts:
            self._wake.set()

    def late(self, instance: str, attempts: Sequence[tuple[str, int]]) -> None:
        """Late answers are committed, so who sent them may forget them."""
        self._seats_free(instance, self._overstayed.ended(instance, attempts))
        self._acknowledge(instance, attempts)

    def _free(self, verdict: Verdict, now: float) -> None:
        """What an attempt took is free again, and its end tells of who ran it."""
        flight, order, took_s = verdict.flight, verdict.flight.order, verdict.took_s
        method, seat_s, ok = order.full_method, max(0.0, now - flight.sent_at), judged(flight, verdict.outcome)
        for scope in self._governor.release(
            order.guild_id, method, flight.instance, seat_s, now, schedule=order.schedule_id, ok=ok, took_s=took_s,
            taken_at=flight.taken_at, one_of_several=ok is False and self._fleet.another_is_well(
                flight.instance, order.handler, order.method, order.guild_id
            ),
        ):  # fmt: skip
            self._queue.released(scope)
        self._fleet.judge(flight.instance, order.handler, ok, took_s, flight.taken_at, now)
        if flight.overstays and self._fleet.link(flight.instance) is not None:
            self._overstayed.add(flight)
        else:
            self._fleet.given_back(flight.instance, order.handler)
        self._queue.finished_run(order.run_id, order.guild_id, method, seat_s)

    def _wait_again(self, verdict: Verdict, wall: int, now: float) -> None:
        flight = verdict.flight
        if not self._territory.owns(flight.order.guild_id):
            # it was waited for, so that another core may have the next try
            self._room.ended(flight.order.schedule_id, flight.order.run_id)
            return
        self._room.retry(
            flight.order, start_before=flight.start_before, priority=flight.terms.priority,
            not_before=verdict.outcome.not_before, lost=verdict.outcome.lost, wall=wall, now=now, routing=flight.routing,
        )  # fmt: skip

    def _acknowledge(self, instance: str, attempts: Sequence[tuple[str, int]]) -> None:
        link = self._fleet.link(instance)
        if link is not None:
            link.acknowledge(attempts)

    # of who is there

    def fleet_changed(self) -> None:
        """A handler came, went, or changed what it can take."""
        slots = min(self._most_running, self._fleet.credit() or self._most_running)
        if slots != self._slots:  # the share one guild may hold is a part of what can run at once now
            self._slots = slots
            self._queue.resize(slots)
        for handler in self._fleet.handlers():
            self._queue.released(f"handler:{handler}")
        self._wake.set()

    def measures_changed(self, guilds: Iterable[str]) -> None:
        """What these guilds may use is different now."""
        now = self._clock.monotonic()
        changed = frozenset(guilds)
        for guild in changed:
            self._governor.remeasure(guild, now)
        self._room.limits_changed(changed)
        self._queue.wake_all()
        self._wake.set()

    def gone(self, instance: str) -> None:
        """An instance went, and with it what it would not stop."""
        self._seats_free(instance, self._overstayed.gone(instance))

    def _seats_free(self, instance: str, handlers: Sequence[str]) -> None:
        """What an instance would not stop is over there."""
        for handler in handlers:
            self._fleet.given_back(instance, handler)
        if handlers:
            self.fleet_changed()

    def territory_changed(self) -> None:
        """There is more to look after."""
        self._leases.begun()
        self._wake.set()
