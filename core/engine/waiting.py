"""The waiting room: the runs that wait, each where its reason to wait puts it.

A run waits for its time (a retry's back-off, jitter), then behind the runs of its own schedule (overlap), then in the
fair queue for capacity. Memory is bounded, and no guild fills it: one may hold at most four times as many places as are
still free (as with the slots; ``core.governor.governor``), and a few of each guild's runs always come in. What does not fit
stays in the ledger, and is read when there is room. Nothing here decides anything durable; the ledger's rows do.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Final

import msgspec

from core.engine.destinations import Destinations, Nowhere
from core.engine.ports import Order
from core.engine.routing import Routing, read_routing
from core.governor.fairness import FairQueue, Waiting
from core.governor.sends import destination_of
from core.ledger.rows import RunRow
from schedule_zero.run import SkipReason

FEW: Final = 1024
CAPACITY: Final = 50_000
TIMES_FREE: Final = 4
CROWDING: Final = 8
"""Where more guilds than so many have runs left in the ledger, these are read together and not one guild after another."""
RESERVED: Final = 4
Key = tuple[int, str]
"""(due, id) of a run, by which the ledger reads them."""


class Place(msgspec.Struct, gc=False):
    """What the room knows of one waiting run; the fair queue carries it as payload.

    ``args``: the run's own, None for one that takes its schedule's; ``lost``: tries that do not count so far;
    ``routing``: what it wants of who gets it, if it does; ``put_off``: it waits for a new calendar quota.
    """

    run_id: str
    schedule_id: str
    attempt: int
    line: int
    due: int
    start_before: int | None
    guild_id: str | None
    handler: str
    method: str
    priority: int
    args: str | None
    lost: int
    routing: Routing | None = None
    put_off: bool = False


class WaitingRoom:
    """Every waiting run that fits into memory."""

    def __init__(
        self, queue: FairQueue, capacity: int = CAPACITY, destinations: Destinations | Nowhere | None = None
    ) -> None:
        """``capacity``: how many places there are, beside the few of each guild; a run that comes back for another try needs
        none."""
        self._queue = queue
        self._destinations = destinations or Nowhere()
        self.capacity = capacity
        self._places: dict[str, Place] = {}
        self._held: dict[str | None, int] = {}
        self._left: dict[str | None, Key] = {}
        self._unknown: set[str] = set()
        self._delayed: list[tuple[float, str]] = []
        self._deadlines: list[tuple[int, str]] = []
        self._under_way: dict[str, set[str]] = {}
        self._lines: dict[str, deque[Place]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._places

    # what is left in the ledger

    @property
    def free(self) -> int:
        """How many places are free."""
        return max(0, self.capacity - len(self._places))

    @property
    def overflowed(self) -> bool:
        """Whether runs were left in the ledger."""
        return bool(self._left)

    def has_room(self) -> bool:
        """Whether runs left in the ledger may be read again: there is enough room for it to be worth while, or none of a
        guild's is here."""
        if len(self._left) > CROWDING:
            away = self._left.keys() - self._held.keys()
            return self.free >= self.capacity // 4 or any(self._has_room(guild) for guild in away)
        return any(self._has_room(guild) for guild in self._left)

    def short(self) -> list[str | None]:
        """The guilds of which runs were left, and that have room for them now."""
        return [guild for guild in self._left if self._has_room(guild)]

    def full(self) -> list[str | None]:
        """The guilds of which runs were left, and that have no room for one more now."""
        return [guild for guild in self._left if not self._may_hold_more(guild)]

    def room_for(self, guild_id: str | None) -> int:
        """How many more of a guild's runs fit in; at least two, so that reading from one on goes on behind it."""
        return max(2, (TIMES_FREE * self.free - self._held.get(guild_id, 0)) // (TIMES_FREE + 1))

    def leave_out(self, guild_id: str | None, key: Key) -> None:
        """Runs of a guild from this one on are in the ledger, and perhaps not here."""
        known = self._left.get(guild_id)
        self._left[guild_id] = key if known is None else min(known, key)

    def take_left(self, guild_id: str | None) -> Key | None:
        """From which run on a guild's are to be read; as far as is known they are all here from now on."""
        return self._left.pop(guild_id, None)

    def _may_hold_more(self, guild_id: str | None) -> bool:
        held = self._held.get(guild_id, 0)
        return held < TIMES_FREE * self.free or held < self._reserved

    def _has_room(self, guild_id: str | None) -> bool:
        """Whether a guild holds less than half of what it may."""
        return 2 * self._held.get(guild_id, 0) < max(TIMES_FREE * self.free, self._reserved)

    @property
    def _reserved(self) -> int:
        """How many runs of a guild come in whatever others hold: so each one's next are always here."""
        return min(RESERVED, self.capacity // 100)

    # runs come and go

    def offer(self, run: RunRow, *, wall: int, now: float) -> None:
        """A committed waiting run comes in. ``wall`` and ``now``: the two clocks (microseconds, seconds)."""
        if run.id in self._places or run.id in self._under_way.get(run.schedule_id, ()) or self._queue.holds(run.id):
            return  # one that is given out comes back by ``retry``, whatever was read of it in between
        if not self._may_hold_more(run.guild_id):
            self.leave_out(run.guild_id, (run.due, run.id))
            return
        place = Place(
            run.id, run.schedule_id, run.attempt, run.line, run.due, run.start_before, run.guild_id, run.handler,
            run.method, run.priority, run.args, run.lost, None if run.routing is None else read_routing(run.routing),
            run.reason == SkipReason.QUOTA,
        )  # fmt: skip
        if run.attempt:  # it has begun before, so those behind it in its schedule's line still wait for its end
            self.under_way(run.schedule_id, run.id)
        self._seat(place, run.not_before, wall, now)

    def retry(
        self, order: Order, *, start_before: int | None, priority: int, not_before: int | None, lost: int, wall: int,
        now: float, routing: Routing | None = None,
    ) -> None:  # fmt: skip
        """A run comes back for another try. It keeps its place before the others of its schedule."""
        place = Place(
            order.run_id, order.schedule_id, order.attempt, 0, order.due, start_before, order.guild_id, order.handler,
            order.method, priority, order.args, lost, routing,
        )  # fmt: skip
        self._seat(place, not_before, wall, now)

    def _seat(self, place: Place, not_before: int | None, wall: int, now: float) -> None:
        if place.run_id not in self._places:
            self._held[place.guild_id] = self._held.get(place.guild_id, 0) + 1
        self._places[place.run_id] = place
        if place.start_before is not None:
            self.expect(place.start_before, place.run_id)
        if not_before is not None and not_before > wall:
            heapq.heappush(self._delayed, (now + (not_before - wall) / 1e6, place.run_id))
            if len(self._delayed) > FEW and len(self._delayed) > 2 * len(self._places):
                self._delayed = [item for item in self._delayed if item[1] in self._places]
                heapq.heapify(self._delayed)
        else:
            self._enter(place)

    def expect(self, start_before: int, run_id: str) -> None:
        """Watch for the instant after which a run may not start. Runs that left long before theirs are forgotten."""
        heapq.heappush(self._deadlines, (start_before, run_id))
        if len(self._deadlines) > FEW and len(self._deadlines) > 2 * len(self._places):
            self._deadlines = [item for item in self._deadlines if item[1] in self._places]
            heapq.heapify(self._deadlines)

    def mature(self, now: float) -> None:
        """Let in those whose time has come."""
        while self._delayed and self._delayed[0][0] <= now:
            place = self._places.get(heapq.heappop(self._delayed)[1])
            if place is not None:
                self._enter(place)

    def expect_again(self, run_ids: Iterable[str]) -> None:
        """These were named as expired and could not be ended yet: name them again."""
        for run_id in run_ids:
            place = self._places.get(run_id)
            if place is not None and place.start_before is not None:
                self.expect(place.start_before, run_id)

    def expired(self, wall: int) -> list[str]:
        """Runs whose ``start_before`` has passed; they stay until withdrawn."""
        late: list[str] = []
        while self._deadlines and self._deadlines[0][0] < wall:
            run_id = heapq.heappop(self._deadlines)[1]
            if run_id in self._places:
                late.append(run_id)
        return late

    def leave(self, run_id: str) -> Place | None:
        """The run is given out: it no longer waits, but keeps its place in its schedule's line."""
        return self._drop(run_id)

    def withdraw(self, run_ids: Iterable[str]) -> None:
        """These runs ended while they waited."""
        for run_id in run_ids:
            place = self._drop(run_id)
            if place is not None:
                self._queue.withdraw(run_id)
                self._unknown.discard(run_id)
                self.ended(place.schedule_id, run_id)

    def clear_out(self, owns: Callable[[str | None], bool]) -> None:
        """Forget the runs of guilds that another core works for from now on."""
        self.withdraw([place.run_id for place in self._places.values() if not owns(place.guild_id)])
        self._left = {guild: key for guild, key in self._left.items() if owns(guild)}

    def under_way(self, schedule_id: str, run_id: str) -> None:
        """A run found open at start holds its place in the line."""
        entered = self._under_way.get(schedule_id)
        if entered is None:
            self._under_way[schedule_id] = {run_id}
        else:
            entered.add(run_id)

    def ended(self, schedule_id: str, run_id: str) -> None:
        """A run reached its end; the next of its schedule may enter."""
        entered = self._under_way.get(schedule_id)
        if entered is None:
            return
        entered.discard(run_id)
        line = self._lines.get(schedule_id)
        while line:
            place = line[0]
            if place.run_id not in self._places:
                line.popleft()
                continue
            if 0 < place.line <= len(entered):
                break
            line.popleft()
            self._into_queue(place)
        if not line:
            self._lines.pop(schedule_id, None)
        if not entered:
            self._under_way.pop(schedule_id, None)

    def wake_at(self) -> float | None:
        """When the next delayed run matures (monotonic seconds)."""
        return self._delayed[0][0] if self._delayed else None

    def soonest_deadline(self) -> int | None:
        """The next ``start_before`` to watch (wall microseconds)."""
        return self._deadlines[0][0] if self._deadlines else None

    def in_line(self, run_id: str) -> tuple[int, int] | None:
        """(runs under way, runs allowed) for a run that waits behind others of its schedule."""
        place = self._places.get(run_id)
        if place is None or not place.line:
            return None
        entered = self._under_way.get(place.schedule_id, set())
        return None if run_id in entered or len(entered) < place.line else (len(entered), place.line)

    def not_queued(self) -> tuple[list[Place], list[Place]]:
        """Runs that do not stand in the fair queue: those that wait for their time, and those behind their schedule's."""
        places = self._places
        delayed = [place for _, run_id in self._delayed if (place := places.get(run_id)) is not None]
        behind = [place for line in self._lines.values() for place in line if place.run_id in places]
        return delayed, behind

    # where their messages go

    @property
    def unknown(self) -> bool:
        """Whether it has to be read where the messages of some runs go, before they can be given out."""
        return bool(self._unknown)

    def take_unknown(self) -> list[str]:
        """Those runs; whoever reads it tells by ``know``, or asks for them again by ``ask_again``."""
        unknown, self._unknown = sorted(self._unknown), set()
        return unknown

    def stand_again(self, place: Place) -> None:
        """It was handed out and not begun: it waits on, unless it ended meanwhile, under the limits there are by now."""
        if place.run_id in self._places:
            self._into_queue(place)

    def know(self, run_id: str, args: str, owner_id: str) -> None:
        """The arguments that a run takes, and whose it is. One whose schedule has changed since is read again."""
        place = self._places.get(run_id)
        if place is not None and run_id not in self._unknown and not self._queue.holds(run_id):
            there = destination_of(place.method, args, place.guild_id, owner_id)
            self._queue.put(self._entry(place, there if self._is_limited(place) else ""))

    def ask_again(self, run_ids: Iterable[str]) -> None:
        """It could not be read where these go."""
        self._unknown.update(run_id for run_id in run_ids if run_id in self._places)

    def args_changed(self, schedule_id: str) -> None:
        """A schedule has other arguments now, perhaps; its runs that have none of their own take those."""
        for run_id in self._under_way.get(schedule_id, ()):
            place = self._places.get(run_id)
            if place is not None and place.args is None and self._is_limited(place):
                self._stand_anew(place)

    def limits_changed(self, guilds: Collection[str]) -> None:
        """Schedules of these guilds, or where their messages go, are limited now, perhaps, and were not, or the other way
        round. Who is not in the queue looks when it comes there."""
        self._destinations.limits_changed(guilds)
        for place in [each for each in self._places.values() if each.guild_id in guilds]:
            stood = self._queue.waits(place.run_id)
            if stood is not None:
                self._stand_elsewhere(place, stood)

    def _stand_elsewhere(self, place: Place, stood: Waiting) -> None:
        """In the lane where it belongs by now, if that is another one."""
        there = self._destination_of(place)
        if there is None:
            self._stand_anew(place)
            return
        entry = self._entry(place, there)
        if entry.kind != stood.kind:
            self._queue.withdraw(place.run_id)
            self._queue.put(entry)

    def _stand_anew(self, place: Place) -> None:
        if self._queue.withdraw(place.run_id) is None and self._queue.holds(place.run_id):
            return  # it is being given out
        self._unknown.add(place.run_id)

    def _is_limited(self, place: Place) -> bool:
        return self._destinations.limited(place.guild_id, place.handler, place.method)

    # steps

    def _drop(self, run_id: str) -> Place | None:
        place = self._places.pop(run_id, None)
        if place is not None:
            held = self._held[place.guild_id] - 1
            if held:
                self._held[place.guild_id] = held
            else:
                del self._held[place.guild_id]
        return place

    def _enter(self, place: Place) -> None:
        entered = self._under_way.get(place.schedule_id)
        if entered is not None and place.line and place.run_id not in entered and len(entered) >= place.line:
            self._lines.setdefault(place.schedule_id, deque()).append(place)
        else:
            self._into_queue(place)

    def _into_queue(self, place: Place) -> None:
        self.under_way(place.schedule_id, place.run_id)
        there = self._destination_of(place)
        if there is None:
            self._unknown.add(place.run_id)
        else:
            self._queue.put(self._entry(place, there))

    def _destination_of(self, place: Place) -> str | None:
        return self._destinations.of(place.guild_id, place.handler, place.method, place.schedule_id, place.args)

    def _entry(self, place: Place, destination: str) -> Waiting:
        return Waiting(
            run_id=place.run_id, guild=place.guild_id, method=f"{place.handler}.{place.method}",
            handler=place.handler, priority=place.priority, due=place.due, payload=place,
            wants="" if place.routing is None else place.routing.conditions, destination=destination,
            schedule=place.schedule_id, alone=self._destinations.alone(place.guild_id),
        )  # fmt: skip
