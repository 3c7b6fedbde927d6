"""Writes units until it is killed, and says each id when its unit is durable. Started by ``test_crash``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from core.ledger.ledger import StoredLedger
from core.ledger.open import open_ledger
from core.ledger.port import Transaction
from core.ledger.settings import StoreSettings
from tests.ledger.making import event, run, schedule


async def write_for_ever(ledger: StoredLedger, name: str) -> None:
    number = 0
    while True:
        number += 1
        id = f"sch_{name}_{number}"

        async def unit(tx: Transaction, id: str = id) -> None:
            await tx.schedules.insert([schedule(id)])
            await tx.runs.insert([run(f"run_{id}_{n}", id) for n in range(3)])
            await tx.journal.append([event(schedule_id=id)])

        await ledger.write(unit)
        sys.stdout.write(f"{id}\n")
        sys.stdout.flush()


async def main(url: str, life: str) -> None:
    ledger = open_ledger(StoreSettings(url=url), Path("unused"))
    await ledger.open()
    async with asyncio.TaskGroup() as group:
        for writer in range(8):
            group.create_task(write_for_ever(ledger, f"{life}_{writer}"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
