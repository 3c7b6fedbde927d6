"""The tally: how the attempts of each method went lately, and how long they took.

A handler that works for one guild alone is counted apart from others of its name: neither is judged by what the other
does, and no guild sees another's.

Time is cut into slices of a minute, and the newest ten are the window. A slice counts run times in classes, four to a
doubling, so it stays small whatever runs, and a quantile read from it is right to within a tenth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from math import inf, log2
from typing import Final

import msgspec

from core.engine.flights import Flight
from core.engine.outcome import Outcome

SLICE_S: Final = 60.0
SLICES: Final = 10
WINDOW_S: Final = SLICE_S * SLICES
MOST_METHODS: Final = 4096
SHORTEST_S: Final = 1e-6
SUCCEEDED, FAILED, LOST = 0, 1, 2
_KINDS: Final = {"succeeded": SUCCEEDED, "lost": LOST, "cancelled": None}
_CLASSES: Final = 4  # to a doubling
_SHIFT: Final = 80  # no class is below zero: 2 ** (-80 / 4) is less than the shortest time

Whose = Collection[str | None] | None
"""Only what was done by handlers of these guilds alone, or, where None is among them, of all; None: everything."""


class Slice(msgspec.Struct):
    """What happened in one minute, or in several added up. ``counts``: succeeded, failed, lost."""

    number: float = 0
    counts: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    times: dict[int, int] = {}

    def count(self, other: Slice) -> None:
        """Add what another counted."""
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]

    def add(self, other: Slice) -> None:
        """Add all of another."""
        self.count(other)
        for place, count in other.times.items():
            self.times[place] = self.times.get(place, 0) + count

    @property
    def success_rate(self) -> float | None:
        """The part of the attempts that succeeded; None where there were none."""
        total = sum(self.counts)
        return self.counts[SUCCEEDED] / total if total else None

    def quantile(self, part: float) -> float | None:
        """The run time, in seconds, that this part of the answered attempts did not exceed; None where there were none."""
        left = part * sum(self.times.values())
        for place, count in sorted(self.times.items()):
            left -= count
            if left <= 0:
                return float(2.0 ** ((place - _SHIFT + 0.5) / _CLASSES))
        return None


class _Record:
    """One method. ``past``: what the slices that were let go had counted; ``kept``: the newest slice in the history."""

    __slots__ = ("current", "kept", "past", "slices")

    def __init__(self, number: float) -> None:
        self.kept = -inf
        self.current = Slice(number)
        self.slices = [self.current]
        self.past = Slice()

    def turn(self, number: float) -> Slice:
        """Begin another slice, and let go of those that left the window."""
        for each in self.slices:
            if each.number <= number - SLICES:
                self.past.count(each)
        self.current = Slice(number)
        self.slices = [*(each for each in self.slices if each.number > number - SLICES), self.current]
        return self.current


class Tally:
    """Counts the ends of attempts. ``note`` is on the way of every run; reading is for whoever asks."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], dict[str | None, _Record]] = {}
        self._count = 0

    def note(self, flight: Flight, outcome: Outcome, took_s: float | None, now: float) -> None:
        """An attempt ended. One that was put off, handed back or called off says nothing of its method.

        Args:
            took_s: from its sending to its answer; None where that is not known.
            now: monotonic seconds.
        """
        kind = _KINDS.get(outcome.outcome, FAILED)
        if kind is None or outcome.lost != flight.lost:
            return
        order, number = flight.order, now // SLICE_S
        guild_id = order.guild_id if flight.confined else None
        records = self._records.get((order.handler, order.method))
        record = None if records is None else records.get(guild_id)
        if record is None:
            record = self._new(order.handler, order.method, guild_id, number)
        if record is None:
            return
        current = record.current if record.current.number == number else record.turn(number)
        current.counts[kind] += 1
        if took_s is not None:
            times, place = current.times, int(log2(took_s + SHORTEST_S) * _CLASSES + _SHIFT)
            times[place] = times.get(place, 0) + 1

    def lately(self, handler: str, methods: Iterable[str], now: float, whose: Whose = None) -> Slice:
        """What these methods of a handler did within the window, added up."""
        found, oldest = Slice(), now // SLICE_S - SLICES
        for method in methods:
            for record in self._of(handler, method, whose):
                for each in record.slices:
                    if each.number > oldest:
                        found.add(each)
        return found

    def total(self, handler: str, method: str, whose: Whose = None) -> list[int]:
        """How many attempts of a method succeeded, failed and were lost since the start."""
        total = Slice()
        for record in self._of(handler, method, whose):
            for each in (record.past, *record.slices):
                total.count(each)
        return total.counts

    def unkept(self, handler: str | None = None) -> Iterator[tuple[str, str, str | None, Slice]]:
        """What the history does not have yet: handler, method, guild (as in ``Whose``), and a slice each."""
        for (name, method), records in self._records.items():
            if handler in (None, name):
                for guild_id, record in records.items():
                    for each in record.slices:
                        if each.number > record.kept:
                            yield name, method, guild_id, each

    def kept(self, handler: str, method: str, guild_id: str | None, number: float) -> None:
        """The history has a method's slices up to that one."""
        self._records[handler, method][guild_id].kept = number

    def _of(self, handler: str, method: str, whose: Whose) -> Iterator[_Record]:
        for guild_id, record in self._records.get((handler, method), {}).items():
            if whose is None or guild_id in whose:
                yield record

    def _new(self, handler: str, method: str, guild_id: str | None, number: float) -> _Record | None:
        if self._count >= MOST_METHODS:  # more than any house has: what is too much is not counted
            return None
        self._count += 1
        record = self._records.setdefault((handler, method), {})[guild_id] = _Record(number)
        return record
