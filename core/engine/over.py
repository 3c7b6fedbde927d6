"""Over: what is done goes when the last of its runs has gone, so that reminders of years do not pile up."""

from __future__ import annotations

import asyncio
from typing import Final

from core.ledger.port import Ledger, Transaction

PAGE: Final = 1000


async def forget_over(ledger: Ledger, before: int, guild_id: str | None = None) -> None:
    """Remove schedules that are done, were neither due nor changed since an instant, and have no run any more; those that
    others run after stay. They are looked for beside the writer, and removed page by page, others first.

    Args:
        before: the instant, microseconds since the epoch.
        guild_id: of which guild alone; None: of all, and of none.
    """
    since, removed = 0, PAGE
    while removed:
        found = await ledger.reader.schedules.over(since, before, PAGE, guild_id)
        ids = [id for _, id in found]

        async def unit(tx: Transaction, ids: list[str] = ids) -> int:
            return await tx.schedules.purge_over(ids, before)

        removed = await ledger.write(unit) if ids else 0
        since = found[-1][0] if found else since
        await asyncio.sleep(0)
