"""Cluster: this core's part among several on one database.

It takes buckets that nobody holds up to its fair share, gives up what it has too many, and takes what other cores left
for it. A bucket is given up only when nothing of it is under way: first no more runs are made and given out there, then
it is waited for what was, and then, behind everything this core has written, the bucket is free. What does not end in a
while is kept after all, and others are tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import structlog

from core.engine.handover import Handover, left_for, taken
from core.engine.ports import Clock
from core.engine.territory import Territory, at_rest, to_claim, to_give_up
from core.ledger.among import Membership
from core.ledger.port import Ledger, StoreClosed, StoreError, Transaction

log = structlog.get_logger("schedule_zero.cluster")

TURN_S: Final = 1.0
REST_WITHIN_S: Final = 15.0
# Hints come with every change somebody leaves: so many of them are looked at together.
TOGETHER_S: Final = 0.02


class Estate(Protocol):
    """What the engine does with its territory."""

    async def take_up(self, buckets: Iterable[int]) -> None:
        """Work for these: as after a start, with what the ledger holds of them."""
        ...

    async def lay_down(self, buckets: Iterable[int]) -> None:
        """Make no more runs in these and give none out; on return none is on its way."""
        ...

    def under_way(self) -> Mapping[int, int]:
        """How many attempts are under way, in each bucket that has any."""
        ...

    async def take_over(self, handover: Handover) -> None:
        """Look at what another core left."""
        ...


class Cluster:
    """Keeps a core's territory."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, membership: Membership, territory: Territory, estate: Estate
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._membership = membership
        self._territory = territory
        self._estate = estate
        self._leaving: dict[int, float] = {}
        self._kept: set[int] = set()
        self._wake = asyncio.Event()
        membership.on_change(self._wake.set)

    async def run(self) -> None:
        """Look every second, and when there is something to look at, until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.turn()
            except StoreClosed:
                raise
            except StoreError as error:
                log.warning("the store refused; buckets are looked at again", error=str(error))
            try:
                async with asyncio.timeout(TURN_S):
                    await self._wake.wait()
                    await asyncio.sleep(TOGETHER_S)
            except TimeoutError:
                pass

    async def turn(self) -> None:
        """One look."""
        await self._give_up_what_rests()
        cores = len(self._membership.members)
        held = self._territory.held + len(self._leaving)
        if most := to_claim(cores, held):
            await self._claim(most)
        elif self._leaving and (enough := to_claim(cores, self._territory.held)) > 0:
            await self._keep(sorted(self._leaving)[:enough])  # there are fewer cores than when they were to go
        elif not self._leaving and (surplus := to_give_up(cores, held)):
            await self._begin_to_give_up(surplus)
        await self._take_what_was_left()

    async def _claim(self, most: int) -> None:
        async def unit(tx: Transaction) -> list[int]:
            return await tx.buckets.claim(self._membership.id, most)

        claimed = await self._ledger.write(unit)
        if claimed:
            log.info("buckets claimed", count=len(claimed), held=self._territory.held + len(claimed))
            await self._estate.take_up(claimed)

    async def _begin_to_give_up(self, surplus: int) -> None:
        in_order = self._territory.busiest_last(self._estate.under_way())
        fresh = [bucket for bucket in in_order if bucket not in self._kept] or in_order
        going, self._kept = fresh[:surplus], set()
        until = self._clock.monotonic() + REST_WITHIN_S
        self._leaving = dict.fromkeys(going, until)
        await self._estate.lay_down(going)
        await self._give_up_what_rests()

    async def _give_up_what_rests(self) -> None:
        if not self._leaving:
            return
        resting = at_rest(self._leaving, self._estate.under_way())
        if resting:
            await self._ledger.write(lambda tx: tx.buckets.release(self._membership.id, resting))
            for bucket in resting:
                del self._leaving[bucket]
            log.info("buckets given up", count=len(resting), held=self._territory.held)
        now = self._clock.monotonic()
        busy = [bucket for bucket, until in self._leaving.items() if until <= now]
        if busy:
            self._kept.update(busy)
            await self._keep(busy)

    async def _keep(self, buckets: Iterable[int]) -> None:
        """Work for these on: they were to be given up, and are not."""
        some = list(buckets)
        for bucket in some:
            del self._leaving[bucket]
        await self._estate.take_up(some)

    async def _take_what_was_left(self) -> None:
        left = await left_for(self._ledger.reader.notes, self._territory.within() or ())
        if not left:
            return
        for handover in left.values():
            await self._estate.take_over(handover)
        await self._ledger.write(lambda tx: taken(tx, left))
