"""kill -9 while commits are under way: what was acknowledged is there, whole, and nothing else is there in part."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.ledger.keeping import keeping_of
from core.ledger.open import open_ledger
from core.ledger.port import ScheduleFilter
from core.ledger.settings import StoreSettings

WRITER = Path(__file__).with_name("endless_writer.py")
LIVES = 4
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["file", "server"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "server":
        of_a_server: str = request.getfixturevalue("database_url")
        return of_a_server
    return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"


@pytest.mark.slow
async def test_what_was_acknowledged_survives_kill_9_and_no_unit_is_half_there(url: str) -> None:
    acknowledged: set[str] = set()
    for life in range(LIVES):
        acknowledged |= _write_until_killed(url, life)
        await _expect_whole_units(url, acknowledged)
    assert len(acknowledged) > LIVES


def _write_until_killed(url: str, life: int) -> set[str]:
    """Let a process write; kill it after some acknowledgements, in the middle of whatever it does then."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER), url, str(life)], stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(50 + 37 * life)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return {line.strip() for line in told if line.endswith("\n")}


async def _expect_whole_units(url: str, acknowledged: set[str]) -> None:
    ledger = open_ledger(StoreSettings(url=url), Path("unused"))
    await ledger.open()
    there = {row.id for row in await ledger.reader.schedules.page(ScheduleFilter(any_guild=True), None, 1_000_000)}
    assert acknowledged <= there
    events = {found.schedule_id for found in await ledger.reader.journal.after(0, 1_000_000)}
    runs = await ledger.reader.runs.active(sorted(there))
    assert events == there
    assert set(runs) == there
    assert all(len(own) == 3 for own in runs.values())
    await ledger.close()
    assert await asyncio.to_thread(keeping_of(StoreSettings(url=url), Path("unused")).check) == []
