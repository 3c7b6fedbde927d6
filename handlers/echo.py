"""The echo handler: answers with what it was given. For first tries, tests and measurements."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec

from schedule_zero import Context, Handler, method

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class Echo(Handler):
    """``echo`` answers at once, or after ``after`` seconds."""

    name = "echo"

    @method()
    async def echo(self, ctx: Context, value: Any = None, after: Seconds = 0.0) -> Any:
        """Answer with ``value``, after so many seconds."""
        if after:
            await asyncio.sleep(after)
        return value
