"""Ring: members in the order of their turns, round after round.

A ring is a heap of (turn, place). Moving and leaving cost nothing at once: an item counts only while its place is the
one its member remembers, and the others fall out when they reach the front or outnumber the rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

SMALL: Final = 64


class Member:
    """Something that can stand in one ring at a time. ``place`` 0: in none."""

    __slots__ = ("place", "turn")

    def __init__(self) -> None:
        self.place = 0
        self.turn = 0


M = TypeVar("M", bound=Member)


class Ring(Generic[M]):
    """Members by turn; within a turn, whoever came first."""

    __slots__ = ("_heap", "_places", "size")

    def __init__(self, places: Iterator[int]) -> None:
        """``places``: growing numbers from 1, shared by all rings among which members move."""
        self._heap: list[tuple[int, int, M]] = []
        self._places = places
        self.size = 0

    def first(self) -> M | None:
        """The member whose turn it is; it stays."""
        heap = self._heap
        while heap:
            _, place, member = heap[0]
            if member.place == place:
                return member
            heapq.heappop(heap)
        return None

    def enter(self, member: M, turn: int) -> None:
        """Stand at ``turn``, behind those already there; who is in this ring moves."""
        if not member.place:
            self.size += 1
        member.turn, member.place = turn, next(self._places)
        item = (turn, member.place, member)
        heap = self._heap
        if heap and heap[0][2] is member:
            heapq.heapreplace(heap, item)
        else:
            heapq.heappush(heap, item)
            if len(heap) > SMALL and len(heap) > 2 * self.size:
                self._heap = [item for item in heap if item[2].place == item[1]]
                heapq.heapify(self._heap)

    def leave(self, member: M) -> None:
        """Stand in this ring no more."""
        if member.place:
            member.place = 0
            self.size -= 1
            if self._heap[0][2] is member:
                heapq.heappop(self._heap)
