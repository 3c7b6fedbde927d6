"""A client's line to a core: logs in, beats, notices when the core is gone, and logs in again when it is back.

The socket keeps nothing for a core that is not there (ZMQ_IMMEDIATE): what is said then is refused at once, so that
nothing old arrives later, and whoever uses the line says again what still counts when it is welcomed anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
import zmq

from schedule_zero import views
from schedule_zero.errors import ScheduleZeroError, Unauthorized
from schedule_zero.transport import asking, wire
from schedule_zero.transport.connecting import connect
from schedule_zero.transport.curve import Watch
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.transport.pump import Pump
from schedule_zero.transport.turn import OnceATurn

log = logging.getLogger("schedule_zero.transport.line")

LOGIN_AGAIN_S: Final = 2.0
LINGER_MS: Final = 500
_FULL: Final = asking.LARGEST_REQUESTS - 1024
_encode: Final = msgspec.msgpack.Encoder().encode


class User(Protocol):
    """Who speaks over a line."""

    def welcomed(self, welcome: asking.Welcome) -> None:
        """The core knows us (again): what still counts has to be said (again)."""
        ...

    def refused(self, error: ScheduleZeroError) -> None:
        """The core does not admit us, and asking again in the same way is of no use."""
        ...

    def hear(self, message: Any) -> None: ...


class Line:
    """One connection, kept up until ``close``. Lives on the loop it was opened in.

    Attributes:
        instance: this end, as the core tells it from others.
        up: set while the core knows us.
    """

    def __init__(self, address: str, keys: KeyFile, user: User, *, software: str) -> None:
        """``keys``: a token, or the pair to show and the key of the core it speaks to encrypted."""
        self._address = address
        self._keys = keys
        self._encrypted = keys.server is not None
        self._watch: Watch | None = None
        self._user = user
        self._software = software
        self._outgoing: list[tuple[bytes, Callable[[], None] | None]] = []
        self._leaving_soon = OnceATurn(self._flush)
        self._heard = 0.0
        self._pump: Pump | None = None
        self._context: zmq.Context[Any] | None = None
        self._beating: asyncio.Task[None] | None = None
        self.instance = secrets.token_hex(8)
        self.up = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed."""
        return self._pump is not None

    def open(self) -> None:
        """Begin to connect.

        Raises:
            ValueError: the address is none.
        """
        context = self._context = zmq.Context()
        socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        try:
            connect(socket, self._address, self._keys, largest=asking.LARGEST_ANSWERS)
        except ValueError:
            socket.close(0)
            context.term()
            self._context = None
            raise
        self._watch = Watch(socket, self._address, self._turned, encrypted=self._encrypted)
        self._pump = Pump(socket, self._take, self.greet)
        self._beating = asyncio.get_running_loop().create_task(self._beat(), name="line")

    async def close(self) -> None:
        """Say goodbye and let go."""
        if self._pump is None or self._context is None:
            return
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
        if self.up.is_set():
            self.say(asking.Bye())
            self._flush()
        self.up.clear()
        pump, self._pump = self._pump, None
        if self._watch is not None:
            await self._watch.close()
        await pump.close(LINGER_MS)
        self._context.term()
        self._context = None

    def say(self, message: msgspec.Struct) -> None:
        """Say something with the others of this turn; it is lost where the core is away."""
        self.say_encoded(_encode(message))

    def say_encoded(self, message: bytes, sent: Callable[[], None] | None = None) -> None:
        """As ``say``, of a message in its bytes. ``sent`` is called where the core may get it; else it surely does not."""
        self._outgoing.append((message, sent))
        self._leaving_soon.soon()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        any_sent = False
        for body in wire.bodies([message for message, _ in outgoing], _FULL):
            if self._pump is None or not self._pump.send([body]):
                self._lose("the connection is gone")
                break
            any_sent = True
        for _, sent in outgoing if any_sent else ():
            if sent is not None:
                sent()

    def _take(self, batch: Sequence[Sequence[bytes]]) -> None:
        self._heard = time.monotonic()
        for frames in batch:
            try:
                messages = asking.read_from_core(frames[0])
            except wire.WireError as error:
                log.warning("the core sent something that cannot be read: %s", error)
                continue
            for message in messages:
                self._hear(message)

    def _hear(self, message: Any) -> None:
        match message:
            case asking.Beat():
                return
            case asking.Who():
                self._lose("it was restarted")
                self.greet()
            case asking.Bye():
                self._lose("it is stopping")
            case asking.Welcome():
                if not self.up.is_set():  # else the answer to a second login, sent before the first was answered
                    self.up.set()
                    self._user.welcomed(message)
            case asking.Refuse():
                self.up.clear()
                error = views.error_of(message.problem)
                if message.again:
                    log.warning("the core at %s does not take us yet: %s", self._address, error.sentence)
                else:
                    self._user.refused(error)
            case _:
                self._user.hear(message)

    def _turned(self, sentence: str) -> None:
        self.up.clear()
        self._user.refused(Unauthorized(sentence))

    def _lose(self, why: str) -> None:
        if self.up.is_set():
            self.up.clear()
            log.info("the core at %s is away: %s", self._address, why)

    def greet(self) -> None:
        """Log in; done by itself whenever there is a connection, until we are known."""
        login = asking.Login(self.instance, (wire.VERSION, wire.VERSION), self._software, self._keys.token)
        if self._pump is not None:
            self._pump.send([wire.write([login])])

    async def _beat(self) -> None:
        while True:
            if self.up.is_set() and time.monotonic() - self._heard > asking.SILENT_AFTER_S:
                self._lose("it is silent")
            if self.up.is_set():
                self.say(asking.Beat())
                await asyncio.sleep(asking.BEAT_S / 2)
            else:
                self.greet()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOGIN_AGAIN_S):
                        await self.up.wait()
