"""Four ways to share slots out. The last is ours: the fair queue and the governor of the core, as they are."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Final, Protocol

from core.governor.fairness import LARGEST_SHARE, FairQueue, Waiting
from core.governor.governor import Governor
from core.governor.settings import GovernorSettings, Limits, Plan
from core.governor.verdict import Wait

PROCESS: Final = "handler@1"


class Policy(Protocol):
    """Who is next. ``now`` is virtual seconds."""

    def put(self, entry: Waiting) -> None:
        """A run waits."""
        ...

    def next(self, now: float) -> Waiting | None:
        """The run that starts now, in the slot that is free; None: none may."""
        ...

    def finished(self, entry: Waiting, seat_seconds: float, now: float) -> None:
        """A run ended, and its slot is free."""
        ...


class Fifo:
    """First come, first served; with a cap, whoever is at it is stepped over."""

    def __init__(self, cap: int | None = None) -> None:
        """``cap``: how many slots one guild may hold."""
        self._cap = cap
        self._places = count()
        self._lines: dict[str | None, deque[tuple[int, Waiting]]] = {}
        self._first: list[tuple[int, str]] = []
        self._held: dict[str | None, int] = {}
        self._stepped_over: set[str | None] = set()

    def put(self, entry: Waiting) -> None:
        line = self._lines.setdefault(entry.guild, deque())
        line.append((next(self._places), entry))
        if len(line) == 1 and entry.guild not in self._stepped_over:
            self._line_up(entry.guild)

    def next(self, now: float) -> Waiting | None:
        while self._first:
            _, guild = heapq.heappop(self._first)
            held = self._held.get(guild, 0)
            if self._cap is not None and held >= self._cap:
                self._stepped_over.add(guild)
                continue
            self._held[guild] = held + 1
            entry = self._lines[guild].popleft()[1]
            self._line_up(guild)
            return entry
        return None

    def finished(self, entry: Waiting, seat_seconds: float, now: float) -> None:
        self._held[entry.guild] -= 1
        if entry.guild in self._stepped_over:
            self._stepped_over.remove(entry.guild)
            self._line_up(entry.guild)

    def _line_up(self, guild: str | None) -> None:
        if line := self._lines[guild]:
            heapq.heappush(self._first, (line[0][0], guild or ""))


class RoundRobin:
    """One run of each guild in turn."""

    def __init__(self) -> None:
        self._lines: dict[str | None, deque[Waiting]] = {}
        self._turns: deque[str | None] = deque()

    def put(self, entry: Waiting) -> None:
        line = self._lines.setdefault(entry.guild, deque())
        if not line:
            self._turns.append(entry.guild)
        line.append(entry)

    def next(self, now: float) -> Waiting | None:
        if not self._turns:
            return None
        guild = self._turns.popleft()
        line = self._lines[guild]
        entry = line.popleft()
        if line:
            self._turns.append(guild)
        return entry

    def finished(self, entry: Waiting, seat_seconds: float, now: float) -> None:
        """Only the number of runs counts here."""


class Governed:
    """The core's own: what the fair queue hands out, the governor admits, or it is parked."""

    def __init__(self, slots: int, *, largest_share: float = LARGEST_SHARE) -> None:
        """``largest_share``: the part of the slots one guild may hold while others are active."""
        settings = GovernorSettings(global_=Limits(running=slots), plans={"all": Plan()}, default_plan="all")
        self._queue = FairQueue(slots, largest_share=largest_share)
        self._governor = Governor(settings)

    def put(self, entry: Waiting) -> None:
        self._queue.put(entry)

    def next(self, now: float) -> Waiting | None:
        while (entry := self._queue.next(now)) is not None:
            verdict = self._governor.take(entry.guild, entry.method, (PROCESS,), now)
            if not isinstance(verdict, Wait):
                self._queue.started(entry)
                return entry
            self._queue.park(entry, verdict)
        return None

    def finished(self, entry: Waiting, seat_seconds: float, now: float) -> None:
        for scope in self._governor.release(entry.guild, entry.method, PROCESS, seat_seconds, now, ok=True):
            self._queue.released(scope)
        self._queue.finished(entry, seat_seconds)


POLICIES: Final[dict[str, Callable[[int], Policy]]] = {
    "first come, first served": lambda _: Fifo(),
    "the same with a cap of 80 %": lambda slots: Fifo(cap=int(slots * LARGEST_SHARE)),
    "round robin": lambda _: RoundRobin(),
    "ScheduleZero": Governed,
}
FIRST_COME: Final = "first come, first served"
OURS: Final = "ScheduleZero"
