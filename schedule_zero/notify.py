"""Tells whoever keeps this process alive, systemd or a ProcessGovernor, that it is ready and that its loop still turns.

The form is that of ``sd_notify(3)``: datagrams to the socket that ``$NOTIFY_SOCKET`` names. ``$WATCHDOG_USEC`` says after
how many microseconds of silence this process counts as hung. Where there is no such socket, nothing is said.
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
        self._beat_s = _beat_s(environ)
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

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Say what there is to say, from the event loop, for as long as this lasts: where the loop hangs, it ends."""
        if self._address is None:
            yield
            return
        beating = asyncio.create_task(self._beat(self._address), name="telling the process governor")
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self, address: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
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
        if not hasattr(socket, "SO_PASSCRED"):  # elsewhere the system itself says who sent it
            words.append(f"MAINPID={os.getpid()}")
        return "\n".join(words).encode()


def _address(environ: Mapping[str, str]) -> str | None:
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@") or not hasattr(socket, "AF_UNIX"):
        return None
    return "\0" + address[1:] if address[0] == "@" else address  # an abstract address has no file


def _beat_s(environ: Mapping[str, str]) -> float | None:
    """Seconds between two beats; None where nobody watches this very process."""
    micros, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not micros.isdecimal() or int(micros) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(micros) / 1e6 / BEATS


def _send(line: socket.socket, address: str, message: bytes) -> bool:
    """Whether it was sent, or nobody is there who could be told; a full queue is worth another try."""
    try:
        line.sendto(message, address)
    except BlockingIOError:
        return False
    except OSError:  # its keeper is gone: whoever comes after listens at the same address
        return True
    return True
