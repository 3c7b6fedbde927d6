"""The service under a governor, by the command line: a folder with a configuration, and `schedule-zero processes` in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from core.processes.places import Places
from core.processes.record import read_record
from tests.ports import Port
from tests.up import ROOT

REPORTS = """
from schedule_zero import Handler, method

class Reports(Handler):
    @method()
    async def build(self, rows: int = 1) -> int:
        return rows
"""
HANDLERS = [{"module": "reports:Reports", "name": "reports", "count": 2}]
KEYS = ("http.bind", "zmq.handlers", "zmq.clients", "zmq.events")


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Deployment:
    """A folder, its configuration, and the commands for it."""

    def __init__(self, folder: Path, *, data_dir: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "schedule-zero.yaml"
        self.data = data_dir or folder / "data"
        self.places = Places(self.data)
        self._held = {key: Port() for key in KEYS}
        self.ports = {key: port.number for key, port in self._held.items()}
        (folder / "reports.py").write_text(REPORTS)
        self.environ: dict[str, str] = {}
        self._begun: list[subprocess.Popen[str]] = []
        self.write()

    def write(
        self, *, core: bool = True, bot: bool = False, handlers: Any = HANDLERS, limits: Mapping[str, Any] | None = None
    ) -> None:
        """Write the configuration."""
        bind, handlers_at, clients, events = (f"127.0.0.1:{self.ports[key]}" for key in KEYS)
        processes: dict[str, Any] = {"handlers": handlers, "limits": limits or {}}
        processes |= {name: {} for name, wanted in (("core", core), ("bot", bot)) if wanted}
        document = {
            "data_dir": str(self.data),
            "http": {"bind": bind},
            "zmq": {"handlers": f"tcp://{handlers_at}", "clients": f"tcp://{clients}", "events": f"tcp://{events}"},
            "processes": processes,
        }
        self.file.write_text(json.dumps(document))  # which is YAML, too

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Begin `schedule-zero processes …`."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("SCHEDULE_", "DISCORD_"))}
        process = subprocess.Popen(
            [sys.executable, "-m", "core.cli", "processes", *words], cwd=self.folder, text=True,
            env=kept | {"PYTHONPATH": str(ROOT)} | self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self._begun.append(process)
        return process

    def do(self, *words: str) -> Said:
        """The same, to its end."""
        return self.end(self.begin(*words))

    def end(self, process: subprocess.Popen[str]) -> Said:
        """What a command said that was begun."""
        out, err = process.communicate(timeout=100)
        return Said(process.returncode, out, err)

    def done(self, *words: str) -> str:
        """What a command printed that has to succeed."""
        said = self.do(*words)
        assert said.code == 0, (said, self.log())
        return said.out

    def status(self) -> Any:
        """`status --json`."""
        return json.loads(self.done("status", "--json"))

    def pids(self) -> dict[str, int]:
        """The processes of all children, by name."""
        return {child["name"]: child["pid"] for child in self.status()["children"]}

    def log(self) -> str:
        """What everybody printed, for the sentence of a failure."""
        return "\n".join(f"{file.name}: {file.read_text()[-2000:]}" for file in self.places.folder.glob("*.log"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no process behind, whatever became of the test."""
        record = read_record(self.places.record)
        for identity in [record.governor, *(each.identity for each in record.children)] if record else []:
            identity.signal(signal.SIGKILL)
            if identity != (record and record.governor):
                identity.kill_group()
        for process in self._begun:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for port in self._held.values():
            port.close()
