"""What handlers did, by their own account: a file per process, written and flushed before and after each call.

The core knows nothing of these files. A line that a kill cut short is left out: nothing was done that it tells of.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Literal, Self

import msgspec

FOLDER = "FAULTS_EFFECTS"
"""The variable that names the folder of these files."""

What = Literal["begun", "done", "raised", "cancelled"]


class Effect(msgspec.Struct, frozen=True):
    """One line. ``process``: a name no other process has; ``at``: wall microseconds; ``monotonic``: seconds."""

    what: What
    run_id: str
    attempt: int
    method: str
    process: str
    at: int
    monotonic: float


_decoder = msgspec.json.Decoder(Effect)


class Journal:
    """This process's file."""

    def __init__(self, folder: Path) -> None:
        self.process = f"{os.getpid()}-{secrets.token_hex(4)}"
        path = folder / f"{self.process}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def write(self, what: What, run_id: str, attempt: int, method: str) -> None:
        """Note it, and see it on disk."""
        now = time.time_ns() // 1000
        effect = Effect(what, run_id, attempt, method, self.process, now, time.monotonic())
        os.write(self._file, msgspec.json.encode(effect) + b"\n")
        os.fdatasync(self._file)


def own_journal() -> Journal:
    """The journal of a handler process, in the folder that its environment names."""
    return Journal(Path(os.environ[FOLDER]))


class Effects:
    """All of these files, read as they grow.

    Attributes:
        folder: where they are.
        all: what was done, as it was found: in order within a process, and nearly so between them.
        by_run: the same by run.
        under_way: attempts that a process, by its id, has begun and not ended.
        begun: how many attempts a process has begun.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.all: list[Effect] = []
        self.by_run: dict[str, list[Effect]] = defaultdict(list)
        self.under_way: dict[int, set[tuple[str, int]]] = defaultdict(set)
        self.begun: Counter[int] = Counter()
        self._read: Counter[Path] = Counter()

    def look(self) -> Self:
        """Read what is new."""
        for path in self.folder.iterdir():
            if path.stat().st_size > self._read[path]:
                with path.open("rb") as file:
                    file.seek(self._read[path])
                    whole, end, _ = file.read().rpartition(b"\n")
                self._read[path] += len(whole) + len(end)
                for effect in _decoder.decode_lines(whole):
                    self._note(effect)
        return self

    def _note(self, effect: Effect) -> None:
        pid, pair = int(effect.process.partition("-")[0]), (effect.run_id, effect.attempt)
        self.all.append(effect)
        self.by_run[effect.run_id].append(effect)
        if effect.what == "begun":
            self.begun[pid] += 1
            self.under_way[pid].add(pair)
        else:
            self.under_way[pid].discard(pair)
