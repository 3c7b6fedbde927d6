from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import simcord

from cogs.refusals import sentence_of
from tests.cogs.stage import Stage, make_bot
from tests.cogs.strict_core import StrictWorld


class Attentive(simcord.Env):
    """SimCord, which looks twenty times a second whether the bot has come to rest; this one looks at once."""

    async def _settle_internal(self, **options: Any) -> None:
        await super()._settle_internal(**options | {"idle": 0.001})


@pytest.fixture
async def simcord_env() -> AsyncIterator[simcord.Env]:
    """The bot in SimCord. Errors with a sentence are answers; any other fails the test, unless it looked at it."""
    env = Attentive(make_bot(StrictWorld()), check_errors=False)
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
def stage(simcord_env: simcord.Env) -> Stage:
    return Stage(simcord_env)
