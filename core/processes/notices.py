"""What children say of themselves: datagrams in the form of sd_notify(3), and who sent them."""

from __future__ import annotations

import array
import asyncio
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

_LARGEST: Final = 4096
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid
_DESCRIPTORS: Final = 16
_LONGEST_NUMBER: Final = 16


class Notice(msgspec.Struct, frozen=True):
    """One message. ``status``, and for how many seconds it may be silent from now on: None where it says nothing of it."""

    pid: int
    ready: bool
    status: str | None
    silence_s: float | None = None


class Notices:
    """Listens at a socket, and tells of each message."""

    def __init__(self, path: Path, hear: Callable[[Notice], None]) -> None:
        self._path = path
        self._hear = hear
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Listen. Whoever else does at this path is dead: its holder has the governor's lock. Raises OSError."""
        self._path.unlink(missing_ok=True)
        line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            line.setblocking(False)
            line.bind(str(self._path))
            self._path.chmod(0o600)
            if hasattr(socket, "SO_PASSCRED"):
                line.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        except OSError:
            line.close()
            raise
        self._socket = line
        asyncio.get_running_loop().add_reader(line, self._read, line)

    def close(self) -> None:
        """Listen no longer."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._path.unlink(missing_ok=True)
            self._socket = None

    def _read(self, line: socket.socket) -> None:
        room = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_DESCRIPTORS * 4)
        while True:
            try:
                message, ancillary, *_ = line.recvmsg(_LARGEST, room)
            except (BlockingIOError, InterruptedError):
                return
            found = read_notice(message, _sender(ancillary))
            if found is not None:
                self._hear(found)


def read_notice(message: bytes, sender: int | None) -> Notice | None:
    """A message in our form. ``sender``: its process, where the system says; None: it has to say so itself."""
    words = dict(
        line.split("=", 1) for line in message.decode(errors="replace").splitlines() if "=" in line
    )  # fmt: skip
    told = words.get("MAINPID", "")
    pid = sender if sender is not None else int(told) if told.isdecimal() else None
    if pid is None:
        return None
    return Notice(pid, words.get("READY") == "1", words.get("STATUS"), _seconds(words.get("WATCHDOG_USEC", "")))


def _seconds(micros: str) -> float | None:
    return int(micros) / 1e6 if micros.isdecimal() and len(micros) <= _LONGEST_NUMBER and int(micros) else None


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    sender = None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == getattr(socket, "SCM_CREDENTIALS", None):
            sender = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
        elif level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:  # sd_notify may send descriptors; we want none
            handed = array.array("i")
            handed.frombytes(data[: len(data) - len(data) % handed.itemsize])
            for descriptor in handed:
                os.close(descriptor)
    return sender
