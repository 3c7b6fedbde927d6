"""The handler of the fault suite, as somebody would write it: `schedule-zero handler tests.faults.works:Works`.

Every method notes in the process's own journal that it began and how it ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schedule_zero import Context, Handler, Reject, RetryAfter, method
from tests.faults.effects import own_journal


class Works(Handler):
    """Works that take some seconds, each in its own way."""

    name = "works"

    def __init__(self) -> None:
        self._journal = own_journal()

    @method()
    async def work(self, ctx: Context, seconds: float = 0.0) -> dict[str, Any]:
        """Take so long, and succeed."""
        with self._noted(ctx, "work"):
            await asyncio.sleep(seconds)
        return self._receipt(ctx)

    @method()
    def grind(self, ctx: Context, seconds: float = 0.0) -> dict[str, Any]:
        """The same in a thread."""
        with self._noted(ctx, "grind"):
            time.sleep(seconds)
        return self._receipt(ctx)

    @method(at_most_once=True)
    async def once(self, ctx: Context, seconds: float = 0.0) -> dict[str, Any]:
        """The same, and never begun a second time."""
        with self._noted(ctx, "once"):
            await asyncio.sleep(seconds)
        return self._receipt(ctx)

    @method()
    async def stumble(self, ctx: Context, seconds: float = 0.0) -> dict[str, Any]:
        """Fail at the first attempt, ask for later at the second, then succeed."""
        with self._noted(ctx, "stumble"):
            await asyncio.sleep(seconds)
            if ctx.attempt == 1:
                raise ConnectionError("the first attempt fails")
            if ctx.attempt == 2:
                raise RetryAfter(0.1)
        return self._receipt(ctx)

    @method()
    async def refuse(self, ctx: Context, seconds: float = 0.0) -> None:
        """Fail for good."""
        with self._noted(ctx, "refuse"):
            await asyncio.sleep(seconds)
            raise Reject("refused: by order")

    @contextmanager
    def _noted(self, ctx: Context, name: str) -> Iterator[None]:
        write = self._journal.write
        write("begun", ctx.run_id, ctx.attempt, name)
        try:
            yield
        except asyncio.CancelledError:
            write("cancelled", ctx.run_id, ctx.attempt, name)
            raise
        except Exception:
            write("raised", ctx.run_id, ctx.attempt, name)
            raise
        write("done", ctx.run_id, ctx.attempt, name)

    def _receipt(self, ctx: Context) -> dict[str, Any]:
        """What the core has to have as the result, if this attempt counts."""
        return {"run": ctx.run_id, "attempt": ctx.attempt, "process": self._journal.process}
