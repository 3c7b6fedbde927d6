"""Restores a backup again and again, killed one step later each time. Started by ``test_restore``.

A step is whatever opens, links, renames or removes a file in the folder of the database, as Python's audit events tell of it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Final

from core.engine.afresh import begin_afresh
from core.ledger.maintenance import check
from core.ledger.restore import restore
from tests.ledger.database_files import names
from tests.ledger.making import NOW

STEPS: Final = {"open", "os.link", "os.remove", "os.rename", "sqlite3.connect"}


def put_back(path: Path, source: Path) -> Path | None:
    return asyncio.run(restore(path, source, lambda ledger: begin_afresh(ledger, NOW, "skip"))).kept


def killed_at(step: int, path: Path, source: Path) -> bool:
    """Whether there are so many steps. The child is a copy of this process with nothing under way."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, given: tuple[Any, ...]) -> None:
            nonlocal left
            if event in STEPS and str(path.parent) in str(given[0]):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        put_back(path, source)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(folder: Path) -> None:
    """Say what was found after each kill: old or new."""
    step = 1
    while True:
        place = folder / f"place_{step}"
        shutil.copytree(folder / "place", place)
        path = place / "ledger.sqlite3"
        killed = killed_at(step, path, folder / "backup.sqlite3")
        assert check(path) == []
        found = names(path)
        print("old" if found == {"sch_old", "sch_last"} else "new" if found == {"sch_new"} else found)
        if not killed:
            break
        put_back(path, folder / "backup.sqlite3")
        assert names(path) == {"sch_new"}
        left = {entry.name for entry in place.iterdir()} - {path.name, f"{path.name}.lock", "schedule-zero.ballast"}
        assert all(".before-restore-" in name for name in left), left
        assert any(names(place / name) == {"sch_old", "sch_last"} for name in left)
        shutil.rmtree(place)
        step += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
