"""Governors in the test's own loop over children that do as they are told; and deployments of the service itself."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.processes.deployment import Deployment
from tests.processes.household import Household


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployments of this test know no others."""
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.fixture
async def household(tmp_path: Path) -> AsyncIterator[Household]:
    """A place for one governor after another; nothing is left of it."""
    house = Household(tmp_path)
    yield house
    await house.clear_away()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A configuration and the command line for it; nothing is left of it."""
    with Deployment(tmp_path / "one") as one:
        yield one
