"""A few of each fault, several at once. `python -m tests.faults` does it with the numbers of a full run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.faults import acts, pair, windows
from tests.faults.load import Load
from tests.faults.scenario import Scenario, play
from tests.faults.stage import Stage
from tests.faults.store import ServerStore, Store
from tests.postgres import database_url, databases

__all__ = ["database_url", "databases"]  # fixtures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def played(scenario: Scenario, folder: Path, store: Store | None = None) -> None:
    """Play it with a new seed, and see every promise kept."""
    seed = str(Random().randrange(2**32))
    print(f"seed {seed}")
    report = await play(scenario, 1, seed, folder, store)
    assert report.passed, "\n".join(f"{breach.kind}: {breach.text}" for breach in report.breaches)
    assert report.counts["succeeded"] > 0


async def test_killed_core_and_handlers_and_a_crowd_that_comes_back_lose_and_double_nothing(tmp_path: Path) -> None:
    async def act(stage: Stage, load: Load, times: int) -> None:
        await asyncio.gather(acts.reconnect(stage, load, 50), acts.kill_hands(stage, load, 2 * times))
        await windows.kill_in(windows.Window.COMMIT_TO_ACKNOWLEDGED, stage, load, times)

    await played(Scenario("killed", act, 1, 120, proxied=True, level="debug"), tmp_path)


async def test_frozen_cut_off_and_lied_to_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    async def act(stage: Stage, load: Load, times: int) -> None:
        await asyncio.gather(
            acts.cut_5(stage, load, times), acts.noise(stage, load, times), acts.twins(stage, load, times)
        )
        await asyncio.gather(acts.freeze_core(stage, load, times), acts.freeze_hands(stage, load, times))

    await played(Scenario("silent", act, 1, 120, proxied=True), tmp_path)


async def test_of_two_cores_one_is_killed_and_one_is_frozen_and_nothing_is_lost_or_doubled(
    tmp_path: Path, database_url: str
) -> None:
    async def act(stage: Stage, load: Load, times: int) -> None:
        assert isinstance(stage, pair.PairStage)
        await stage.strike(0, freeze=False)
        await stage.strike(1, freeze=True)

    scenario = Scenario("pair", act, 1, 180, level="debug", pair=True)
    await played(scenario, tmp_path, ServerStore(database_url))
