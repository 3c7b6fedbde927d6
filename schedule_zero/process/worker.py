"""The handler's end of the wire: connects to a core, has what it is given run, answers until it is told that that is kept.

What is in hand outlives the connection: attempts go on while the core is away, and their results are repeated until the
core has committed them.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Final

import msgspec
import zmq

from schedule_zero.errors import Invalid, Unavailable
from schedule_zero.handler import Handler, Method, methods_of, name_of, plain
from schedule_zero.process.attempts import Attempts, Pair
from schedule_zero.process.calling import OnLoop
from schedule_zero.process.slots import Slots
from schedule_zero.transport import wire
from schedule_zero.transport.connecting import connect
from schedule_zero.transport.curve import Watch
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.transport.pump import Pump
from schedule_zero.transport.turn import OnceATurn
from schedule_zero.transport.wire import Ended

log = logging.getLogger("schedule_zero.process.worker")

CONCURRENCY: Final = 512
HELLO_AGAIN_S: Final = 2.0
DRAIN_S: Final = 20.0
ASKED_IN_VAIN: Final = (3, 30, 300)
# The other doors of a core are but a digit away.
VAIN: Final = {
    False: "no core answers at %s; trying on: is it running, and is this what its configuration has as zmq.handlers?",
    True: "what answers at %s is not for handlers; trying on: is this what the core's configuration has as zmq.handlers?",
}
LINGER_MS: Final = 1000
SILENT_BEATS: Final = 2.5
FULL: Final = wire.LARGEST_BODY // 2

_encode: Final = msgspec.msgpack.Encoder().encode


class Refused(Unavailable):
    """The core does not admit this handler, and asking again is of no use."""


class Worker:
    """Serves one handler to one core.

    Attributes:
        address: where the core listens.
        instance: this process, as the core tells it from others.
        welcomed: set while the core knows us.
        silences: of its process; those who keep it alive want to be told.
    """

    def __init__(
        self, handler: Handler, address: str, *, name: str | None = None, concurrency: int = CONCURRENCY,
        token: str | None = None, software: str | None = None, keys: KeyFile | None = None,
        slots: Slots | None = None, instance: str | None = None, capabilities: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """``address``: where the core listens for handlers; ``concurrency``: how many attempts at once; ``keys``: the
        handler's own pair, and the key of the core it speaks to encrypted; ``capabilities``: beside those of its class.

        Workers of one process that serve the same handler to several cores share ``slots`` and ``instance``.
        """
        self._handler = handler
        self._name = name or name_of(handler)
        self._methods: dict[str, Method] = methods_of(handler)
        self._slots = slots or Slots(concurrency)
        self.silences = self._slots.silences
        self._seat = self._slots.seat(self._tell_credit)
        self._told_credit: int | None = None
        self._keys = keys or KeyFile()
        self._encrypted = self._keys.server is not None
        self._token = token or self._keys.token
        self._capabilities = list(dict.fromkeys([*handler.capabilities, *capabilities]))
        self._software = software or f"schedule-zero-kit {_version()}".rstrip()
        self.welcomed = asyncio.Event()
        self._attempts = Attempts(
            self._methods, self._seat, say=self._say, tell=self._tell, heard=self.welcomed.is_set,
            silences=self._slots.silences,
        )  # fmt: skip
        self._outgoing: list[msgspec.Struct] = []
        self._ended: list[Ended] = []
        self._leaving_soon = OnceATurn(self._flush)
        self._beat_s = 2.0
        self._lease_s = 6.0
        self._draining = False
        self._was_connected = False
        self._greeted_at = float("-inf")
        self._heard = 0.0
        self._silent = False
        self._misheard = False
        self._cluster: str | None = None
        self._beside: list[Worker] = []
        self._leaving: asyncio.Task[None] | None = None
        self._over: asyncio.Future[None]
        self._pump: Pump
        self._on_the_loop: OnLoop
        self.address = address
        self.instance = instance or new_instance()

    def serve_beside(self, others: Iterable[Worker]) -> None:
        """These serve the same handler to other cores. What a core of a cluster gave out, and does not ask after any more,
        is told to its others: one of them works in its place."""
        self._beside = [other for other in others if other is not self]

    async def run(self) -> None:
        """Start the handler, serve until ``drain`` was called and all is answered, stop the handler.

        Raises:
            Refused: the core does not admit it; its own words.
        """
        await self._handler.start()
        try:
            await self.serve()
        finally:
            await self._handler.stop()

    async def serve(self) -> None:
        """Serve a handler that is started. Raises Refused."""
        self._over = asyncio.get_running_loop().create_future()
        self._on_the_loop = OnLoop()
        context = zmq.Context()
        try:
            socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
            watch = Watch(socket, self.address, self._turned, encrypted=self._encrypted, met=self._connected_again)
            try:
                connect(socket, self.address, self._keys, largest=wire.LARGEST_ORDERS)
            except ValueError as error:
                await watch.close()
                socket.close(0)
                raise Invalid(str(error)) from None
            self._pump = Pump(socket, self._take)
            self._handler._on_change = lambda: self._on_the_loop(self._slots.tell)
            beating = asyncio.create_task(self._beat(), name="beat")
            try:
                await self._over
            finally:
                self._seat.taking = False
                beating.cancel()
                await watch.close()
                await self._pump.close(LINGER_MS)
        finally:
            for run_id, _ in self._attempts.abandon():
                log.warning("run %s is cut off: nobody waits for its result any more", run_id)
            # Also what a cancel amid the closing left open: `term` would wait for that for ever.
            context.destroy(LINGER_MS)

    async def drain(self, patience_s: float = DRAIN_S) -> None:
        """Take nothing new, finish what is held, say goodbye. What is not finished by then is cancelled."""
        self._draining = True
        self._seat.taking = False
        self._say(wire.Drain())
        deadline = time.monotonic() + patience_s
        await self._attempts.emptied(deadline)
        for run_id, _ in self._attempts.hand_back():
            log.warning("run %s is cancelled: it did not end within %g s of being told to stop", run_id, patience_s)
        await self._attempts.emptied(time.monotonic() + self._lease_s)
        self._say(wire.Bye())
        self._flush()
        if not self._over.done():
            self._over.set_result(None)

    # what the core says

    def _take(self, batch: Sequence[Sequence[bytes]]) -> None:
        self._heard = time.monotonic()
        for frames in batch:
            try:
                messages = wire.read_from_core(frames[0])
            except wire.WireError as error:
                if not self._misheard:
                    log.warning("the core sent something that cannot be read: %s", error)
                self._misheard = True
                continue
            for message in messages:
                self._hear(message)

    def _hear(self, message: wire.ToHandler) -> None:
        match message:
            case wire.Run():
                for order in message.orders:
                    self._attempts.begin(order, draining=self._draining)
            case wire.ResultAck():
                self._forget(message.pairs)
            case wire.Cancel():
                self._cancel_anywhere((message.run_id, message.attempt))
            case wire.Who():
                self._asked_who()
            case wire.Welcome():
                self._beat_s, self._lease_s, self._cluster = message.beat, message.lease, message.cluster
                if not self.welcomed.is_set():
                    log.info("the core at %s knows us", self.address)
                self.welcomed.set()
                self._misheard = False
                self._seat.taking = not self._draining
                self._attempts.tell_waiting()
                self._repeat(0.0)
            case wire.Refuse():
                self._refused(message)
            case wire.Drain():
                if not self._draining:
                    log.info("the core at %s wants us to finish and leave", self.address)
                    self._draining = True
                    self._leaving = asyncio.get_running_loop().create_task(self.drain(), name="drain")

    def _forget(self, pairs: Sequence[Pair]) -> None:
        """Results that are committed, whichever core of the cluster says so."""
        for worker in (self, *self._cluster_mates()):
            worker._attempts.forget(pairs)

    def _cancel_anywhere(self, pair: Pair) -> None:
        for worker in (self, *self._cluster_mates()):
            worker._attempts.cancel(pair)

    def _connected_again(self) -> None:
        """To the core a connection that broke and came again is a stranger's: it shall not have to ask who we are."""
        if self._was_connected:
            self._unwelcome()
            self._greet()
        self._was_connected = True

    def _asked_who(self) -> None:
        """Say it, if that was not just said: of all that waited while the connection was cut we are asked one by one."""
        if self.welcomed.is_set() or time.monotonic() - self._greeted_at > HELLO_AGAIN_S:
            self._unwelcome()
            self._greet()

    def _cluster_mates(self) -> list[Worker]:
        """Who serves other cores on the same database."""
        return [other for other in self._beside if self._cluster is not None and other._cluster == self._cluster]

    def _left_alone(self) -> list[Worker]:
        """Those of them whose core says nothing any more."""
        return [mate for mate in self._cluster_mates() if mate._hears_nothing()]

    def _hears_nothing(self) -> bool:
        return not self.welcomed.is_set() or time.monotonic() - self._heard > SILENT_BEATS * self._beat_s

    def _note_silence(self) -> None:
        """Say it once when the core has gone away; that it is back is said by its welcome."""
        if self._hears_nothing() and not self._silent:
            log.warning("the core at %s does not answer any more; going on, and trying to reach it", self.address)
        self._silent = self._hears_nothing()

    def _unwelcome(self) -> None:
        self.welcomed.clear()
        self._seat.taking = False

    def _refused(self, message: wire.Refuse) -> None:
        self._unwelcome()
        if message.again:
            log.warning("the core does not take this handler yet: %s", message.reason)
        elif not self._over.done():
            self._over.set_exception(Refused(message.reason))

    def _turned(self, reason: str) -> None:
        self._refused(wire.Refuse(reason, again=False))

    # what we say

    def _tell(self, ended: Ended) -> None:
        """Of a result, with the others of this turn."""
        self._ended.append(ended)
        self._leaving_soon.soon()

    def _say(self, message: msgspec.Struct) -> None:
        self._outgoing.append(message)
        self._leaving_soon.soon()

    def _flush(self) -> None:
        messages, self._outgoing = self._outgoing, []
        ended, self._ended = self._ended, []
        for body in _bodies(messages, ended):
            self._pump.send([body])

    def _greet(self) -> None:
        """Say who we are and what we hold: once a turn, however many reasons there are, and as it is by the last of them."""
        self._greeted_at = time.monotonic()
        unsaid = next((place for place, each in enumerate(self._outgoing) if isinstance(each, wire.Hello)), None)
        if unsaid is None:
            self._say(self._hello())
        else:
            self._outgoing[unsaid] = self._hello()

    def _hello(self) -> wire.Hello:
        held = self._attempts.held()
        self._told_credit = self._credit()
        return wire.Hello(
            name=self._name, instance=self.instance, versions=(wire.VERSION, wire.VERSION), software=self._software,
            methods=[_offer(method) for method in self._methods.values()], credit=self._told_credit,
            held=held[: wire.MOST_PAIRS], token=self._token,
            public=None if self._encrypted or self._token is None else self._keys.public,
            version=self._handler.version or None, capabilities=self._capabilities or None,
        )  # fmt: skip

    def _tell_credit(self) -> None:
        credit = self._credit()
        if self.welcomed.is_set() and credit != self._told_credit:
            self._told_credit = credit
            self._say(wire.NewCredit(credit))

    def _credit(self) -> int:
        return self._seat.credit() if self._handler.available and not self._draining else 0

    async def _beat(self) -> None:
        """Say hello until we are known; then, every beat, what is alive, and again what was not acknowledged."""
        asked = 0
        while True:
            if not self.welcomed.is_set():
                asked += 1
                if asked in ASKED_IN_VAIN:
                    log.warning(VAIN[self._misheard], self.address)
                self._greet()
                try:
                    async with asyncio.timeout(HELLO_AGAIN_S):
                        await self.welcomed.wait()
                except TimeoutError:
                    continue
            asked = 0
            self._note_silence()
            held = [pair for worker in (self, *self._left_alone()) for pair in worker._attempts.held()]
            for pairs in _portions(held):
                self._say(wire.Beat(pairs))
            self._repeat(3 * self._beat_s)
            self._slots.rotate()
            await asyncio.sleep(self._beat_s)

    def _repeat(self, older_s: float) -> None:
        """Tell again of results that nobody acknowledged in that time."""
        left_to_others = self._hears_nothing() and bool(self._cluster_mates())
        for worker in (*(() if left_to_others else (self,)), *self._left_alone()):
            self._ended += worker._attempts.untold(older_s)
        self._leaving_soon.soon()


def new_instance() -> str:
    """A name for this process that nobody else has."""
    return secrets.token_hex(8)


def _version() -> str:
    """The kit's version, or the application's it came with; nothing in a checkout."""
    for distribution in ("schedule-zero-kit", "schedule-zero"):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _offer(method: Method) -> wire.MethodOffer:
    info = method.info
    schema = msgspec.json.encode(info.schema).decode()
    return wire.MethodOffer(info.name, plain(info.doc)[:4000], info.timeout, info.at_most_once, schema, info.lease)


def _portions(pairs: list[Pair]) -> Iterable[list[Pair]]:
    """As many as one message may name; one empty portion where there are none, for a beat is owed all the same."""
    return (pairs[at : at + wire.MOST_PAIRS] for at in range(0, max(1, len(pairs)), wire.MOST_PAIRS))


def _bodies(messages: list[msgspec.Struct], ended: list[Ended]) -> list[bytes]:
    """Everything in as few bodies as the limits on them allow: what is said first goes first, and results last."""
    results: list[Ended] = []
    size = 0
    for one in ended:
        weight = len(one.value or "") * 4 + len(one.error or "") * 4 + 200
        if results and size + weight > FULL:
            messages.append(wire.Result(results))
            results, size = [], 0
        results.append(one)
        size += weight
    if results:
        messages.append(wire.Result(results))
    return wire.bodies([_encode(message) for message in messages], FULL)
