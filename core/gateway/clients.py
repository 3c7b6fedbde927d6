"""Where clients connect: requests in, answers and events out, one ROUTER socket on the loop.

Every client may have some requests open, and takes its turn with the others; who floods is told so, and in the end
refused. A client is gone when it says BYE, when its connection is, or when it is silent for too long: what it reported
is forgotten then, what it follows ends, and what it asked to be changed is changed all the same.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
import structlog
import zmq

from core.engine.ports import Clock
from core.gateway.asked import request_of
from core.gateway.caller import Caller
from core.gateway.following import Feeder, Following
from core.gateway.guard import Guard
from core.gateway.sockets import body_of, sender_of, socket_of
from core.service.keyring import KeyRow
from schedule_zero.actor import Actor
from schedule_zero.errors import (
    Forbidden,
    Malformed,
    QuotaExceeded,
    ScheduleZeroError,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from schedule_zero.key import KeyRole
from schedule_zero.requests import Request
from schedule_zero.transport import asking, wire
from schedule_zero.transport.pump import Pump
from schedule_zero.transport.turn import OnceATurn
from schedule_zero.views import View, problem_details

log = structlog.get_logger("schedule_zero.clients")

SETTING: Final = "zmq.clients"
ROLES: Final[frozenset[KeyRole]] = frozenset({"operator", "bot"})
AT_ONCE: Final = 64
"""Requests one client may have open."""
RUNNING: Final = 256
"""Requests that are worked on at the same time, of all clients."""
MOST_EXCESS: Final = 20 * AT_ONCE
"""Requests too many, between two looks, for which a client is refused."""
MOST_WAITING: Final = 2000
LOOK_S: Final = 0.5
ENDING_S: Final = 2.0
LINGER_MS: Final = 500
REPORTED: Final = frozenset({"discord", "playground"})
"""The parts of the service that may be in another process."""
WRONG_DOOR: Final = f"this is the door for clients ({SETTING}); handlers connect to that of zmq.handlers"
_TOGETHER: Final = 256 * 1024
_encode: Final = msgspec.msgpack.Encoder().encode


class House(Feeder, Protocol):
    """The use cases, as this door sees them."""

    async def handle(self, actor: Actor, request: Request) -> View: ...


class Parts(Protocol):
    """Where it is noted how parts in other processes are doing."""

    def report(self, part: str, *, ok: bool, detail: str) -> None: ...

    def forget(self, part: str) -> None: ...


class Clients:
    """The clients' door."""

    def __init__(self, house: House, guard: Guard, parts: Parts, clock: Clock) -> None:
        """``guard``: whose context the socket is made in; it is closed after this, by whoever made it."""
        self._house = house
        self._guard = guard
        self._encrypted = False
        self._parts = parts
        self._clock = clock
        self._callers: dict[bytes, Caller] = {}
        self._turns: OrderedDict[bytes, None] = OrderedDict()
        self._running = 0
        self._following = Following(house, self._actor, self._say, self._fail)
        self._outgoing: dict[bytes, list[bytes]] = {}
        self._leaving_soon = OnceATurn(self._flush)
        self._closing = False
        self._ending: set[asyncio.Task[None]] = set()
        self._pump: Pump
        self.address = ""

    def bind(self, address: str) -> str:
        """Listen; the address, with the port that was found where ``*`` was asked for.

        Raises:
            CannotListen: the address is taken, not ours, or may not be bound without encryption.
        """
        socket = socket_of(self._guard, zmq.ROUTER, largest=asking.LARGEST_REQUESTS, high_water=MOST_WAITING)
        door = self._guard.bind(socket, address, SETTING, roles=ROLES)
        self.address, self._encrypted = door.address, door.encrypted
        self._pump = Pump(socket, self._take, named=door.encrypted)
        self._guard.keyring.on_change(self._cut)
        return self.address

    async def run(self) -> None:
        """Look after who is there, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Who was silent for too long is gone; the others hear that we are there."""
        now = self._clock.monotonic()
        for caller in list(self._callers.values()):
            caller.excess = 0
            if now - caller.heard > asking.SILENT_AFTER_S:
                self._gone(caller, "nothing was heard of it")
            elif now - caller.told > asking.BEAT_S / 2:
                self._say(caller, asking.Beat())

    async def close(self) -> None:
        """Take nothing new, let what was asked be answered, say goodbye."""
        self._closing = True
        running = [task for caller in self._callers.values() for task in caller.running.values()]
        if running:
            await asyncio.wait(running, timeout=ENDING_S)
        for caller in list(self._callers.values()):
            self._say(caller, asking.Bye())
            self._gone(caller, "the core stops")
        if self._ending:
            await asyncio.wait(self._ending, timeout=ENDING_S)
        self._flush()
        await self._pump.close(LINGER_MS)

    def _cut(self) -> None:
        """Keys have changed. Whose key is revoked is told, and not heard any more."""
        for caller in list(self._callers.values()):
            if not self._guard.keyring.is_valid(caller.row.id):
                self._refuse(caller.route, Unauthorized("The key of this client was revoked."), again=False)

    # ── what clients say ──

    def _take(self, batch: Sequence[Sequence[Any]]) -> None:
        now = self._clock.monotonic()
        for frames in batch:
            route, user = sender_of(frames, encrypted=self._encrypted)
            if user is not None and not self._guard.admits(user):
                continue
            try:
                messages = asking.read_from_client(body_of(frames))
            except wire.WireError as error:
                if _is_of_a_handler(frames):
                    log.warning("a handler came to the door of clients")
                    self._send(route, wire.Refuse(WRONG_DOOR, again=False))
                else:
                    self._refuse(route, Malformed(f"This cannot be read: {error}."), again=False)
                continue
            known = self._callers.get(route)
            if known is not None and known.user != user:  # a route is its first user's until that is gone
                continue
            for message in messages:
                caller = self._callers.get(route)
                if isinstance(message, asking.Login):
                    self._login(route, user, message, now)
                elif caller is None:
                    self._send(route, asking.Who())
                    break
                else:
                    caller.heard = now
                    self._hear(caller, message)

    def _login(self, route: bytes, user: str | None, login: asking.Login, now: float) -> None:
        low, high = login.versions
        if self._closing:
            return
        if not low <= wire.VERSION <= high:
            words = f"this core speaks version {wire.VERSION} of the protocol, you {low} to {high}"
            self._refuse(route, Unavailable(words), again=False)
            return
        if route[:1] != b"\0":  # only those that the socket itself gives begin so; others could be taken by others
            self._refuse(route, Malformed("A client sets no routing id of its own."), again=False)
            return
        row = self._row_of(user, login.token)
        if row is None:
            words = (
                "This is not a key of this core for clients; on its machine they are the files api-token and bot-token."
            )
            self._refuse(route, Unauthorized(words), again=False)
            return
        known = self._callers.get(route)
        if known is not None and (known.instance, known.row.id) == (login.instance, row.id):
            known.heard = now  # it was impatient
        else:
            for each in list(self._callers.values()):
                if each is known or (each.instance, each.row.id) == (login.instance, row.id):
                    self._gone(each, "it has a new connection")
            self._callers[route] = Caller(route, user, login.instance, row, now)
            self._guard.keyring.note_use(row, self._clock.now())
            log.info("client connected", client=row.name, instance=login.instance, software=login.software)
        welcome = asking.Welcome(
            wire.VERSION, row.name, row.role, asking.BEAT_S, AT_ONCE, asking.LARGEST_REQUESTS, self._clock.now()
        )
        self._say(self._callers[route], welcome)

    def _row_of(self, user: str | None, token: str | None) -> KeyRow | None:
        """The key of who logs in: of the connection where it is encrypted, else of the token."""
        keyring = self._guard.keyring
        row = keyring.identify(token or "") if user is None else keyring.of_public(user)
        return row if row is not None and row.role in ROLES else None

    def _hear(self, caller: Caller, message: Any) -> None:
        match message:
            case asking.Ask():
                self._asked(caller, message)
            case asking.Taken():
                stream = caller.streams.get(message.number)
                if stream is not None and stream[1] is not None:
                    stream[1].taken(message.epoch, message.seq)
            case asking.Follow():
                self._following.follow(caller, message)
            case asking.Leave():
                caller.drop(message.number)
            case asking.Report():
                self._report(caller, message)
            case asking.Bye():
                self._gone(caller, "it said goodbye")

    def _report(self, caller: Caller, message: asking.Report) -> None:
        if message.part.partition(".")[0] in REPORTED and caller.row.guild_id is None:
            caller.parts.add(message.part)
            self._parts.report(message.part, ok=message.ok, detail=message.detail)

    def _actor(self, caller: Caller, member: asking.Member | None) -> Actor:
        """In whose name something is asked. Raises Forbidden."""
        if member is None:
            return msgspec.structs.replace(caller.row.actor, via="discord" if caller.row.role == "bot" else "zmq")
        actor = Actor(
            kind="member", id=member.id, guild_id=member.guild_id, permissions=member.permissions, roles=member.roles,
            owner=member.owner, via="discord",
        )  # fmt: skip
        if caller.row.role != "bot":
            raise Forbidden("Only a client of role bot may ask in the name of others.")
        if not caller.row.may_speak_for(actor):
            raise Forbidden("This key is confined to one server, and speaks for its members there alone.")
        return actor

    # ── requests, each client in its turn ──

    def _asked(self, caller: Caller, ask: asking.Ask) -> None:
        if caller.has_asked(ask.number):
            return  # repeated after a reconnect; it is being answered
        if caller.asked >= AT_ONCE or self._closing:
            self._too_many(caller, ask.number)
            return
        caller.waiting.append(ask)
        self._turns[caller.route] = None
        self._begin()

    def _too_many(self, caller: Caller, number: int) -> None:
        if self._closing:
            self._fail(caller, number, Unavailable("The core is stopping; try again in a moment."))
            return
        caller.excess += 1
        if caller.excess > MOST_EXCESS:
            self._refuse(caller.route, QuotaExceeded("You ask far more than is answered.", retry_after=1.0), again=True)
            return
        words = f"At most {AT_ONCE} requests of a connection may wait for their answers."
        error = QuotaExceeded(words, retry_after=1.0, scope="connection", limit="requests", used=caller.asked,
                              allowed=AT_ONCE)  # fmt: skip
        self._fail(caller, number, error)

    def _begin(self) -> None:
        """One request of each client after the other, as many as are worked on at once."""
        while self._running < RUNNING and self._turns:
            route, _ = self._turns.popitem(last=False)
            caller = self._callers.get(route)
            if caller is None or not caller.waiting:
                continue
            ask = caller.waiting.popleft()
            self._running += 1
            task = asyncio.create_task(self._answer(caller, ask), name="request")
            caller.running[ask.number] = task
            task.add_done_callback(lambda _, caller=caller, number=ask.number: self._done(caller, number))  # type: ignore[misc]
            if caller.waiting:
                self._turns[route] = None

    def _done(self, caller: Caller, number: int) -> None:
        self._running -= 1
        caller.running.pop(number, None)
        self._begin()

    async def _answer(self, caller: Caller, ask: asking.Ask) -> None:
        try:
            actor = self._actor(caller, ask.member)
            view = _encode(await self._house.handle(actor, request_of(ask.request)))
            if len(view) > asking.LARGEST_ANSWERS - 1024:
                raise TooLarge("The answer is larger than 64 MiB; ask for fewer at a time.")
        except ScheduleZeroError as error:
            self._fail(caller, ask.number, error)
        except Exception as error:  # a defect in one use case must not end what serves all clients
            log.exception("a request failed")
            words = f"An unforeseen {type(error).__name__}; the log of the core has it."
            self._fail(caller, ask.number, ScheduleZeroError(words))
        else:
            self._say(caller, asking.Answer(ask.number, msgspec.Raw(view)))

    # ── coming and going ──

    def _refuse(self, route: bytes, error: ScheduleZeroError, *, again: bool) -> None:
        caller = self._callers.get(route)
        if caller is not None:
            self._gone(caller, error.sentence)
        log.warning("client refused", reason=error.sentence)
        self._send(route, asking.Refuse(problem_details(error), again))

    def _gone(self, caller: Caller, reason: str) -> None:
        self._callers.pop(caller.route, None)
        self._turns.pop(caller.route, None)
        for task in caller.drop_all():
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        for part in caller.parts:
            if not any(part in other.parts for other in self._callers.values()):
                self._parts.forget(part)
        log.info("client gone", client=caller.row.name, instance=caller.instance, reason=reason)

    # ── what we say ──

    def _fail(self, caller: Caller, number: int, error: ScheduleZeroError) -> None:
        self._say(caller, asking.Failed(number, problem_details(error)))

    def _say(self, caller: Caller, message: msgspec.Struct) -> None:
        if self._callers.get(caller.route) is caller:
            caller.told = self._clock.monotonic()
            self._send(caller.route, message)

    def _send(self, route: bytes, message: msgspec.Struct) -> None:
        self._outgoing.setdefault(route, []).append(_encode(message))
        self._leaving_soon.soon()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, {}
        for route, messages in outgoing.items():
            if not all(self._pump.send((route, body)) for body in wire.bodies(messages, _TOGETHER)):
                caller = self._callers.get(route)
                if caller is not None:
                    self._gone(caller, "its connection is gone, or it does not listen")


def _is_of_a_handler(frames: Sequence[Any]) -> bool:
    """Whether this is how a handler begins, and not a client."""
    try:
        return isinstance(wire.read_from_handler(body_of(frames))[0], wire.Hello)
    except (wire.WireError, IndexError):
        return False
