"""Houses and the Discord beside them; and the figures of the ring at the end of the report."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from tests.discord_server.process import DiscordProcess
from tests.process.house import House

FIGURES = "figures"


@pytest.fixture
async def discord() -> AsyncIterator[DiscordProcess]:
    """A Discord in a process of its own."""
    async with DiscordProcess() as server:
        yield server


@pytest.fixture
async def house(tmp_path: Path, discord: DiscordProcess) -> AsyncIterator[House]:
    """A house without anybody in it yet."""
    async with House(tmp_path, discord) as empty:
        yield empty


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    """Random moments; a new seed every time, printed when a test fails."""
    seed = Random().randrange(2**32)
    print(f"seed of the moments: {seed}")
    return Random(seed)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the passed tests counted."""
    lines = [
        str(value)
        for report in terminalreporter.getreports("passed")
        for name, value in getattr(report, "user_properties", ())
        if name == FIGURES and report.when == "call"
    ]
    if lines:
        terminalreporter.section("kill -9")
        for line in sorted(lines):
            terminalreporter.line(line)
