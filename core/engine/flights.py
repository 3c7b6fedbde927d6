"""Flights: the attempts under way. Their leases and time-outs, in monotonic time.

Pure bookkeeping; ``leases`` watches it, ``settle`` ends it. A flight exists from the commit of its attempt to the
commit of its outcome.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator

import msgspec

from core.engine.plan import Terms
from core.engine.ports import LEASE_S, Order
from core.engine.routing import Routing

CANCEL_GRACE_S = 10.0


class Flight(msgspec.Struct):
    """One attempt under way.

    Attributes:
        instance: who has it.
        taken_at: when its place was taken, in monotonic seconds; minus infinity where another process took it.
        lease_s: how long a beat is good for; ``lease_until`` in monotonic seconds. Longer than ``LEASE_S`` where the method
            was declared to keep its process from beating.
        timeout_at: when the attempt has taken too long.
        stopping: why it was asked to stop (``timed_out`` or ``cancelled``), and ``stop_by``: when patience ends.
        at_most_once: a lost attempt is not tried again.
        confined: who has it works for the run's guild alone.
        routing: what the run wants of who gets its next attempt.
        lost: attempts so far that do not count against ``max_attempts``.
        started: the handler said that it began; ``running``: and the ledger has it so.
        overstays: it was closed although its handler had not stopped, and so takes up a seat there.
        inherited: it was given out by another process than this one, so how long it takes is not known here.
        adopted: the same, and nobody has said since that it is there.
        unanswered: how many attempts in a row nobody had answered before this one; known of adopted ones.
    """

    order: Order
    terms: Terms
    start_before: int | None
    instance: str
    sent_at: float
    sent: int
    lease_s: float
    lease_until: float
    timeout_at: float
    revision: int
    failures: int
    lost: int
    at_most_once: bool = False
    confined: bool = False
    started: bool = False
    running: bool = False
    stopping: str | None = None
    stop_by: float | None = None
    fraction: float | None = None
    overstays: bool = False
    note: str = ""
    inherited: bool = False
    adopted: bool = False
    unanswered: int = 0
    taken_at: float = -math.inf
    routing: Routing | None = None

    def take_off(self, now: int, monotonic: float) -> None:
        """The attempt is committed and about to be sent: its times run from here on, however long the store took."""
        order = self.order
        order.late_by = max(0, now - order.due)
        order.deadline = now + int(order.timeout_s * 1e6)
        self.sent_at = monotonic
        self.lease_until = monotonic + self.lease_s
        self.timeout_at = monotonic + order.timeout_s


class Flights:
    """All attempts under way, by run."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._long: dict[str, dict[str, Flight]] = {}
        self._watch: list[tuple[float, str, int]] = []

    def __len__(self) -> int:
        return len(self._flights)

    def __iter__(self) -> Iterator[Flight]:
        return iter(self._flights.values())

    def add(self, flight: Flight) -> None:
        order = flight.order
        self._flights[order.run_id] = flight
        if flight.lease_s > LEASE_S:
            self._long.setdefault(flight.instance, {})[order.run_id] = flight
        self._look_again(flight)

    def get(self, run_id: str, attempt: int) -> Flight | None:
        """The flight, if this is still its current attempt (the fence)."""
        flight = self._flights.get(run_id)
        return flight if flight is not None and flight.order.attempt == attempt else None

    def current(self, run_id: str) -> Flight | None:
        return self._flights.get(run_id)

    def remove(self, run_id: str, attempt: int) -> Flight | None:
        if self.get(run_id, attempt) is None:
            return None
        flight = self._flights.pop(run_id)
        if flight.lease_s > LEASE_S:
            held = self._long[flight.instance]
            del held[run_id]
            if not held:
                del self._long[flight.instance]
        return flight

    def extend(self, instance: str, run_id: str, attempt: int, now: float) -> bool:
        """A beat named this attempt: its lease runs anew. False if it is not (any more) that instance's."""
        flight = self.get(run_id, attempt)
        if flight is None or flight.instance != instance:
            return False
        flight.lease_until = now + flight.lease_s
        flight.adopted = False
        return True

    def excused(self, instance: str, now: float) -> float | None:
        """Until when (monotonic seconds) it is no wonder that nothing is heard of an instance: what it was given, it said,
        keeps its process from beating. None: nothing excuses it."""
        until = max((flight.lease_until for flight in self._long.get(instance, {}).values()), default=now)
        return until if until > now else None

    def shift(self, seconds: float) -> None:
        """The whole process stood still that long: nobody's lease or time-out ran meanwhile."""
        for flight in self._flights.values():
            flight.lease_until += seconds
            flight.timeout_at += seconds
            if flight.stop_by is not None:
                flight.stop_by += seconds
            self._look_again(flight)

    def stop(self, flight: Flight, reason: str, now: float) -> None:
        """Note that the attempt was asked to stop, and since when."""
        if flight.stopping is None:
            flight.stopping, flight.stop_by = reason, now + CANCEL_GRACE_S
            self._look_again(flight)

    def overdue(self, now: float) -> list[Flight]:
        """Flights whose lease, time-out or patience ran out by now. Each is looked at again later, until removed."""
        found: list[Flight] = []
        while self._watch and self._watch[0][0] <= now:
            _, run_id, attempt = heapq.heappop(self._watch)
            flight = self.get(run_id, attempt)
            if flight is None:
                continue
            if self._deadline(flight) <= now:
                found.append(flight)
            else:
                self._look_again(flight)
        return found

    def look_at(self) -> float | None:
        """When to look next (monotonic seconds)."""
        return self._watch[0][0] if self._watch else None

    def watch_again(self, flight: Flight) -> None:
        """Keep an eye on an overdue flight that goes on."""
        self._look_again(flight)

    def _look_again(self, flight: Flight) -> None:
        heapq.heappush(self._watch, (self._deadline(flight), flight.order.run_id, flight.order.attempt))

    @staticmethod
    def _deadline(flight: Flight) -> float:
        timeout = flight.timeout_at if flight.stop_by is None else flight.stop_by
        return min(flight.lease_until, timeout)
