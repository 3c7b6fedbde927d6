"""Rules: what every core keeps in memory, and any of them may change: limits, bans, keys, that nothing is given out.

Who changes some says so in the transaction (``Desk.rules_change``), and who keeps them reads them again, at every core.
"""

from __future__ import annotations

import asyncio

from core.service.desk import Desk


class RulesWatch:
    """Wakes one keeper. A change that comes while it reads wakes it again."""

    def __init__(self, desk: Desk) -> None:
        self._changed = asyncio.Event()
        desk.when_rules_change(self._changed.set)

    async def change(self, within_s: float) -> None:
        """Wait until some have changed, or for so long: word of it may be lost."""
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()
