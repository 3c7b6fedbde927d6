"""Exposure: whether what is said at an address has to be encrypted. Pure; every door asks here before it binds."""

from __future__ import annotations

from typing import Literal

import msgspec

from core.listening import is_loopback

Curve = Literal["auto", "on", "off"]
Protection = Literal["plain", "curve"]


class Refused(msgspec.Struct, frozen=True):
    """The address may not be bound; the sentence says why, and the remedy."""

    sentence: str


def protection(address: str, curve: Curve, key: str) -> Protection | Refused:
    """How connections to a ZeroMQ address are protected.

    Args:
        address: as the configuration has it: ``tcp://host:port``, ``ipc://path`` or ``inproc://name``.
        curve: ``auto`` encrypts what others than this machine's programs can reach, ``on`` everything, ``off`` nothing.
        key: of the configuration, under which the address stands.
    """
    if address.startswith("inproc://"):  # one process talks to itself, and ZeroMQ has no handshake there
        return "plain"
    if curve == "on":
        return "curve"
    if stays_here(address):
        return "plain"
    if curve == "auto":
        return "curve"
    return Refused(
        f"{address} can be reached from other machines, and zmq.curve is off: set {key} to a loopback address, or "
        "zmq.curve to auto"
    )


def stays_here(address: str) -> bool:
    """Whether only programs of this machine can connect there."""
    transport, _, rest = address.partition("://")
    return transport in ("ipc", "inproc") or (transport == "tcp" and is_loopback(host_of(rest)))


def speaks_ipv6(address: str) -> bool:
    """Whether the address asks for IPv6."""
    transport, _, rest = address.partition("://")
    return transport == "tcp" and ":" in host_of(rest)


def host_of(rest: str) -> str:
    """The host in ``host:port``, without brackets and zone."""
    return rest.rpartition(":")[0].removeprefix("[").removesuffix("]").partition("%")[0].lower()
