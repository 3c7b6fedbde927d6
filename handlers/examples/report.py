"""An async method that takes a while: it tells how far it is, and stops when it is cancelled.

``schedule-zero handler handlers.examples.report:Report``
"""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta

from schedule_zero import Context, Handler, Reject, method

Rows = Annotated[int, Meta(ge=1, le=10_000, description="how many rows the report has")]


class Report(Handler):
    """Builds a report part by part."""

    async def start(self) -> None:
        """The place for what all runs share: connections, models, caches."""
        self._known = {"sales": 3, "visits": 5}

    @method(timeout=60)
    async def build(
        self, ctx: Context, day: date, about: Literal["sales", "visits", "rent"] = "sales", rows: Rows = 100
    ) -> dict[str, Any]:
        """Build the report of a day."""
        if about not in self._known:
            raise Reject(f"nobody keeps {about}")
        total = 0
        for row in range(rows):
            total += self._known[about] * (row + day.day)
            if row % 10 == 0:
                ctx.progress(row / rows, f"row {row} of {rows}")
                await asyncio.sleep(0.001)  # where a real one waits for its database; here a cancellation arrives
        ctx.log(f"{about} of {day} for attempt {ctx.attempt}")
        return {"day": day, "about": about, "rows": rows, "total": total, "key": ctx.run_id}
