"""Leases: attempts that nobody answers for come back, and those that take too long are stopped."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from core.engine.fleet import Fleet
from core.engine.flights import Flight, Flights
from core.engine.outcome import Ends, conclude, vanish
from core.engine.ports import BEAT_S, Answer, Clock

log = structlog.get_logger("schedule_zero.leases")

LONGEST_SLEEP_S: Final = BEAT_S / 2


class LeaseKeeper:
    """Watches every attempt under way."""

    def __init__(self, *, clock: Clock, flights: Flights, fleet: Fleet, ends: Ends) -> None:
        self._clock = clock
        self._flights = flights
        self._fleet = fleet
        self._ends = ends
        self._last_turn = clock.monotonic()
        self._busy = asyncio.Event()
        self._sooner = asyncio.Event()
        self._up_at = 0.0

    def begun(self) -> None:
        """There are attempts to watch; one of them perhaps for less time than the sleep that is under way."""
        self._busy.set()
        soonest = self._flights.look_at()
        if soonest is not None and soonest < self._up_at:
            self._sooner.set()

    async def run(self) -> None:
        """Judge leases and time-outs until cancelled; asleep while nothing is under way."""
        while True:
            if not len(self._flights):
                self._busy.clear()
                await self._busy.wait()
                self._last_turn = self._clock.monotonic()
            await self._sleep()
            self.turn()

    def turn(self) -> None:
        """One look. A process that itself stood still (suspended, stopped) first grants everybody the gap."""
        now = self._clock.monotonic()
        gap = now - self._last_turn
        self._last_turn = now
        if gap > LONGEST_SLEEP_S + BEAT_S:
            log.warning("the process stood still; leases are moved", seconds=round(gap, 1))
            self._flights.shift(gap)
        for flight in self._flights.overdue(now):
            self._judge(flight, now)

    async def _sleep(self) -> None:
        now, soonest = self._clock.monotonic(), self._flights.look_at()
        pause = LONGEST_SLEEP_S if soonest is None else min(LONGEST_SLEEP_S, max(0.001, soonest - now))
        self._up_at = now + pause
        self._sooner.clear()
        try:
            async with asyncio.timeout(pause):
                await self._sooner.wait()
        except TimeoutError:
            return

    def _judge(self, flight: Flight, now: float) -> None:
        if flight.stop_by is not None and flight.stop_by <= now:
            order, flight.overstays = flight.order, True
            gone = Answer(run_id=order.run_id, attempt=order.attempt, instance=flight.instance, kind="cancelled")
            self._ends.end(flight, conclude(flight, gone, self._clock.now()))
        elif flight.lease_until <= now:
            self._run_out(flight, now)
        else:
            self.stop(flight, "timed_out")
            self._flights.watch_again(flight)

    def _run_out(self, flight: Flight, now: float) -> None:
        """Nobody spoke for it. Where the same process is busy with something that keeps it from beating, that excuses it."""
        excused = self._flights.excused(flight.instance, now)
        if excused is not None:
            flight.lease_until = excused
            self._flights.watch_again(flight)
        else:
            self._ends.end(flight, vanish(flight, self._clock.now(), ours=False))

    def stop(self, flight: Flight, reason: str) -> None:
        """Ask the handler to stop; after a grace the attempt is closed without it."""
        self._flights.stop(flight, reason, self._clock.monotonic())
        link = self._fleet.link(flight.instance)
        if link is not None:
            link.cancel(flight.order.run_id, flight.order.attempt)
