"""How many attempts one process runs at once, shared out among the cores it serves.

Each core is offered what it already holds and a part of what is free, so that all of them together do not send more
than can be run. What crosses a change on its way waits for a slot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from schedule_zero.process.silences import Silences


class Slots:
    """The slots of one process. ``silences``: for how long what has one may keep the process from beating."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._room = asyncio.Semaphore(most)
        self._seats: list[Seat] = []
        self._turn = 0
        self._telling = False
        self.silences = Silences()

    def seat(self, tell: Callable[[], None]) -> Seat:
        """A part for one more core. ``tell`` is called when the part may have changed."""
        seat = Seat(self, tell)
        self._seats.append(seat)
        return seat

    def rotate(self) -> None:
        """Slots that cannot be shared out evenly go to another core than before."""
        self._turn += 1
        self.changed()

    def changed(self) -> None:
        """Something was begun or ended, or a core came or went: the parts are told anew, once in this turn."""
        if len(self._seats) > 1 and not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self.tell)

    def tell(self) -> None:
        """Every core is told its part."""
        self._telling = False
        for seat in self._seats:
            seat.tell()

    def part(self, seat: Seat) -> int:
        """What one core may hold; of one that is not there yet, what it will be offered when it comes."""
        taking = [one for one in self._seats if one.taking or one is seat]
        free = max(0, self.most - sum(one.held for one in self._seats))
        share, rest = divmod(free, len(taking))
        ranked = sorted(taking, key=lambda one: (one.held, (self._seats.index(one) + self._turn) % len(self._seats)))
        return seat.held + share + (seat in ranked[:rest])


class Seat:
    """One core's part. Entered for the time of an attempt; waits where all slots are taken.

    Attributes:
        held: attempts of this core that run, or wait for a slot.
        taking: whether this core is there to send more.
    """

    def __init__(self, slots: Slots, tell: Callable[[], None]) -> None:
        self._slots = slots
        self.tell = tell
        self.held = 0
        self._taking = False

    @property
    def taking(self) -> bool:
        return self._taking

    @taking.setter
    def taking(self, taking: bool) -> None:
        if taking != self._taking:
            self._taking = taking
            self._slots.changed()

    def credit(self) -> int:
        """How many attempts this core may have here at once."""
        return self._slots.part(self)

    async def __aenter__(self) -> None:
        self.held += 1
        self._slots.changed()
        try:
            await self._slots._room.acquire()
        except asyncio.CancelledError:
            self._left()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slots._room.release()
        self._left()

    def _left(self) -> None:
        self.held -= 1
        self._slots.changed()
