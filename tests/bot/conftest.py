from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot import client, front, link, main
from tests.bot.stage import ShiftedClock
from tests.discord_server.app import DiscordServer


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot's own pauses are for the real Discord; what is waited for here is signalled."""
    monkeypatch.setattr(client, "GUILDS_WAIT", 0.05)
    monkeypatch.setattr(main, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(link, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(front, "SENDING_ENDS", 0.2)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ShiftedClock:
    """The clock of every outbox that is opened."""
    shifted = ShiftedClock()
    monkeypatch.setattr(front, "wall_clock", shifted)
    return shifted
