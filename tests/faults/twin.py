"""A handler that says it is another one: `python -m tests.faults.twin CORE INSTANCE`."""

from __future__ import annotations

import asyncio
import logging
import sys

from schedule_zero.process.worker import Worker
from tests.faults.works import Works


async def live(address: str, instance: str) -> None:
    """Serve as that instance, for ever."""
    worker = Worker(Works(), address)
    worker.instance = instance
    await worker.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(live(*sys.argv[1:]))
