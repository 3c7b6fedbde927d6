"""The parts of an engine: here each is made, and gets what it works with.

First what holds something in memory, then what moves, in the order in which they lean on each other. Only one thing leads
back: what moves has consequences, and some of these set it moving again (``Consequences.close_the_circle``).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from core.engine.chained import ChainedLedger
from core.engine.chains import Chains
from core.engine.chronicle import Chronicle
from core.engine.cluster import Cluster
from core.engine.consequences import Consequences
from core.engine.destinations import Destinations
from core.engine.dispatch import Dispatcher
from core.engine.entitle import Entitler
from core.engine.estate import Estate
from core.engine.fleet import Fleet
from core.engine.flights import Flights
from core.engine.handover import Handing
from core.engine.health import Health
from core.engine.herald import Herald
from core.engine.horizon import Horizon
from core.engine.janitor import Janitor, Retention
from core.engine.leases import LeaseKeeper
from core.engine.overstayed import Overstayed
from core.engine.plan import PlanBook
from core.engine.ports import Clock, Pace
from core.engine.publisher import Publisher
from core.engine.reception import Reception
from core.engine.recovery import Recovery
from core.engine.scheduler import Scheduler
from core.engine.settle import Settler
from core.engine.tally import Tally
from core.engine.territory import Territory
from core.engine.tick import Tick
from core.engine.usher import Usher
from core.engine.waiting import WaitingRoom
from core.governor.fairness import SLOTS, FairQueue
from core.governor.governor import Governor
from core.governor.measures import Measures
from core.governor.settings import GovernorSettings
from core.ledger.port import Ledger
from schedule_zero.ids import IdMaker
from schedule_zero.instant import HOUR

HORIZON_CAPACITY: Final = 20_000
WINDOW: Final = HOUR


class Memory:
    """What an engine holds in memory. None of it reads, writes, sends or waits."""

    def __init__(self, clock: Clock, governor: GovernorSettings, ids: IdMaker, *, shared: bool) -> None:
        """``shared``: there may be other cores."""
        self.clock = clock
        self.ids = ids
        self.book = PlanBook()
        self.fleet = Fleet()
        self.flights = Flights()
        self.overstayed = Overstayed()
        self.measures = Measures(governor)
        self.slots = governor.global_.running or SLOTS
        self.queue = FairQueue(self.slots, weight_of=lambda id: self.measures.quota_of(id).weight)
        self.destinations = Destinations(self.measures, self.book)
        self.room = WaitingRoom(self.queue, destinations=self.destinations)
        self.governor = Governor(self.measures, self.fleet.whose, self.queue.under_way)
        self.entitler = Entitler(self.measures)
        self.territory = Territory(shared=shared)
        self.handing = Handing(self.territory, self.ids)
        self.tally = Tally()


class Parts(Memory):
    """All of them. Made once per process."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, governor: GovernorSettings, ids: IdMaker | None = None,
        retention: Retention | None = None, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        membership = ledger.membership
        super().__init__(clock, governor, ids or IdMaker(), shared=membership is not None)
        self.incarnation = self.ids.make("core", clock.now()) if membership is None else membership.id
        self.pace = pace or Pace()
        self.publisher = Publisher(ledger)
        wake = asyncio.Event()
        self.consequences = Consequences(
            clock=clock, territory=self.territory, room=self.room, queue=self.queue, governor=self.governor,
            fleet=self.fleet, flights=self.flights, overstayed=self.overstayed, book=self.book, tally=self.tally,
            wake=wake, slots=self.slots,
        )  # fmt: skip
        chains = Chains(
            clock=clock, ids=self.ids, terms=self.book.terms, entitler=self.entitler, handing=self.handing
        )  # fmt: skip
        self.ledger = ChainedLedger(ledger, chains, self.consequences)
        self._make_what_serves_runs(wake)
        self._make_what_looks_after_handlers()
        self.retention = retention or Retention()
        self._make_what_keeps_order()

    def _make_what_serves_runs(self, wake: asyncio.Event) -> None:
        """From the due time to the outcome."""
        clock, ledger = self.clock, self.ledger
        self.tick = Tick(
            clock=clock, ledger=ledger, book=self.book, horizon=Horizon(WINDOW, HORIZON_CAPACITY),
            entitler=self.entitler, ids=self.ids, consequences=self.consequences, territory=self.territory,
        )  # fmt: skip
        self.scheduler = Scheduler(self.tick, clock, self.pace.longest_sleep_s)
        self.usher = Usher(
            clock=clock, ledger=ledger, room=self.room, entitler=self.entitler, territory=self.territory
        )  # fmt: skip
        self.dispatcher = Dispatcher(
            clock=clock, ledger=ledger, room=self.room, queue=self.queue, governor=self.governor, fleet=self.fleet,
            book=self.book, usher=self.usher, longest_sleep_s=self.pace.dispatch_s,
            ticks_first=partial(self.tick.caught_up, self.pace.ticks_first_s), consequences=self.consequences, wake=wake,
        )  # fmt: skip
        self.settler = Settler(
            clock=clock, ledger=ledger, flights=self.flights, consequences=self.consequences, handing=self.handing
        )
        self.leases = LeaseKeeper(clock=clock, flights=self.flights, fleet=self.fleet, ends=self.settler)
        self.consequences.close_the_circle(self.scheduler, self.leases)

    def _make_what_looks_after_handlers(self) -> None:
        """Who is there, and how they do."""
        clock = self.clock
        self.herald = Herald(self.ledger)
        self.reception = Reception(clock=clock, fleet=self.fleet, herald=self.herald)
        self.health = Health(
            clock=clock, fleet=self.fleet, flights=self.flights, tally=self.tally, check_interval_s=self.pace.health_s,
            telling=self.reception, changed=self.consequences.fleet_changed,
        )  # fmt: skip
        self.chronicle = Chronicle(clock=clock, ledger=self.ledger, tally=self.tally, core=self.incarnation)

    def _make_what_keeps_order(self) -> None:
        """What the last end left, what others leave, and what time makes necessary."""
        clock, ledger = self.clock, self.ledger
        recovery = Recovery(
            clock=clock, ledger=ledger, flights=self.flights, room=self.room, terms=self.book.terms, fleet=self.fleet,
            queue=self.queue, governor=self.governor, territory=self.territory, ends=self.settler,
            incarnation=self.incarnation,
        )  # fmt: skip
        self.estate = Estate(
            ledger=ledger, territory=self.territory, flights=self.flights, room=self.room, tick=self.tick,
            dispatcher=self.dispatcher, settler=self.settler, recovery=recovery, usher=self.usher,
            consequences=self.consequences,
        )  # fmt: skip
        membership = ledger.membership
        self.cluster = None if membership is None else Cluster(
            clock=clock, ledger=ledger, membership=membership, territory=self.territory, estate=self.estate
        )  # fmt: skip
        self.janitor = Janitor(
            clock=clock, ledger=ledger, terms=self.book.terms, ids=self.ids, retention=self.retention,
            turn_s=self.pace.janitor_s, changed=self.consequences.schedules_changed, reception=self.reception,
            territory=self.territory,
        )  # fmt: skip
