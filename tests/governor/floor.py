"""A floor of slots under a simulated clock: the least of an engine that the fair queue and the governor need."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.governor.fairness import FairQueue, Waiting
from core.governor.governor import Governor
from core.governor.verdict import Admit, Wait

ACTIVE_S = 600.0
CREDIT = 3


class Queue(Protocol):
    """What a policy has to offer to be simulated."""

    def put(self, entry: Waiting) -> None: ...
    def next(self, now: float) -> Waiting | None: ...
    def finished(self, entry: Waiting, seat_seconds: float) -> None: ...


def simulate(
    queue: Queue, arrivals: Iterable[tuple[float, Waiting]], *, slots: int, run_s: Callable[[Waiting], float]
) -> dict[str, tuple[float, float]]:
    """Run everything; by run id, when it started and when it ended. Slots are the only limit."""
    pending = sorted(arrivals, key=lambda each: (each[0], each[1].run_id), reverse=True)
    ends: list[tuple[float, str, float, Waiting]] = []
    times: dict[str, tuple[float, float]] = {}
    while pending or ends:
        now = min([*(each[0] for each in pending[-1:]), *(each[0] for each in ends[:1])])
        while ends and ends[0][0] <= now:
            _, _, begun, entry = heapq.heappop(ends)
            queue.finished(entry, now - begun)
        while pending and pending[-1][0] <= now:
            queue.put(pending.pop()[1])
        while len(ends) < slots and (following := queue.next(now)) is not None:
            end = now + run_s(following)
            times[following.run_id] = now, end
            heapq.heappush(ends, (end, following.run_id, now, following))
    return times


@dataclass
class Floor:
    """Queue, governor and handlers that come and go, with the bookkeeping that checks them."""

    queue: FairQueue
    governor: Governor
    cap: int
    now: float = 1000.0
    handlers: dict[str, list[str]] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    running: dict[str, tuple[Waiting, str, float]] = field(default_factory=dict)
    last_work: dict[str | None, float] = field(default_factory=dict)

    def candidates(self, entry: Waiting) -> Sequence[str]:
        """Processes of the handler that may be sent more, as a gateway's credit would have it."""
        able = self.handlers.get(entry.handler, [])
        return [name for name in able if self.load(entry.handler, name) < CREDIT]

    def load(self, handler: str, name: str) -> int:
        return sum((entry.handler, each) == (handler, name) for entry, each, _ in self.running.values())

    def put(self, entry: Waiting) -> None:
        self.waiting[entry.run_id] = entry
        self.last_work[entry.guild] = self.now
        self.queue.put(entry)

    def drain(self) -> None:
        """Start whatever can start now."""
        while (entry := self.queue.next(self.now)) is not None:
            self._in_order(entry)
            able = self.candidates(entry)
            if not able:
                self.queue.park(entry, Wait(f"handler:{entry.handler}", "available", 0, 0))
                continue
            answer = self.governor.take(entry.guild, entry.method, able, self.now)
            if isinstance(answer, Wait):
                self.queue.park(entry, answer)
                assert self.queue.why(entry.run_id) is not None
                continue
            self.queue.started(entry)
            del self.waiting[entry.run_id]
            self.running[entry.run_id] = entry, answer.handler, self.now
            assert self.held(entry.guild) <= self.cap or not self.several(besides=entry.guild)

    def end(self, run_id: str) -> None:
        entry, handler, begun = self.running.pop(run_id)
        self.last_work[entry.guild] = self.now
        seat_s = self.now - begun
        for scope in self.governor.release(entry.guild, entry.method, handler, seat_s, self.now):
            self.queue.released(scope)
        self.queue.finished(entry, max(seat_s, 0.001))

    def not_begun(self, run_id: str) -> None:
        """The commit of its attempt failed: it waits again."""
        entry, handler, begun = self.running.pop(run_id)
        self.governor.give_back(entry.guild, entry.method, handler, begun)
        self.queue.finished(entry, 0.0)
        self.put(entry)

    def withdraw(self, run_id: str) -> None:
        entry = self.waiting.pop(run_id)
        self.last_work[entry.guild] = self.now
        assert self.queue.withdraw(run_id) is entry

    def held(self, guild: str | None) -> int:
        return sum(entry.guild == guild for entry, _, _ in self.running.values())

    def several(self, *, besides: str | None) -> bool:
        busy = {entry.guild for entry in self.waiting.values()} | {entry.guild for entry, _, _ in self.running.values()}
        recent = {guild for guild, at in self.last_work.items() if at + ACTIVE_S > self.now}
        return bool((busy | recent) - {besides})

    def could_start(self, entry: Waiting) -> bool:
        """Whether every limit and the cap would let this run start now."""
        able = self.candidates(entry)
        if not able or (self.held(entry.guild) >= self.cap and self.several(besides=entry.guild)):
            return False
        return isinstance(self.governor.explain(entry.guild, entry.method, able, self.now), Admit)

    def overlooked(self) -> list[Waiting]:
        """Runs that could start now and wait all the same."""
        return [entry for entry in self.waiting.values() if self.could_start(entry)]

    def _in_order(self, entry: Waiting) -> None:
        key = (entry.priority, entry.guild, entry.method)
        line = [each for each in self.waiting.values() if (each.priority, each.guild, each.method) == key]
        assert min(line, key=lambda each: (each.due, each.run_id)) is entry
