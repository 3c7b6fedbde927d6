"""Tells whoever keeps this process alive, systemd or a ProcessGovernor, that it is ready and that its loop still turns.

The form is that of ``sd_notify(3)``: datagrams to the socket that ``$NOTIFY_SOCKET`` names. ``$WATCHDOG_USEC`` says after
how many microseconds of silence this process counts as hung; a message may say another number, for what will keep it from
beating. Where there is no such socket, nothing is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Final

AGAIN_S: Final = 0.1
BEATS: Final = 3
"""So often within the time of silence that is allowed: two may be lost."""


class Notifier:
    """What one process says. Each message says all there is, so that whoever listens anew needs no earlier one."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._address = _address(environ)
        self._silence_s = _silence_s(environ)
        self._beat_s = None if self._silence_s is None else self._silence_s / BEATS
        self._allowed_s: float | None = None
        self._line: socket.socket | None = None
        self._ready = False
        self._status = ""
        self._news = asyncio.Event()

    def ready(self, status: str = "") -> None:
        """This process does from now on what it is for. ``status``: one line for people."""
        self._ready = True
        self.status(status)

    def status(self, text: str) -> None:
        """One line for people, about how it is going."""
        self._status = " ".join(text.split())
        self._news.set()

    def may_be_silent(self, seconds: float) -> None:
        """From now on this may keep the loop from turning for so long; 0: nothing does any more. It is said at once,
        before the loop turns, to whoever counts the time."""
        if self._silence_s is None:
            return
        self._allowed_s = self._silence_s + seconds
        if self._line is None or self._address is None or not _send(self._line, self._address, self._message()):
            self._news.set()

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Say what there is to say, from the event loop, for as long as this lasts: where the loop hangs, it ends."""
        if self._address is None:
            yield
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            self._line = line
            beating = asyncio.create_task(self._beat(line, self._address), name="telling the process governor")
            try:
                yield
            finally:
                self._line = None
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self, line: socket.socket, address: str) -> None:
        while True:
            self._news.clear()
            told = _send(line, address, self._message())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat_s if told else AGAIN_S):
                    await self._news.wait()

    def _message(self) -> bytes:
        words = ["WATCHDOG=1"]
        if self._ready:
            words.append("READY=1")
        if self._status:
            words.append(f"STATUS={self._status}")
        if self._allowed_s is not None:  # systemd keeps the last number it was told: also the usual one has to be said
            words.append(f"WATCHDOG_USEC={round(self._allowed_s * 1e6)}")
        if not hasattr(socket, "SO_PASSCRED"):  # elsewhere the system itself says who sent it
            words.append(f"MAINPID={os.getpid()}")
        return "\n".join(words).encode()


def _address(environ: Mapping[str, str]) -> str | None:
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@") or not hasattr(socket, "AF_UNIX"):
        return None
    return "\0" + address[1:] if address[0] == "@" else address  # an abstract address has no file


def _silence_s(environ: Mapping[str, str]) -> float | None:
    """Seconds of silence that are allowed; None where nobody watches this very process."""
    micros, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not micros.isdecimal() or int(micros) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(micros) / 1e6


def _send(line: socket.socket, address: str, message: bytes) -> bool:
    """Whether it was sent, or nobody is there who could be told; a full queue is worth another try."""
    try:
        line.sendto(message, address)
    except BlockingIOError:
        return False
    except OSError:  # its keeper is gone: whoever comes after listens at the same address
        return True
    return True
