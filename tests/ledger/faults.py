"""A connection that fails, stops or counts when it is told to, between a ledger and its database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from core.ledger.connection import Connection, Fault, Mark, Step, StepFailed


class Between:
    """Counts commits; ``fails`` is asked at every step, and names the error it is to fail with, or raises one."""

    def __init__(self) -> None:
        self.commits = 0
        self.sizes: list[int] = []
        self.hold: asyncio.Event | None = None
        self.fails: Callable[[Step], Fault | None] = lambda step: None

    def wrap(self, inner: Connection) -> Connection:
        self.inner = inner
        return self

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        if self.hold is not None and any(step.statement is Mark.COMMIT for step in steps):
            await self.hold.wait()
        for index, step in enumerate(steps):
            error = self.fails(step)
            if error is not None:
                await self.inner.run(steps[:index])
                raise StepFailed(index, error)
        answers = await self.inner.run(steps)
        self.commits += sum(1 for step in steps if step.statement is Mark.COMMIT)
        return answers

    async def close(self) -> None:
        await self.inner.close()
