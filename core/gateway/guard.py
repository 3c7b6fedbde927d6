"""The guard: one ZeroMQ context, and who may connect to the sockets in it.

A socket is bound plain or under CURVE, as its address and the configuration ask for. Under CURVE ZeroMQ asks us about
every connection before anything it says is heard (ZAP, rfc.zeromq.org/spec/27): a key we know is let in for what it is
for, an unknown one only while a registration waits for somebody. Whoever is in is known by the public key on every
frame, so a key that is revoked is not heard from that moment on.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
import zmq
from zmq.utils import z85

from core.engine.ports import Clock
from core.gateway.exposure import Curve, Refused, protection, speaks_ipv6
from core.listening import CannotListen, cannot_listen
from core.service.keyring import Keyring
from schedule_zero.key import KeyRole
from schedule_zero.transport.curve import Pair
from schedule_zero.transport.pump import Pump

log = structlog.get_logger("schedule_zero.guard")

_ZAP: Final = "inproc://zeromq.zap.01"
_ZAP_VERSION: Final = b"1.0"
_ZAP_FRAMES: Final = 16
_KEY_BYTES: Final = 32
_OWNER_ONLY: Final = 0o600
GRACE_S: Final = 10.0
MOST_STRANGERS: Final = 50_000
"""More than can come in that time, for ZeroMQ shakes hands with some 3,000 in a second: whoever waits is not pushed out.
Nor are new ones turned away while many wait, or a few who come again and again would keep everybody out."""


class Door(msgspec.Struct, frozen=True):
    """What a bound socket lets in. ``address``: with the port that was found where ``*`` was asked for."""

    address: str
    encrypted: bool
    roles: frozenset[KeyRole]
    strangers: bool
    confined: bool


def user_of(frame: zmq.Frame) -> str:
    """The public key that the connection of a frame has shown, in Z85. Only of frames an encrypted socket brought."""
    return str(frame.get("User-Id"))


class Guard:
    """Binds the sockets of one context, and answers ZeroMQ's question who may come in."""

    def __init__(self, keyring: Keyring, clock: Clock, pair: Pair | None, curve: Curve) -> None:
        """``pair``: the core's own; None where nothing is ever encrypted."""
        self.keyring = keyring
        self.context: zmq.Context[Any] = zmq.Context()
        self._clock = clock
        self._pair = pair
        self._curve = curve
        self._doors: dict[bytes, Door] = {}
        self._strangers: OrderedDict[str, float] = OrderedDict()
        self._inside: dict[bytes, set[str]] = {}
        self._when_revoked: dict[bytes, Callable[[], None]] = {}
        self._zap: Pump | None = None
        keyring.on_change(self._look_who_is_inside)

    def when_revoked(self, key: str, cut: Callable[[], None]) -> None:
        """Call when a key was revoked by which somebody came in at this door, which cannot tell its peers apart."""
        self._when_revoked[key.encode()] = cut

    def _look_who_is_inside(self) -> None:
        for domain, cut in self._when_revoked.items():
            inside = self._inside.get(domain, set())
            gone = {public for public in inside if self.keyring.of_public(public) is None}
            if gone:
                inside -= gone
                cut()

    def bind(
        self, socket: zmq.Socket[bytes], address: str, key: str, *, roles: Collection[KeyRole], strangers: bool = False,
        confined: bool = True,
    ) -> Door:  # fmt: skip
        """Bind a socket of our context, encrypted where it has to be. A socket that cannot be bound is closed.

        Args:
            key: of the configuration, under which the address stands.
            roles: whose keys are let in.
            strangers: whether unknown keys are, while a registration waits.
            confined: whether those are whose holders are confined to a guild.

        Raises:
            CannotListen: the address is taken, not ours, or may not be bound without encryption.
        """
        try:
            wanted = protection(address, self._curve, key)
            if isinstance(wanted, Refused):
                raise CannotListen(wanted.sentence)
            if wanted == "curve":
                self._encrypt(socket, key)
            if speaks_ipv6(address):
                socket.setsockopt(zmq.IPV6, 1)
            with _own_mode(address):
                socket.bind(address)
        except zmq.ZMQError as error:
            socket.close(0)
            raise cannot_listen(address, key, OSError(error.errno, error.strerror)) from None
        except CannotListen:
            socket.close(0)
            raise
        bound = str(socket.getsockopt_string(zmq.LAST_ENDPOINT))
        door = Door(bound, wanted == "curve", frozenset(roles), strangers, confined)
        self._doors[key.encode()] = door
        return door

    def admits(self, public: str) -> bool:
        """Whether the holder of this key is heard: it is known, or came a moment ago and may still register."""
        return self.keyring.of_public(public) is not None or self.may_register(public)

    def may_register(self, public: str) -> bool:
        """Whether this unknown key was let in to register, a moment ago."""
        since = self._strangers.get(public)
        return since is not None and self._clock.monotonic() - since <= GRACE_S

    async def close(self) -> None:
        """After the sockets of the context: end it."""
        if self._zap is not None:
            await self._zap.close(0)
        self.context.term()

    def _encrypt(self, socket: zmq.Socket[bytes], domain: str) -> None:
        if self._pair is None:
            raise CannotListen(f"{domain} has to be encrypted, and this core has no key; give it a data folder")
        if self._zap is None:
            answering: zmq.Socket[bytes] = self.context.socket(zmq.ROUTER)
            answering.setsockopt(zmq.LINGER, 0)
            answering.bind(_ZAP)
            self._zap = Pump(answering, self._answer, most_frames=_ZAP_FRAMES)
        self.keyring.server = self._pair.public
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._pair.secret.encode())
        socket.setsockopt(zmq.ZAP_DOMAIN, domain.encode())

    # ZAP

    def _answer(self, batch: Sequence[Sequence[bytes]]) -> None:
        assert self._zap is not None, "only what was bound is asked"
        for frames in batch:
            if len(frames) < 8 or frames[2] != _ZAP_VERSION:
                continue  # nobody but ZeroMQ itself can reach this address
            public = self._judge(frames[4], frames[7], frames[8:])
            status, text = (b"400", b"not admitted") if public is None else (b"200", b"OK")
            self._zap.send([frames[0], b"", _ZAP_VERSION, frames[3], status, text, (public or "").encode(), b""])

    def _judge(self, domain: bytes, mechanism: bytes, credentials: Sequence[bytes]) -> str | None:
        """The public key of who comes in; None for who does not."""
        if mechanism != b"CURVE" or len(credentials) != 1 or len(credentials[0]) != _KEY_BYTES:
            return None
        door = self._doors.get(domain)
        if door is None:
            return None
        public = z85.encode(credentials[0]).decode()
        row = self.keyring.of_public(public)
        if row is not None:
            if row.role not in door.roles or not (door.confined or row.guild_id is None):
                return None
            self._inside.setdefault(domain, set()).add(public)
            return public
        if door.strangers and self.keyring.awaits_registration(self._clock.now()):
            self._let_in(public)
            return public
        log.warning("an unknown key was not admitted", public=public)
        return None

    def _let_in(self, public: str) -> None:
        """Remember a stranger until it has registered, or its time is over."""
        now = self._clock.monotonic()
        self._strangers[public] = now
        self._strangers.move_to_end(public)
        while now - next(iter(self._strangers.values())) > GRACE_S or len(self._strangers) > MOST_STRANGERS:
            self._strangers.popitem(last=False)


@contextlib.contextmanager
def _own_mode(address: str) -> Iterator[None]:
    """The socket file of an ipc address is made for its owner alone, from its first moment."""
    transport, _, path = address.partition("://")
    if transport != "ipc" or os.name != "posix":
        yield
        return
    before = os.umask(0o777 & ~_OWNER_ONLY)
    try:
        yield
    finally:
        os.umask(before)
    if Path(path).is_socket():
        Path(path).chmod(_OWNER_ONLY)
