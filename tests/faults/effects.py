"""What handlers did, by their own account: a file per process, written and flushed before and after each call.

The core knows nothing of these files. A line that a kill cut short is left out: nothing was done that it tells of.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import Literal

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


def read_effects(folder: Path, process: str = "*") -> list[Effect]:
    """What all of them did, or those whose name fits, in the order of the wall clock."""
    found: list[Effect] = []
    for path in sorted(folder.glob(f"{process}.jsonl")):
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        found += _decoder.decode_lines(whole)
    return sorted(found, key=lambda effect: effect.at)
