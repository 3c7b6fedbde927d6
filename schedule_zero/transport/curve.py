"""CURVE for who connects: pairs, a socket that encrypts, and what a core says to a key it does not know.

ZeroMQ tells nobody that it was turned away, and does not try again either: only a monitor hears of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import zmq

from schedule_zero.transport.keyfile import KeyFile, WrongKeyFile, read_key_file, replace_key_file
from schedule_zero.transport.pump import Pump

log = logging.getLogger("schedule_zero.transport.curve")

_FAILURES: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


class Pair(msgspec.Struct, frozen=True):
    """A CURVE pair, in Z85."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"Pair({self.public!r}, …)"


def new_pair() -> Pair:
    """A pair nobody has seen."""
    public, secret = zmq.curve_keypair()
    return Pair(public.decode(), secret.decode())


def public_of(secret: str) -> str:
    """The public half that belongs to a secret. Raises ValueError."""
    try:
        return zmq.curve_public(secret.encode("ascii")).decode()
    except (zmq.ZMQError, UnicodeEncodeError):
        raise ValueError("this is no secret half of a CURVE pair") from None


def open_key_file(path: Path) -> KeyFile:
    """A key file with a pair in it: one without gets a new one, so that whoever has only the core's key can register.

    Raises:
        WrongKeyFile: it cannot be read or written, or its halves do not belong together.
    """
    keys = read_key_file(path)
    if keys.secret is None:
        if keys.public is not None:
            raise WrongKeyFile(f"the key file {path} has a public half without its secret")
        pair = new_pair()
        keys = msgspec.structs.replace(keys, public=pair.public, secret=pair.secret)
        try:
            replace_key_file(path, keys)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise WrongKeyFile(f"the new pair cannot be written to the key file {path}: {reason}") from None
        return keys
    try:
        public = public_of(keys.secret)
    except ValueError:
        raise WrongKeyFile(f"the secret in the key file {path} is no half of a CURVE pair") from None
    if keys.public not in (None, public):
        raise WrongKeyFile(f"the two halves in the key file {path} do not belong together")
    return msgspec.structs.replace(keys, public=public)


def encrypt(socket: zmq.Socket[bytes], keys: KeyFile) -> None:
    """Set a socket up, before it connects, to speak only to the core whose key the file holds."""
    for option, key in (
        (zmq.CURVE_PUBLICKEY, keys.public), (zmq.CURVE_SECRETKEY, keys.secret), (zmq.CURVE_SERVERKEY, keys.server),
    ):  # fmt: skip
        if key is None:
            raise ValueError("an encrypted connection takes public, secret and server")
        socket.setsockopt(option, key.encode())


class Watch:
    """Listens whether a connecting socket is turned away before anything can be said, or comes through.

    A socket that reconnects by itself tells nobody of that either, and at the other end it is a stranger.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], address: str, turned: Callable[[str], None], *, encrypted: bool,
        met: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """``turned``: told in a sentence that no connection will ever come about; ``met``: told of each that does."""
        self._socket = socket
        self._address = address
        self._turned = turned
        self._encrypted = encrypted
        self._warned = False
        self._met = met
        events = _FAILURES if met is None else _FAILURES | zmq.EVENT_HANDSHAKE_SUCCEEDED
        self._pump = Pump(socket.get_monitor_socket(events), self._take)

    async def close(self) -> None:
        """Before the socket itself."""
        self._socket.disable_monitor()
        await self._pump.close(0)

    def _take(self, batch: Sequence[Sequence[Any]]) -> None:
        for frames in batch:
            event = int.from_bytes(frames[0][:2], "little")
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                if self._met is not None:
                    self._met()
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self._turned(
                    f"the core at {self._address} does not admit this key: it is unknown there, or was revoked"
                )
            elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                self._turned(
                    f"the core at {self._address} does not encrypt; take the line server out of the key file"
                    if self._encrypted
                    else f"the core at {self._address} wants encryption; give a key file that holds its public key"
                )
            elif not self._warned:
                self._warned = True
                log.warning(
                    "no connection to the core at %s comes about; %s, or it listens elsewhere, not at this port",
                    self._address,
                    "the line server of the key file may be another core's" if self._encrypted
                    else "it may want encryption, with a key file",
                )  # fmt: skip
