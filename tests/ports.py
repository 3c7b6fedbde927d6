"""Ports of loopback for servers of the tests."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self


class Port:
    """A port of loopback that nobody else is given, and that a process may listen on again and again.

    It is bound here without listening: the system leaves it out where it chooses ports by itself, and lets whoever says
    SO_REUSEADDR, as servers do, listen on it. A port that was merely free a moment ago is soon somebody else's.
    """

    def __init__(self) -> None:
        self._holding = socket.socket()
        self._holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holding.bind(("127.0.0.1", 0))
        self.number = int(self._holding.getsockname()[1])

    def close(self) -> None:
        """Anybody may have it."""
        self._holding.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
