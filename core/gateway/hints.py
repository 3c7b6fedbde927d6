"""The live hint: every event published as it is committed, to whoever listens. Some may be lost, and nobody is waited for.

A listener that is slow misses what does not fit its queue; one that comes late, what was before. The numbers tell:
each event has one, and the newest is told every second under the topic ``seq``. Whoever must not miss anything follows
the journal instead. Without listeners the journal is not even read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog
import zmq

from core.gateway.attendance import Attendance, watched
from core.gateway.clients import ROLES, House
from core.gateway.guard import Guard
from core.gateway.sockets import socket_of
from core.listening import CannotListen
from core.service.feeding import Wish
from schedule_zero.actor import CORE
from schedule_zero.event import topic
from schedule_zero.transport.pump import Pump

log = structlog.get_logger("schedule_zero.hints")

SETTING: Final = "zmq.events"
WAITING: Final = 10_000
"""Events that wait for one slow listener; the rest it misses."""
LARGEST_FRAME: Final = 1024
"""Of a topic, and of CURVE's handshake, whose largest frame takes about 600 bytes."""
MOST_ASKED: Final = 2 << 20
"""Bytes of topics asked for since nobody was there; ZeroMQ takes fifty times as much for them. With more all are cut off."""
SEQ: Final = b"seq"
REBIND_S: Final = 0.05
REBINDS: Final = 100
SEQ_S: Final = 1.0
_SUBSCRIBE: Final = b"\x01"
_encode: Final = msgspec.json.Encoder().encode


class Hints:
    """The listeners' door."""

    def __init__(self, house: House, guard: Guard) -> None:
        """``guard``: whose context the socket is made in; it is closed after this, by whoever made it."""
        self._house = house
        self._guard = guard
        self._asked = 0
        self._listened_to = asyncio.Event()
        self._place: tuple[int, int] | None = None
        self._cut = asyncio.Event()
        self._attendance: Attendance
        self._pump: Pump
        self.address = ""
        guard.when_revoked(SETTING, self._cut.set)

    def bind(self, address: str) -> str:
        """Listen; the address, with the port that was found where ``*`` was asked for.

        Raises:
            CannotListen: the address is taken, not ours, or may not be bound without encryption.
        """
        socket = socket_of(self._guard, zmq.XPUB, largest=LARGEST_FRAME, high_water=WAITING)
        events = watched(socket)
        try:
            # Listeners choose their topics themselves: who is confined to a guild would hear of all.
            self.address = self._guard.bind(socket, address, SETTING, roles=ROLES, confined=False).address
        except CannotListen:
            events.close(0)
            raise
        self._attendance = Attendance(socket, events, self._came_or_went)
        self._pump = Pump(socket, self._take)
        return self.address

    async def run(self) -> None:
        """Publish while somebody listens, until cancelled."""
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._publish(), name="hints")
            parts.create_task(self._keep_out(), name="who listens along")

    async def _keep_out(self) -> None:
        """Who may not listen any more, or asks for too much, is cut off: ZeroMQ cannot send one away, so all are, and the
        others come back."""
        while True:
            await self._cut.wait()
            await self.close()
            self._cut.clear()
            self._asked = 0
            self._listened_to.clear()
            await self._bind_again()

    async def _bind_again(self) -> None:
        for _ in range(REBINDS):
            try:
                self.bind(self.address)
            except CannotListen:  # ZeroMQ lets go of an address a moment after it was told to
                await asyncio.sleep(REBIND_S)
            else:
                return
        self.bind(self.address)

    async def _publish(self) -> None:
        while True:
            await self._listened_to.wait()
            telling = [asyncio.create_task(each, name="hints") for each in (self._tell(), self._tell_seq())]
            try:
                while self._listened_to.is_set():
                    await asyncio.wait(telling, timeout=SEQ_S, return_when=asyncio.FIRST_EXCEPTION)
                    for task in telling:
                        if task.done():
                            task.result()
            finally:
                for task in telling:
                    task.cancel()
                await asyncio.gather(*telling, return_exceptions=True)

    async def close(self) -> None:
        """Stop publishing."""
        await self._attendance.close()
        await self._pump.close(0)

    def _came_or_went(self) -> None:
        if self._attendance.is_empty:
            self._asked = 0
            self._listened_to.clear()
        else:
            self._listened_to.set()

    def _take(self, batch: Sequence[Sequence[bytes]]) -> None:
        """ZeroMQ says each topic that is new to it. What is not wanted any more is not taken off: ZeroMQ says that also of
        what somebody else still wants, when it was told so by a peer that never did."""
        self._asked += sum(len(frames[0]) for frames in batch if frames[0][:1] == _SUBSCRIBE)
        if self._asked > MOST_ASKED and not self._cut.is_set():
            log.warning("listeners ask for too many topics; all are cut off, and may come back", bytes=self._asked)
            self._cut.set()

    async def _tell(self) -> None:
        feed = await self._house.feed(CORE, Wish())
        self._place = (feed.epoch, feed.seq)
        async with contextlib.aclosing(feed.portions()) as portions:
            async for portion in portions:
                for event in portion.events:
                    self._pump.send((topic(event).encode(), _encode(event)))
                self._place = (feed.epoch, portion.seq)

    async def _tell_seq(self) -> None:
        while True:
            if self._place is not None:
                epoch, seq = self._place
                self._pump.send((SEQ, _encode({"epoch": epoch, "seq": seq})))
            await asyncio.sleep(SEQ_S)
