"""Random kills of children and of governors. The full storm: `python -m tests.processes.storm` (`--real`)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.processes.storm import Stage, storm

pytestmark = [pytest.mark.slow, pytest.mark.process]


async def test_after_random_kills_of_children_and_governors_the_configured_set_runs_once_each(tmp_path: Path) -> None:
    seed = Random().randrange(2**32)
    print(f"seed of the storm: {seed}")
    report = await storm(Stage(tmp_path), seed, children=12, governors=4)
    assert (report.children, report.governors) == (12, 4)
