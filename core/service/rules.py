"""Rules: what every core keeps in memory, and any of them may change: limits, bans, keys, that nothing is given out.

Who changes some says so in the transaction, and who keeps them reads them again, at every core.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from core.ledger.port import Transaction
from core.service.desk import Desk


def rules_change(desk: Desk, tx: Transaction) -> None:
    """Some are changed in this transaction: the other cores read them as soon as it is committed."""
    if desk.shared:
        tx.buckets.rules_change()


def when_rules_change(desk: Desk, heard: Callable[[], None]) -> None:
    """Call when a core has changed some, this one too."""
    if desk.ledger.membership is not None:
        desk.ledger.membership.on_rules(heard)


class RulesWatch:
    """Wakes one keeper. A change that comes while it reads wakes it again."""

    def __init__(self, desk: Desk) -> None:
        self._changed = asyncio.Event()
        when_rules_change(desk, self._changed.set)

    async def change(self, within_s: float) -> None:
        """Wait until some have changed, or for so long: word of it may be lost."""
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()
