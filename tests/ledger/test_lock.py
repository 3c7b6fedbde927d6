"""The lock on a database follows no link that somebody else laid in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.ledger.lock import FileLock
from core.ledger.port import StoreError


def test_a_link_in_the_place_of_the_lock_is_refused_and_what_it_points_to_is_not_written(tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_text("kept")
    (tmp_path / "store.sqlite3.lock").symlink_to(treasure)
    with pytest.raises(StoreError, match="cannot be written"):
        FileLock(tmp_path / "store.sqlite3").take()
    assert treasure.read_text() == "kept"
