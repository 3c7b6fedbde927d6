"""Where handlers connect: one ROUTER socket on the loop, and who is at the other end of each connection.

What comes in one turn of the loop is taken as one batch, what is said in one turn leaves as one body per handler. A
connection we do not know is asked WHO it is; a handler is known by its HELLO, and gone when it says BYE, when its
connection is, or when nothing was heard of it for too long. Its attempts are not ended then: their leases are, if it
does not come back before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec
import structlog
import zmq

from core.engine.ports import BEAT_S, LEASE_S, Answer, AnswerSink, Clock, HandlerLink, Instance
from core.engine.schemas import BadSchema, read_schemas
from core.gateway.admission import Admitted, Keyless, Registers, Turned, judge, keyless
from core.gateway.guard import Guard
from core.gateway.peer import Peer
from core.gateway.sockets import body_of, sender_of, socket_of
from core.service.keyring import KeyRow
from schedule_zero.errors import ScheduleZeroError, Unavailable
from schedule_zero.handler import MethodInfo
from schedule_zero.result import readable
from schedule_zero.run import Cause
from schedule_zero.transport import wire
from schedule_zero.transport.pump import Pump
from schedule_zero.transport.turn import OnceATurn

log = structlog.get_logger("schedule_zero.gateway")

LOOK_S: Final = BEAT_S / 4
# Less than a lease: what is lost with a silent handler must not be given to it again.
SILENT_AFTER_S: Final = 2.5 * BEAT_S
SLACK: Final = 256
SETTING: Final = "zmq.handlers"
KEYS: Final = "keys"
"""By whom a process is drained that has no key for a name that takes one now."""
NACK_RETRY_S: Final = 1.0
# Each is looked up, and may have to be answered.
MOST_PAIRS_TOGETHER: Final = 4 * wire.MOST_PAIRS
MOST_HELLOS: Final = 4
"""Of one connection, between two looks, that say something new: each has schemas to read, and is told to everybody."""
_Alive: Final = (wire.Beat, wire.Ack)

Register = Callable[[str, str, str], Awaitable[KeyRow]]
"""Binds a public key to a handler's name, by a registration token: (token, name, public key). Raises what refuses it."""


class Host(AnswerSink, Protocol):
    """The engine, as the gateway sees it."""

    def join(self, link: HandlerLink) -> None:
        """An instance came, or came back."""
        ...

    def leave(self, instance: Instance, reason: str) -> None: ...
    def leaves_soon(self, instance: Instance, by: str = "itself") -> None:
        """An instance gets nothing new, and knows, or need not know. ``by``: who wants it."""
        ...

    def came_back(self, instance: str, held: Sequence[tuple[str, int]]) -> None:
        """An instance that was welcomed beats for the first time: it holds these attempts and no others.

        Its HELLO would not do: it may have been said before what had come until then was read.
        """
        ...

    def holds(self, instance: str, run_id: str, attempt: int) -> bool:
        """Whether this attempt is still that instance's to run."""
        ...

    def excused(self, instance: str) -> bool:
        """Whether it is no wonder that nothing is heard of an instance: what it does keeps it from beating, as it said."""
        ...

    def declared(self, handler: str) -> dict[str, MethodInfo]:
        """What a handler can do, as far as is known."""
        ...

    def serves(self, handler: str) -> bool:
        """Whether the core itself serves a handler of this name."""
        ...


class Gateway:
    """The handlers' door."""

    def __init__(self, host: Host, clock: Clock, guard: Guard, register: Register, cluster: str | None = None) -> None:
        """``guard``: whose context the socket is made in; it is closed after the gateway, by whoever made it."""
        self._host = host
        self._cluster = cluster
        self._clock = clock
        self._guard = guard
        self._register = register
        self._registering: dict[bytes, asyncio.Task[None]] = {}
        self._hellos: Counter[bytes] = Counter()
        self._encrypted = False
        self._peers: dict[bytes, Peer] = {}
        self._outgoing: dict[bytes, list[msgspec.Struct]] = {}
        self._leaving_soon = OnceATurn(self._flush)
        self._looked = clock.monotonic()
        self._pump: Pump
        self.address = ""

    def bind(self, address: str) -> str:
        """Listen; the address, with the port that was found where ``*`` was asked for.

        Raises:
            CannotListen: the address is taken, not ours, or may not be bound without encryption.
        """
        socket = socket_of(self._guard, zmq.ROUTER, largest=wire.LARGEST_BODY, high_water=SLACK)
        door = self._guard.bind(socket, address, SETTING, roles={"handler", "bot"}, strangers=True)
        self.address, self._encrypted = door.address, door.encrypted
        self._pump = Pump(socket, self._take, named=door.encrypted)
        self._guard.keyring.handlers_encrypted = door.encrypted
        self._guard.keyring.on_change(self._cut)
        return self.address

    async def run(self) -> None:
        """Look after who is there, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Who was silent for too long is gone; the others hear that we are there, by which a dead connection shows.

        Who is turned away is told so when the last of what it was given is committed. When it was this process that stood
        still (stopped, suspended), what others said meanwhile is yet to be read.
        """
        self._hellos.clear()
        now = self._clock.monotonic()
        gap, self._looked = now - self._looked, now
        if gap > LOOK_S + BEAT_S:
            for peer in self._peers.values():
                peer.heard += gap
        for peer in list(self._peers.values()):
            if now - peer.heard > SILENT_AFTER_S and not self._host.excused(peer.instance.name):
                self._gone(peer, "nothing was heard of it")
            elif peer.turned is not None and not peer.instance.in_flight:
                self._refuse(peer.route, peer.turned, again=False)
            elif now - peer.told > BEAT_S / 2:
                peer.told = now
                self._say(peer.route, wire.Beat([]))

    async def close(self) -> None:
        """Stop listening. Handlers keep what they hold, and look for the next core."""
        self._flush()
        for task in self._registering.values():
            task.cancel()
        await asyncio.gather(*self._registering.values(), return_exceptions=True)
        await self._pump.close(0)

    def _cut(self) -> None:
        """Keys have changed. Whose key is revoked is told, and not heard any more; its leases run out. Who has none, and
        needs one now, may finish."""
        for peer in list(self._peers.values()):
            if peer.row is None:
                self._let_finish(peer)
            elif not self._guard.keyring.is_valid(peer.row.id):
                self._refuse(peer.route, "the key of this handler was revoked", again=False)

    def _let_finish(self, peer: Peer) -> None:
        """Where its name is for who holds a key, it gets nothing new. What it was given before, as it was believed then, is
        its own to end: nobody else would have to do that again."""
        if peer.turned is None and self._guard.keyring.reserves(peer.instance.handler):
            peer.turned = keyless(peer.instance.handler).sentence
            self._host.leaves_soon(peer.instance, KEYS)
            log.info(
                "handler without a key gets nothing new", handler=peer.instance.handler, instance=peer.instance.name
            )

    # what handlers say

    def _take(self, batch: Sequence[Sequence[Any]]) -> None:
        answers: list[Answer] = []
        now = self._clock.monotonic()
        for frames in batch:
            route, user = sender_of(frames, encrypted=self._encrypted)
            if user is not None and not self._guard.admits(user):
                continue
            try:
                messages = _read(frames)
            except wire.WireError as error:
                self._refuse(route, str(error), again=False)
                continue
            peer = self._peers.get(route)
            if peer is not None and peer.user != user:  # a route is its first user's until that is gone
                continue
            if peer is not None:
                peer.heard = now
            for message in messages:
                if isinstance(message, wire.Hello):
                    self._greet(route, user, message, now)
                    peer = self._peers.get(route)
                elif peer is None:
                    self._ask_who(route)
                    break
                elif isinstance(message, wire.Bye):
                    self._gone(peer, "it said goodbye")
                    break  # whatever is said after that, nobody says
                else:
                    self._hear(peer, message, answers)
        if answers:
            self._host.answer(answers)

    def _ask_who(self, route: bytes) -> None:
        """Once for all that waited somewhere and comes together."""
        if route not in self._outgoing:
            self._say(route, wire.Who())

    def _hear(self, peer: Peer, message: Any, answers: list[Answer]) -> None:
        match message:
            case wire.Result():
                answers += [_answer(ended, peer.instance.name) for ended in message.ended]
            case wire.Beat():
                self._beat(peer, message.pairs)
                if not peer.has_beaten and len(message.pairs) < wire.MOST_PAIRS:  # else there may be more to come
                    self._host.came_back(peer.instance.name, message.pairs)
                peer.has_beaten = True
            case wire.Ack():
                self._beat(peer, message.pairs)
            case wire.Progress():
                answers.append(_progress(message, peer.instance.name, self._clock.now()))
            case wire.Nack():
                answers.append(_nack(message, peer.instance.name))
            case wire.NewCredit():
                peer.instance.credit = message.credit
                self._host.fleet_changed()
            case wire.Drain():
                self._host.leaves_soon(peer.instance)

    def _beat(self, peer: Peer, pairs: Sequence[tuple[str, int]]) -> None:
        """Leases are extended; what is no longer this handler's, it is told to stop."""
        self._host.beat(peer.instance.name, pairs)
        for run_id, attempt in dict.fromkeys(pairs):
            if not self._host.holds(peer.instance.name, run_id, attempt):
                peer.cancel(run_id, attempt)

    def _greet(self, route: bytes, user: str | None, hello: wire.Hello, now: float) -> None:
        peer = self._peers.get(route)
        known = peer if peer is not None and peer.is_still(hello) else None
        if known is None and self._greets_too_often(route):
            return
        low, high = hello.versions
        if not low <= wire.VERSION <= high:
            self._refuse(
                route, f"this core speaks version {wire.VERSION} of the protocol, you {low} to {high}", again=False
            )
            return
        if self._host.serves(hello.name):
            self._refuse(route, f"the name {hello.name} belongs to a handler of the core itself", again=False)
            return
        if route[:1] != b"\0":  # only those that the socket itself gives begin so; others could be taken by others
            self._refuse(route, "a handler sets no routing id of its own", again=False)
            return
        judgement = judge(hello, user, self._guard.keyring, self._clock.now())
        if isinstance(judgement, Turned) and not (isinstance(judgement, Keyless) and self._has_more_to_say(hello)):
            self._refuse(route, judgement.sentence, again=False)
        elif isinstance(judgement, Registers):
            if route not in self._registering:
                registering = self._registered(route, user, hello, judgement)
                self._registering[route] = asyncio.create_task(registering, name=f"registration of {hello.name}")
        elif known is not None:
            self._welcome_again(known, hello)
        else:
            self._welcome(route, user, hello, judgement.row if isinstance(judgement, Admitted) else None, now)

    def _has_more_to_say(self, hello: wire.Hello) -> bool:
        """Whether a process without a key has in hand what was given to it, by this name of its own, while none was needed:
        it comes back after a cut, or after a restart of the core."""
        name = _instance_name(hello, None, None)
        return any(self._host.holds(name, run_id, attempt) for run_id, attempt in hello.held)

    def _greets_too_often(self, route: bytes) -> bool:
        """Whether a connection has said HELLO more often than is heard, which it is told once."""
        self._hellos[route] += 1
        if self._hellos[route] == MOST_HELLOS + 1:
            words = f"a connection says at most {MOST_HELLOS} HELLO in {LOOK_S:g} s that are not the same; wait, and say it again"
            self._refuse(route, words, again=True)
        return self._hellos[route] > MOST_HELLOS

    async def _registered(self, route: bytes, user: str | None, hello: wire.Hello, wanted: Registers) -> None:
        try:
            row = await self._register(wanted.token, hello.name, wanted.public)
        except ScheduleZeroError as error:
            self._refuse(route, error.sentence, again=isinstance(error, Unavailable))
        else:
            self._welcome(route, user, hello, row, self._clock.monotonic())
        finally:
            del self._registering[route]

    def _welcome(self, route: bytes, user: str | None, hello: wire.Hello, row: KeyRow | None, now: float) -> None:
        try:
            methods = self._declared(hello, row)
        except BadSchema as error:
            self._refuse(route, str(error), again=False)
            return
        name = _instance_name(hello, user, row)
        for known in [peer for peer in self._peers.values() if peer.instance.name == name]:
            del self._peers[known.route]  # the same process on a new connection
        if route in self._peers:
            self._gone(self._peers[route], "its connection says now that it is another one")
        instance = Instance(
            name=name, handler=hello.name, methods=methods, credit=hello.credit, software=hello.software,
            since=self._clock.now(), keyless=row is None, version=hello.version or "",
            capabilities=frozenset(hello.capabilities or ()),
        )  # fmt: skip
        if row is not None:
            instance.guild_id = row.guild_id
            self._guard.keyring.note_use(row, self._clock.now())
        peer = Peer(route, instance, hello, self._say, now, user=user, row=row)
        self._peers[route] = peer
        self._say_welcome(route)
        self._host.join(peer)
        if row is None:
            self._let_finish(peer)
        self._beat(peer, hello.held)
        log.info("handler connected", handler=hello.name, instance=name, software=hello.software)

    def _declared(self, hello: wire.Hello, row: KeyRow | None) -> dict[str, MethodInfo]:
        """What a handler says that it can do. Where its name is for who holds a key, nobody else says that. Raises BadSchema."""
        if row is None and self._guard.keyring.reserves(hello.name):
            return self._host.declared(hello.name)
        schemas = read_schemas({offer.name: offer.schema for offer in hello.methods})
        return {offer.name: _method(offer, schemas[offer.name]) for offer in hello.methods}

    def _welcome_again(self, peer: Peer, hello: wire.Hello) -> None:
        self._say_welcome(peer.route)
        if peer.instance.credit != hello.credit:
            peer.instance.credit = hello.credit
            self._host.fleet_changed()
        self._beat(peer, hello.held)

    def _refuse(self, route: bytes, reason: str, *, again: bool) -> None:
        peer = self._peers.get(route)
        if peer is not None:
            self._gone(peer, reason)
        log.warning("handler refused", reason=reason)
        self._say(route, wire.Refuse(reason[:2000], again))

    def _gone(self, peer: Peer, reason: str) -> None:
        self._peers.pop(peer.route, None)
        peer.left()
        self._host.leave(peer.instance, reason)
        log.info("handler gone", handler=peer.instance.handler, instance=peer.instance.name, reason=reason)

    # what we say

    def _say_welcome(self, route: bytes) -> None:
        now = self._clock.now()
        self._say(route, wire.Welcome(wire.VERSION, LEASE_S, BEAT_S, wire.LARGEST_BODY, now, self._cluster))

    def _say(self, route: bytes, message: msgspec.Struct) -> None:
        self._outgoing.setdefault(route, []).append(message)
        self._leaving_soon.soon()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, {}
        for route, messages in outgoing.items():
            if not all(self._pump.send((route, body)) for body in _bodies(messages)):
                peer = self._peers.get(route)
                if peer is not None:
                    self._gone(peer, "its connection is gone")


def _bodies(messages: list[msgspec.Struct]) -> list[bytes]:
    """In the order they were said. Orders are large and have bodies of their own, the rest share them."""
    bodies: list[bytes] = []
    small: list[msgspec.Struct] = []
    for message in messages:
        if small and (isinstance(message, wire.Run) or len(small) == wire.MOST_PAIRS):
            bodies.append(wire.write(small))
            small = []
        if isinstance(message, wire.Run):
            bodies += _in_parts(message)
        else:
            small.append(message)
    if small:
        bodies.append(wire.write(small))
    return bodies


def _read(frames: Sequence[Any]) -> list[Any]:
    """What a handler says in one body.

    Raises:
        WireError: it cannot be read, or costs more than one handler may cost the others.
    """
    messages = wire.read_from_handler(body_of(frames))
    if sum(len(message.pairs) for message in messages if isinstance(message, _Alive)) > MOST_PAIRS_TOGETHER:
        raise wire.WireError(f"a body names at most {MOST_PAIRS_TOGETHER:,} attempts")
    if sum(isinstance(message, wire.Hello) for message in messages) > 1:
        raise wire.WireError("a body holds one HELLO")
    return messages


def _in_parts(run: wire.Run) -> list[bytes]:
    """Orders in as many bodies as it takes for each to be one that a handler reads; a single one always is."""
    body = wire.write([run])
    if len(body) <= wire.LARGEST_ORDERS or len(run.orders) == 1:
        return [body]
    half = len(run.orders) // 2
    return _in_parts(wire.Run(run.orders[:half])) + _in_parts(wire.Run(run.orders[half:]))


def _answer(ended: wire.Ended, instance: str) -> Answer:
    return Answer(
        run_id=ended.run_id, attempt=ended.attempt, instance=instance, kind=ended.status,
        value=None if ended.value is None else readable(ended.value),
        cause=ended.cause, error=ended.error, retry_after_s=ended.retry_after,
    )  # fmt: skip


def _progress(message: wire.Progress, instance: str, now: int) -> Answer:
    """How far an attempt is, and its lines; a note without a fraction is one of them."""
    lines, note = message.lines, message.note
    if message.fraction is None and note:
        lines, note = [*lines, wire.Line(now, note)], ""
    return Answer(
        run_id=message.run_id, attempt=message.attempt, instance=instance, kind="progress", fraction=message.fraction,
        note=note, lines=lines, left_out=message.left_out,
    )  # fmt: skip


def _nack(message: wire.Nack, instance: str) -> Answer:
    """An attempt that was not begun: it is tried again, unless it never can be."""
    lasting = message.reason == "bad_arguments"
    return Answer(
        run_id=message.run_id, attempt=message.attempt, instance=instance, kind="failed", error=message.reason, begun=False,
        cause=Cause.LASTING if lasting else Cause.PASSING, retry_after_s=None if lasting else NACK_RETRY_S,
    )  # fmt: skip


def _instance_name(hello: wire.Hello, user: str | None, row: KeyRow | None) -> str:
    """How the core tells a process from others. What is bound to a guild has names of its own, so that nobody takes over
    what another guild's handler holds; and so has who shows a key at a plain door, where others come without one."""
    if row is None or (row.guild_id is None and user is not None):
        return f"{hello.name}@{hello.instance}"
    where = "*" if row.guild_id is None else quote(row.guild_id, "")  # which leaves no star as it is
    return f"{hello.name}@{where}:{hello.instance}"


def _method(offer: wire.MethodOffer, schema: dict[str, Any]) -> MethodInfo:
    return MethodInfo(
        name=offer.name,
        doc=offer.doc,
        timeout=offer.timeout,
        at_most_once=offer.at_most_once,
        schema=schema,
        lease=offer.lease,
    )
