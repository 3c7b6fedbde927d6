"""A handler that says it is another one: `python -m tests.faults.twin CORE INSTANCE [ROUTING-ID]`."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import zmq

from schedule_zero.worker import Worker
from tests.faults.works import Works


class Twin(Worker):
    """A worker with the instance, and perhaps the routing id, of somebody else."""

    routing_id = b""

    def _connected(self, context: zmq.Context[Any]) -> zmq.Socket[bytes]:
        if self.routing_id:
            context.setsockopt(zmq.ROUTING_ID, self.routing_id)
        return super()._connected(context)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    address, instance, *routing = sys.argv[1:]

    async def live() -> None:
        twin = Twin(Works(), address)
        twin.instance = instance
        twin.routing_id = routing[0].encode() if routing else b""
        await twin.run()

    asyncio.run(live())
