"""Admission: whether a handler that says HELLO is who it says. Pure, over the keyring.

Under CURVE the key is what proves it. On a plain connection, which only this machine's programs have, everybody is
believed, except under a name somebody holds a key for: then the token is the proof, at every HELLO.
"""

from __future__ import annotations

from typing import Final

import msgspec

from core.service.keyring import BOTS_HANDLER, Keyring, KeyRow
from schedule_zero.transport.wire import Hello

_UNKNOWN: Final = "this token is not known: it was used or revoked, or its time ran out; ask for a new one"


class Admitted(msgspec.Struct, frozen=True):
    """It is. ``row``: the key that proves it; None: it is believed."""

    row: KeyRow | None


class Registers(msgspec.Struct, frozen=True):
    """It brings a registration: this token binds this public key to its name, if the ledger agrees."""

    token: str
    public: str


class Turned(msgspec.Struct, frozen=True):
    """It is not, and why."""

    sentence: str


class Keyless(Turned, frozen=True):
    """It shows no key where one is asked for. What it was given while none was, it may still finish."""


Judgement = Admitted | Registers | Turned


def keyless(name: str) -> Keyless:
    """What is said to who has no key for a name that is kept for who does."""
    return Keyless(
        f"the name {name} is for who holds a key; start it with that key's token (--token, or --key with the file that holds it)"
    )


def judge(hello: Hello, user: str | None, keyring: Keyring, now: int) -> Judgement:
    """Judge a HELLO.

    Args:
        user: the public key its connection has shown; None on a plain one.
        now: microseconds since the epoch.
    """
    return _plain(hello, keyring, now) if user is None else _encrypted(hello, user, keyring, now)


def _encrypted(hello: Hello, user: str, keyring: Keyring, now: int) -> Judgement:
    row = keyring.of_public(user)
    if row is not None:
        return _of_this_name(hello, row)
    if hello.token is None:
        return Turned("this key is not known here; register it with a token, or have it made with 'keys new --public'")
    return _registering(hello, hello.token, user, keyring, now)


def _plain(hello: Hello, keyring: Keyring, now: int) -> Judgement:
    if hello.token is None:
        if keyring.reserves(hello.name):
            return keyless(hello.name)
        return Admitted(None)
    row = keyring.identify(hello.token) or keyring.registered(hello.token, hello.public)
    if row is not None:
        return _of_this_name(hello, row)
    return _registering(hello, hello.token, hello.public, keyring, now)


def _registering(hello: Hello, token: str, public: str | None, keyring: Keyring, now: int) -> Judgement:
    row = keyring.registration(token, now)
    if row is None:
        return Turned(_UNKNOWN)
    if row.name != hello.name:
        return Turned(f"this token registers another handler than {hello.name}")
    if public is None:
        return Turned("a registration binds a public key, and there is none; give the handler a key file with --key")
    return Registers(token, public)


def _of_this_name(hello: Hello, row: KeyRow) -> Judgement:
    if row.role == "bot" and hello.name == BOTS_HANDLER:
        return Admitted(row)
    if row.role != "handler":
        return Turned(f"this key is one of role {row.role}; a handler needs one of role handler")
    if row.name != hello.name:
        return Turned(f"this key is another handler's than {hello.name}; start it with --name {row.name}")
    return Admitted(row)
