from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import simcord

from bot.client import ScheduleZeroBot
from bot.sync import TreeSync
from cogs.refusals import sentence_of
from schedule_zero.instant import from_datetime
from tests.cogs.stage import Stage, Staged, make_bot
from tests.cogs.strict_core import StrictWorld
from tests.cogs.workers import Reports
from tests.engine.house import House
from tests.service.conftest import build, clock, house, make_ledger

__all__ = ["build", "clock", "house", "make_ledger"]


class Attentive(simcord.Env):
    """SimCord, which looks twenty times a second whether the bot has come to rest; this one looks at once."""

    async def _settle_internal(self, **options: Any) -> None:
        await super()._settle_internal(**options | {"idle": 0.001})


@contextlib.asynccontextmanager
async def _started(bot: ScheduleZeroBot) -> AsyncIterator[simcord.Env]:
    """The bot in SimCord. Errors with a sentence are answers; any other fails the test, unless it looked at it."""
    env = Attentive(bot, check_errors=False)
    await env.start()
    seen = env.error_cursor
    try:
        yield env
    finally:
        await env.shutdown()
        for error in env.errors_since(max(seen, env._errors_acknowledged)):
            if not isinstance(error, Exception) or sentence_of(error) is None:
                raise error


@pytest.fixture
async def simcord_env() -> AsyncIterator[simcord.Env]:
    """The bot on a core of plain dicts."""
    async with _started(make_bot(StrictWorld())) as env:
        yield env


@pytest.fixture
async def staged(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Staged]:
    """Puts a stage before a real core. Both go by SimCord's clock, which stands at Thursday 2026-01-01, 00:00 UTC."""
    async with contextlib.AsyncExitStack() as opened:

        async def put(house: House) -> Stage:
            bot = ScheduleZeroBot(house.client, sync=TreeSync(None), shards=1)
            env = await opened.enter_async_context(_started(bot))
            monkeypatch.setattr(house.clock, "now", lambda: from_datetime(env.now()))
            return Stage(env)

        yield put


@pytest.fixture
async def served(house: House, staged: Staged) -> Stage:
    """A stage whose bot asks a real core."""
    return await staged(house)


@pytest.fixture
def stage(simcord_env: simcord.Env) -> Stage:
    return Stage(simcord_env)


@pytest.fixture
async def reports(house: House) -> Reports:
    """A handler that does jobs, and an engine that turns."""
    handler = Reports()
    house.engine.serve(handler)
    house.run()
    return handler


@pytest.fixture
def jobs(served: Stage, reports: Reports) -> Stage:
    """A stage on a real core, whose handler works."""
    return served
