"""Once a turn: what is said in one turn of the loop leaves together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class OnceATurn:
    """Calls a function at the end of the loop's turn, once however often it was wanted."""

    __slots__ = ("_do", "_wanted")

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self._wanted = False

    def soon(self) -> None:
        """Have it called. Only on the loop."""
        if not self._wanted:
            self._wanted = True
            asyncio.get_running_loop().call_soon(self._call)

    def _call(self) -> None:
        self._wanted = False
        self._do()
