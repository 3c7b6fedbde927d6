"""Watching a run: until it ends, or as long as somebody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from schedule_zero.client import CoreClient
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.run import TERMINAL, Run

_LOOK: Final = 0.25
_LONGEST_LOOK: Final = 5.0


async def looks(core: CoreClient, run: Run, seconds: float) -> AsyncIterator[Run]:
    """The run again and again, seldomer with time, until it ended or so much time has passed."""
    waited, pause = 0.0, _LOOK
    while run.state not in TERMINAL and waited < seconds:
        await asyncio.sleep(pause)
        waited += pause
        if waited >= 20 * pause:
            pause = min(2 * pause, _LONGEST_LOOK)
        try:
            run = await core.get_run(run.id)
        except ScheduleZeroError:
            return  # it was created, and that is what was asked for; how it ends can be looked up
        yield run


async def watched(core: CoreClient, run: Run, seconds: float) -> Run:
    """The run once it ended, or as it stands after so many seconds."""
    async for found in looks(core, run, seconds):
        run = found
    return run
