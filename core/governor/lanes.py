"""What the fair queue is made of: waiting runs stand in lanes, lanes make up a guild's share, gates hold them back.

band (high, normal, low)
  share     one guild in one band; stands in the band's ring while it has a lane that may be tried
    lane    its runs of one method, by (due, id)
  gate      a limit that refused; shares or lanes stand in its own ring until it opens, and then it stands in the
            band's ring for them, so that they are tried one after the other and not all at once
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from core.governor.ring import SMALL, Member, Ring
from core.governor.verdict import Wait, scope_of

QUANTUM_S: Final = 0.01  # run time per round: short runs of one guild go in small groups, longer ones alone
LEAD_S: Final = 1.0  # what a guild may be ahead by because its runs proved shorter than charged
DEBT_S: Final = 30.0  # what a guild may owe: an hour's run must not keep it out for an hour of everybody else's


class Waiting:
    """A run that waits for its start.

    Attributes:
        guild: whose it is; None: the operator's own.
        method: ``handler.method``.
        handler: the name of the handler it is addressed to.
        priority: the band: 0 high, 1 normal, 2 low.
        due: its due instant, which orders the runs of a guild.
        payload: whatever the caller wants back with it.
        wants: what it asks of its handler beyond the method; runs that differ in that wait in lanes of their own.
        destination: the scope of where its message goes (``core.governor.sends``), if that is limited; likewise.
        schedule: the schedule it is a run of.
        kind: tells its lane apart from the guild's others.
    """

    __slots__ = ("charge", "destination", "due", "guild", "handler", "kind", "lane", "method", "payload", "place", "priority", "run_id",
                 "schedule", "wants")  # fmt: skip
    lane: Lane

    def __init__(
        self, run_id: str, guild: str | None, method: str, handler: str, priority: int, due: int, payload: Any = None,
        wants: str = "", destination: str = "", schedule: str = "", *, alone: bool = False,
    ) -> None:  # fmt: skip
        """``alone``: each schedule of the guild has limits of its own, so its runs wait in lanes of their own."""
        self.run_id = run_id
        self.guild = guild
        self.method = method
        self.handler = handler
        self.priority = priority
        self.due = due
        self.payload = payload
        self.wants = wants
        self.destination = destination
        self.schedule = schedule
        self.kind = f"{method} {wants} {destination}" if wants or destination else method
        if alone:
            self.kind += f" {schedule}"
        self.place = 0
        self.charge = 0.0

    def __repr__(self) -> str:
        return f"Waiting({self.run_id!r}, guild={self.guild!r}, method={self.method!r}, due={self.due})"


class Standing(msgspec.Struct, frozen=True):
    """So many runs of a guild and a method wait for the same; ``wait`` None: for their turn."""

    guild: str | None
    method: str
    runs: int
    wait: Wait | None


class Account:
    """One guild: what it holds and what waits, over all bands."""

    __slots__ = ("guild", "held", "scope", "shares", "waiting", "weight")

    def __init__(self, guild: str | None, weight: float) -> None:
        self.guild = guild
        self.scope = scope_of(guild)
        self.weight = weight
        self.held = 0
        self.waiting = 0
        self.shares: dict[int, Share] = {}

    @property
    def busy(self) -> bool:
        """Whether anything of it waits or runs."""
        return self.waiting > 0 or self.held > 0


class Waiter(Member):
    """What a gate can hold back: a share or a lane, with so many runs waiting in it."""

    __slots__ = ("gate", "waiting")

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.gate: Gate | None = None


class Share(Waiter):
    """One guild in one band.

    Attributes:
        served: the run time it was charged, divided by its weight.
        ready: how many of its lanes may be tried.
    """

    __slots__ = ("_heap", "_stood", "account", "band", "lanes", "most_lanes", "ready", "served")

    def __init__(self, account: Account, band: Band) -> None:
        super().__init__()
        self.account = account
        self.band = band
        self.lanes: dict[str, Lane] = {}
        self.most_lanes = SMALL
        self.ready = 0
        self.served = 0.0
        self._heap: list[tuple[int, str, int, Lane]] = []
        self._stood = 0

    def enter(self) -> None:
        """Stand in the band's ring, if there is a lane to be tried and no gate before it."""
        if self.gate is None and not self.place and self.ready:
            self.band.ring.enter(self, self.come_back())

    def come_back(self) -> int:
        """Its turn. Who comes back has earned nothing while it was away, and a long debt is forgiven."""
        level = self.band.level
        self.served = min(max(self.served, level), level + DEBT_S)
        return int(self.served / QUANTUM_S)

    def add(self, kind: str, lane: Lane) -> None:
        """One more lane. Channels are many and come and go, so those in which nothing waits make room."""
        if len(self.lanes) >= self.most_lanes:
            self.lanes = {name: each for name, each in self.lanes.items() if each.waiting}
            self.most_lanes = max(SMALL, 2 * len(self.lanes))
        self.lanes[kind] = lane

    def step_out(self) -> None:
        """Leave the band's ring."""
        self.band.ring.leave(self)

    def serve(self, seconds: float) -> None:
        """Charge service (or, negative, give it back), and take the turn that follows from it."""
        self.served += seconds
        if self.place and self.gate is None:
            turn = int(self.served / QUANTUM_S)
            if turn != self.turn:
                self.band.ring.enter(self, turn)

    def correct(self, seconds: float) -> None:
        """As ``serve``, for a charge that proved wrong: no guild gets further ahead or behind by it than is bearable."""
        level = self.band.level
        self.serve(min(max(self.served + seconds, level - LEAD_S), level + DEBT_S) - self.served)

    def candidate(self) -> Lane | None:
        """The lane, of those that may be tried, whose first run is due first.

        A lane stands in the heap by a run of its own that was first: one that is first now is no earlier.
        """
        heap = self._heap
        while self.ready:
            due, run_id, stand, lane = heap[0]
            if lane.stand != stand:
                heapq.heappop(heap)
                continue
            if self.ready == 1:
                return lane
            key = lane.first_key()
            if key == (due, run_id):
                return lane
            heapq.heapreplace(heap, (*key, stand, lane))
        return None

    def let_stand(self, lane: Lane, key: tuple[int, str]) -> None:
        """A lane may be tried, from this run on."""
        if not lane.stand:
            self.ready += 1
        if len(self._heap) > SMALL and len(self._heap) > 2 * self.ready:
            self._heap = [item for item in self._heap if item[3].stand == item[2]]
            heapq.heapify(self._heap)
        self._stood += 1
        lane.stand = self._stood
        heapq.heappush(self._heap, (*key, lane.stand, lane))

    def let_sit(self, lane: Lane) -> None:
        """A lane may not be tried any more."""
        self.ready -= 1
        lane.stand = 0
        if not self.ready:
            self._heap.clear()

    def standing(self) -> Iterator[Lane]:
        """The lanes that may be tried, in no order."""
        return (item[3] for item in self._heap if item[3].stand == item[2])


class Lane(Waiter):
    """One guild's waiting runs of one method in one band.

    Attributes:
        barrier: the gate that held it back last.
        stand: tells its place among those that may be tried; 0: it may not.
    """

    __slots__ = ("barrier", "heap", "method", "share", "stand")

    def __init__(self, share: Share, method: str) -> None:
        super().__init__()
        self.share = share
        self.method = method
        self.barrier: Gate | None = None
        self.stand = 0
        self.heap: list[tuple[int, str, int, Waiting]] = []

    def enter(self) -> None:
        """May be tried, as far as it goes by itself."""
        self.share.let_stand(self, self.first_key())
        self.share.enter()

    def step_out(self) -> None:
        """May not be tried any more."""
        share = self.share
        share.let_sit(self)
        if not share.ready and share.gate is None:
            share.step_out()

    def candidate(self) -> Lane | None:
        """Itself, as far as it goes by itself."""
        return self

    def push(self, entry: Waiting, place: int) -> None:
        """Let a run stand in line at (due, id)."""
        entry.place = place
        heapq.heappush(self.heap, (entry.due, entry.run_id, place, entry))
        self.waiting += 1
        self.share.waiting += 1
        if self.waiting == 1 and self.gate is None:
            self.enter()
        elif self.stand and self.heap[0][3] is entry:
            self.share.let_stand(self, (entry.due, entry.run_id))

    def pop(self) -> Waiting:
        """Take out the first run. Only while one waits and no gate holds the lane."""
        while True:
            _, _, place, entry = heapq.heappop(self.heap)
            if entry.place == place:
                break
        entry.place = 0
        self.waiting -= 1
        self.share.waiting -= 1
        if not self.waiting:
            self._emptied()
        return entry

    def drop(self, entry: Waiting) -> None:
        """Take out any run; its item stays in the heap until it would be first, or until there are many such."""
        entry.place = 0
        self.waiting -= 1
        self.share.waiting -= 1
        if not self.waiting:
            self._emptied()
        elif len(self.heap) > SMALL and len(self.heap) > 2 * self.waiting:
            self.heap = [item for item in self.heap if item[3].place == item[2]]
            heapq.heapify(self.heap)

    def entries(self) -> Iterator[Waiting]:
        """All its runs, in no order."""
        return (item[3] for item in self.heap if item[3].place == item[2])

    def first_key(self) -> tuple[int, str]:
        """(due, id) of the first run. Only while one waits."""
        heap = self.heap
        while heap[0][3].place != heap[0][2]:
            heapq.heappop(heap)
        return heap[0][0], heap[0][1]

    def _emptied(self) -> None:
        """What waits no more is held back no more."""
        self.heap.clear()
        if self.gate is None:
            self.step_out()
        else:
            self.gate.let_go(self)
        share = self.share
        if share.gate is not None and not share.waiting:
            share.gate.let_go(share)


class Gate(Member):
    """A limit that refused, for one band. While it stands in the band's ring it is open.

    Attributes:
        wait: the last refusal.
        until: monotonic seconds at which it opens by itself, or None.
        releasable: whether a release opens it; a rate frees by time alone.
        armed: the time for which an alarm is set.
        closed: somebody was refused here, and nothing has changed since.
    """

    __slots__ = ("armed", "band", "closed", "method", "releasable", "until", "wait", "waiters")

    def __init__(self, band: Band, method: str, wait: Wait, places: Iterator[int]) -> None:
        super().__init__()
        self.band = band
        self.method = method
        self.wait = wait
        self.until: float | None = None
        self.releasable = True
        self.armed: float | None = None
        self.closed = False
        self.waiters: Ring[Share | Lane] = Ring(places)

    def hold(self, waiter: Share | Lane, turn: int) -> None:
        """Close, and hold a waiter back at its turn."""
        self.closed = True
        self.band.ring.leave(self)
        if waiter.gate is None:
            waiter.step_out()
        elif waiter.gate is not self:
            other = waiter.gate
            other.let_go(waiter)
            other._follow()
        waiter.gate = self
        self.waiters.enter(waiter, turn)

    def open(self) -> None:
        """Stand in the band's ring for those who wait here."""
        self.closed = False
        first = self.waiters.first()
        if first is not None and not self.place:
            self.band.ring.enter(self, first.turn)

    def candidate(self) -> Lane | None:
        """The first one, to be tried. The gate stays open for the next, until one is refused.

        A lane that is all its guild waits with is tried where it stands: mostly its next run is refused here again. Any
        other waiter is let out. None: nobody is left, it is not the first one's turn yet, or it has another gate before
        it.
        """
        waiter = self.waiters.first()
        if waiter is None:
            self.band.ring.leave(self)
            return None
        if isinstance(waiter, Lane) and waiter.share.gate is None and waiter.waiting == waiter.share.waiting:
            turn = waiter.share.come_back()
            if turn <= waiter.turn:
                return waiter
            self.was_tried(waiter, turn)
            return None
        self.let_go(waiter)
        self._follow()
        waiter.enter()
        lane = waiter.candidate()
        return None if lane is None or lane.share.gate is not None else lane

    def was_tried(self, lane: Lane, turn: int) -> None:
        """A lane was tried, and its next turn is this one; it stays, if it still waits."""
        if lane.gate is self and turn != lane.turn:
            self.waiters.enter(lane, turn)
        self._follow()

    def _follow(self) -> None:
        """While open, stand in the band's ring where the first who waits here would."""
        if self.place:
            first = self.waiters.first()
            if first is None:
                self.band.ring.leave(self)
            elif first.turn != self.turn:
                self.band.ring.enter(self, first.turn)

    def let_go(self, waiter: Share | Lane) -> None:
        """Hold this one back no longer."""
        self.waiters.leave(waiter)
        waiter.gate = None


class Band:
    """One priority. ``level``: where service stands; ``passed``: how often others went first while it was ready.

    ``level_before`` and ``passed_before``: what they were before the newest run was handed out, should that be refused.
    """

    __slots__ = ("level", "level_before", "lower", "passed", "passed_before", "priority", "ring")

    def __init__(self, priority: int, lower: tuple[Band, ...], places: Iterator[int]) -> None:
        self.priority = priority
        self.lower = lower
        self.ring: Ring[Share | Gate] = Ring(places)
        self.level = self.level_before = 0.0
        self.passed = self.passed_before = 0
