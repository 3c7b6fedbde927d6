"""A governor in the test's own loop, its children, and the moment after it was killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from core.log_settings import RotateSettings
from core.processes.governor import ProcessGovernor
from core.processes.keeper import Limits
from core.processes.places import Places
from core.processes.port import ChildStatus
from core.processes.restarts import Patience
from core.processes.running import ChildSpec, Kind, RunningProcess
from core.processes.settings import HandlerProcess

CHILD = Path(__file__).with_name("child.py")
PATIENCE_S = 40.0


def limits(
    *, first_word_s: float = 30.0, silent_s: float = 30.0, stop_s: float = 30.0, crashes: int = 1000,
    within_s: float = 60.0, pause_s: float = 0.01,
) -> Limits:  # fmt: skip
    """Limits that no busy machine meets, unless a test asks for others."""
    patience = Patience(crashes=crashes, within_s=within_s, pause_s=pause_s, longest_pause_s=0.05)
    return Limits(first_word_s=first_word_s, silent_s=silent_s, stop_s=stop_s, patience=patience)


def child(name: str, *words: str, kind: Kind = "handler") -> ChildSpec:
    """A child that does as it is told; a handler's pool is its name up to the last dash."""
    handler = HandlerProcess(module="a:A", name=name.rpartition("-")[0] or name) if kind == "handler" else None
    command = (sys.executable, "-S", str(CHILD), name, *words)
    return ChildSpec(name=name, kind=kind, command=command, handler=handler)


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody collected does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def until(holds: Callable[[], Any]) -> None:
    """Until something is so that no event tells of."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


class Household:
    """One data folder, and the governors that come and go in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places = Places(folder / "data")
        self.governor: ProcessGovernor
        self._all: list[ProcessGovernor] = []
        self._orphans: list[subprocess.Popen[bytes] | None] = []

    def make(self, *specs: ChildSpec, rules: Limits | None = None, added: Sequence[ChildSpec] = ()) -> ProcessGovernor:
        """Make a governor; `added` is what any handler that is added consists of."""
        self.places.make()
        self.governor = ProcessGovernor(
            specs, self.places, rules or limits(), deployment="test", output=RotateSettings(), specs_of=lambda _: added
        )
        self._all.append(self.governor)
        return self.governor

    async def start(
        self, *specs: ChildSpec, rules: Limits | None = None, added: Sequence[ChildSpec] = ()
    ) -> ProcessGovernor:
        """Make a governor, and start it."""
        governor = self.make(*specs, rules=rules, added=added)
        await governor.start()
        return governor

    async def started(self, *specs: ChildSpec, rules: Limits | None = None) -> ProcessGovernor:
        """Start a governor, and wait until everything is ready."""
        governor = await self.start(*specs, rules=rules)
        health = await governor.ready(PATIENCE_S)
        assert health.healthy, health
        return governor

    async def die(self) -> None:
        """What `kill -9` does to the governor, as far as its children can tell: it does nothing any more."""
        governor = self.governor
        governor._notices.close()
        governor._is_noted = False
        tasks = [governor._turning, *(keeper._keeping for keeper in governor._keepers.values())]
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)
        for keeper in governor._keepers.values():
            if keeper.running is not None:
                assert isinstance(keeper.running, RunningProcess)
                keeper.running.ended.cancel()
                self._orphans.append(keeper.running._popen)
                keeper.running = None

    def of(self, name: str) -> ChildStatus:
        """How a child is going."""
        return next(each for each in self.governor.status().children if each.name == name)

    def pid(self, name: str) -> int:
        """The process of a child."""
        found = self.of(name).pid
        assert found is not None
        return found

    def kill(self, name: str) -> int:
        """`kill -9` a child; its process."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def back(self, name: str, before: int) -> None:
        """Until a child is ready in another process than before."""
        await until(lambda: self.of(name).ready and self.of(name).pid not in (None, before))

    async def clear_away(self) -> None:
        """Leave no process behind, whatever became of the test."""
        for governor in self._all:
            governor.hurry()
            await governor.stop()
        for process in psutil.process_iter(["cmdline"]):
            with contextlib.suppress(psutil.Error):
                if (
                    str(self.folder) in " ".join(process.info["cmdline"] or ())
                    and str(CHILD) in process.info["cmdline"]
                ):
                    process.kill()
        for orphan in filter(None, self._orphans):
            await asyncio.to_thread(orphan.wait, PATIENCE_S)
