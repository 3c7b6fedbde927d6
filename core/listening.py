"""Addresses to listen on: which only this machine reaches, and why one cannot be had, in a sentence. The doors share it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Final

_NOT_OURS: Final = (errno.EADDRNOTAVAIL, errno.ENODEV)


class CannotListen(Exception):
    """A door cannot be opened; the sentence names the address and the remedy."""


def cannot_listen(address: str, key: str, error: OSError) -> CannotListen:
    """What to raise where ``address``, which stands under that key of the configuration, could not be bound."""
    remedy = f"set {key} (or SCHEDULE_ZERO__{key.upper().replace('.', '__')})"
    if error.errno == errno.EADDRINUSE:
        port = address.rpartition(":")[2]
        taken = f"port {port} is in use ({address})" if port.isdecimal() else f"{address} is in use"
        return CannotListen(f"{taken}: stop the program that has it, or {remedy} to another port")
    if error.errno == errno.EACCES:
        return CannotListen(f"{address} may not be opened by this user: {remedy} to a port from 1024 on")
    if error.errno in _NOT_OURS or isinstance(error, socket.gaierror):
        return CannotListen(f"{address} is no address of this machine: {remedy} to one that is")
    reason = (error.strerror or str(error)).lower()
    return CannotListen(f"{address} cannot be opened ({reason}): {remedy} to another address")


def is_loopback(host: str) -> bool:
    """Whether a host, without brackets, is this machine, and other machines do not reach it by that name."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:  # a wildcard, an interface, a name somebody else decides about
        return host == "localhost"
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback
