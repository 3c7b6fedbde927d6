"""``--reload``: a handler under development starts anew when a file of its author's changes. By looking, twice a second:
that works on every disk, mounted ones too."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

LOOK_S: Final = 0.5
MOST_FILES: Final = 5000
_NOT_OURS: Final = ("site-packages", "node_modules", "__pycache__")


class Reloading:
    """Watches the files of one folder: modules that were imported from it; and every file while nothing runs, for what
    could not be imported is not among the modules.

    Attributes:
        changed: the file that changed, once one has.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._seen: dict[str, tuple[int, int]] = {}
        self.changed = ""
        self._look(self._every_file())

    async def watch(self) -> str:
        """Until a file changes whose module is in use; its name."""
        while not self._look(self._imported()):  # noqa: ASYNC110 - files tell nobody that they change
            await asyncio.sleep(LOOK_S)
        return self.changed

    def wait(self) -> str:
        """Until any file changes; its name. Blocks."""
        while not self._look(self._every_file()):
            time.sleep(LOOK_S)
        return self.changed

    def start_anew(self) -> NoReturn:
        """The same program with the same arguments, in this process's place. Whatever still runs here is over."""
        os.chdir(self._folder)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - it is this very program

    def _look(self, paths: Iterator[Path]) -> bool:
        """Whether one of these is not what it was. A file seen for the first time is as it should be."""
        for path in paths:
            try:
                stat = path.stat()
                now = (stat.st_mtime_ns, stat.st_size)
            except OSError:
                now = (0, 0)
            if self._seen.setdefault(str(path), now) != now:
                self.changed = str(path.relative_to(self._folder))
                return True
        return False

    def _imported(self) -> Iterator[Path]:
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if file is not None and self._is_ours(path := Path(file).resolve()):
                yield path

    def _every_file(self) -> Iterator[Path]:
        found = 0
        for place, folders, names in os.walk(self._folder):
            folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_OURS]
            for name in names:
                if name.endswith(".py"):
                    yield Path(place, name)
                    found += 1
            if found > MOST_FILES:
                return

    def _is_ours(self, path: Path) -> bool:
        if not path.is_relative_to(self._folder):
            return False
        parts = path.relative_to(self._folder).parts
        return not any(part in _NOT_OURS or part.startswith(".") for part in parts)
