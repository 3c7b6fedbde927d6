"""``schedule-zero up``, ``core`` or ``bot`` as a process of this checkout, in a folder."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from core.web.token import read_token
from schedule_zero.transport.http import HttpClient

ROOT = Path(__file__).resolve().parents[1]
ANY_PORT = {
    "SCHEDULE_ZERO__HTTP__BIND": "127.0.0.1:0",
    **{f"SCHEDULE_ZERO__ZMQ__{door}": "tcp://127.0.0.1:*" for door in ("HANDLERS", "CLIENTS", "EVENTS")},
}


class Process:
    """One process in a folder; ``up`` where nothing else is said."""

    def __init__(self, folder: Path, command: str = "up", *options: str, **environ: str) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("SCHEDULE_", "DISCORD_"))
        }
        environment |= {"PYTHONPATH": str(ROOT), **ANY_PORT, **environ}
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "core.cli", command, *options], cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.address = ""

    @property
    def out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def came_up(self) -> Process:
        """Wait until it says where it answers."""
        self.address = self._said("API").removesuffix("/api/v1")
        return self

    def handlers_at(self) -> str:
        """Where it says, after it came up, that handlers connect."""
        return self._said("handlers at")

    def clients_at(self) -> str:
        """Where it says, after it came up, that clients connect."""
        return self._said("clients at")

    def sign_in_link(self) -> str:
        """The link that it prints, after it came up, to sign in with."""
        return self._said("sign in")

    def playground(self) -> str:
        """Where it says, after it came up, that the playground is."""
        return self._said("playground")

    def client(self) -> HttpClient:
        return HttpClient(self.address, read_token(self.folder / "data"))

    def ended(self, number: int | None = None) -> tuple[int, str]:
        """Send a signal, if one is given; the exit code and what stands on standard error."""
        if number is not None:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err

    def clear_away(self) -> None:
        """Leave no process behind, whatever became of the test."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def _said(self, what: str) -> str:
        """The address that it prints after this word."""
        for line in self.out:
            match = re.match(rf"  {what} +(\w+://\S+)$", line)
            if match:
                return match[1]
        raise AssertionError(f"it said nothing of the {what}: {self.ended()}")


@contextlib.contextmanager
def running(folder: Path, **environ: str) -> Iterator[Process]:
    """A process that came up, and that nothing is left of afterwards."""
    process = Process(folder, **environ)
    try:
        yield process.came_up()
    finally:
        process.clear_away()
