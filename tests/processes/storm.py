"""`python -m tests.processes.storm [--children 50] [--governors 10] [--seed N] [--real]`: random `kill -9` of children and
of the governor itself; afterwards the configured set runs once each, and nothing else is left.

``--real``: the service itself, core and handlers; else small children that start at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import msgspec
import psutil  # type: ignore[import-untyped]

from core.log_settings import RotateSettings
from core.processes.control import Remote
from core.processes.deployments import Claim
from core.processes.foreground import Built, govern
from core.processes.governor import ProcessGovernor
from core.processes.places import Places, control_in
from core.processes.port import GovernorStatus, ProcessError
from core.processes.record import Record, read_record
from tests.processes.deployment import Deployment
from tests.processes.household import CHILD, child, lives
from tests.processes.household import limits as small_limits
from tests.up import ROOT

PATIENCE_S = 60.0
SMALL = ("core", "reports-1", "reports-2", "backup-1")
_TURN_S = 0.01


class Report(msgspec.Struct):
    """What was done, and how long each child that was killed took until another was ready (seconds)."""

    seed: int
    children: int = 0
    governors: int = 0
    recovered_s: list[float] = []

    def __str__(self) -> str:
        middle = statistics.median(self.recovered_s) if self.recovered_s else 0.0
        return (
            f"seed {self.seed}: {self.children} children and {self.governors} governors killed; a child is ready again after "
            f"{middle:.2f} s (median), {max(self.recovered_s, default=0.0):.2f} s (longest)"
        )


class Stage:
    """Where the storm blows: how a governor is started there, and who belongs to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places = Places(folder / "data")
        self._governors: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start a governor; it need not be up yet."""
        kept = os.environ | {"PYTHONPATH": str(ROOT)}
        governor = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.storm", "--be-governor", str(self.folder)], env=kept,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._governors.append(governor)

    def stop(self) -> None:
        """End everything in order."""
        record = read_record(self.places.record)
        assert record is not None
        remote(record).stop(PATIENCE_S)

    def collect(self) -> None:
        """Wait for the governors that were started here; they have ended."""
        for governor in self._governors:
            governor.wait(PATIENCE_S)

    def belongs(self, command: Sequence[str]) -> bool:
        """Whether a process is a child of this place."""
        return str(CHILD) in command and str(self.folder) in command


class RealStage(Stage):
    """The service itself."""

    def __init__(self, folder: Path) -> None:
        self._deployment = Deployment(folder)
        self._deployment.write(limits={"crashes": 1000})
        super().__init__(folder)

    def start(self) -> None:
        """By the command line."""
        self._deployment.done("start")

    def stop(self) -> None:
        """By the command line."""
        self._deployment.done("stop")

    def belongs(self, command: Sequence[str]) -> bool:
        """The core and the handlers of this deployment; the governor is none of them."""
        words = list(command)
        here = str(self._deployment.file) in words or any(
            str(self._deployment.ports["zmq.handlers"]) in w for w in words
        )
        return here and "processes" not in words


async def storm(stage: Stage, seed: int, children: int, governors: int) -> Report:
    """Blow, and see what stands afterwards; nothing is left running.

    Raises:
        AssertionError: something runs twice, or not at all, or was left.
    """
    try:
        return await _storm(stage, seed, children, governors)
    finally:
        if (record := read_record(stage.places.record)) is not None:
            record.governor.signal(signal.SIGKILL)
        for pid in running(stage):
            os.kill(pid, signal.SIGKILL)
        stage.collect()


async def _storm(stage: Stage, seed: int, children: int, governors: int) -> Report:
    random, report = Random(seed), Report(seed)
    stage.start()
    names = [each.name for each in (await settled(stage)).children]
    blows = ["child"] * children + ["governor"] * governors
    random.shuffle(blows)
    seen: set[int] = set()
    for blow in blows:
        status = await settled(stage) if random.random() < 0.5 else await answering(stage)
        seen |= {each.pid for each in status.children if each.pid}
        if blow == "governor":
            assert status.pid is not None
            os.kill(status.pid, signal.SIGKILL)
            report.governors += 1
            stage.start()
        else:
            await kill_one(stage, random.choice(names), report)
    status = await settled(stage)
    assert [each.name for each in status.children] == names
    assert sorted(running(stage)) == sorted(each.pid for each in status.children if each.pid)
    await asyncio.to_thread(stage.stop)
    await until(lambda: not running(stage))
    assert not stage.places.record.exists()
    assert not any(lives(pid) for pid in seen & set(running(stage)))
    return report


async def kill_one(stage: Stage, name: str, report: Report) -> None:
    """`kill -9` a child as soon as it runs, and measure, where it was ready, until it is again."""
    while True:
        found = next(each for each in (await answering(stage)).children if each.name == name)
        if found.pid is not None:
            break
        await asyncio.sleep(_TURN_S)
    try:
        os.kill(found.pid, signal.SIGKILL)
    except ProcessLookupError:  # it went with the blow before
        return
    report.children += 1
    if not found.ready:
        return
    began = time.monotonic()
    while True:
        again = next(each for each in (await answering(stage)).children if each.name == name)
        if again.ready and again.pid != found.pid:
            report.recovered_s.append(time.monotonic() - began)
            return
        assert time.monotonic() - began < PATIENCE_S, again
        await asyncio.sleep(_TURN_S)


def remote(record: Record) -> Remote:
    """The way to the governor of a record."""
    return Remote(control_in(Path(record.sockets)))


async def answering(stage: Stage) -> GovernorStatus:
    """The status, from whichever governor answers."""
    end = time.monotonic() + PATIENCE_S
    while True:
        record = read_record(stage.places.record)
        if record is not None and record.governor.is_alive():
            try:
                return await asyncio.to_thread(remote(record).status)
            except (OSError, ProcessError):  # it is just coming up, or going
                pass
        assert time.monotonic() < end, f"no governor answers in {stage.folder}"
        await asyncio.sleep(_TURN_S)


async def settled(stage: Stage) -> GovernorStatus:
    """The status once every child is ready."""
    end = time.monotonic() + PATIENCE_S
    while True:
        status = await answering(stage)
        if all(each.ready for each in status.children):
            return status
        assert time.monotonic() < end, status
        await asyncio.sleep(_TURN_S)


async def until(holds: Callable[[], bool]) -> None:
    """Until something is so that nothing tells of."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(_TURN_S)


def running(stage: Stage) -> list[int]:
    """Every process of the place, as the system sees it; of those that are just being started only the last form."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and stage.belongs(command) and command[0] != "/bin/sh":
            found.append(process.pid)
    return found


async def be_governor(folder: Path) -> None:
    """A governor's own process, over small children."""
    places = Places(folder / "data")
    specs = [child(name, "say", str(folder), "ready", kind="core" if name == "core" else "handler") for name in SMALL]

    def build() -> Built:
        governor = ProcessGovernor(
            specs, places, small_limits(), deployment="storm", output=RotateSettings(), specs_of=lambda _: ()
        )
        return Built(governor, governor.sockets, governor.hurry)

    await govern(build, places, Claim(deployment="storm", data_dir=str(places.data_dir), addresses={}))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.processes.storm")
    parser.add_argument("--children", type=int, default=50)
    parser.add_argument("--governors", type=int, default=10)
    parser.add_argument("--seed", type=int, default=Random().randrange(2**32))
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--be-governor", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.be_governor is not None:
        asyncio.run(be_governor(asked.be_governor))
        return
    print(f"seed {asked.seed}")
    with tempfile.TemporaryDirectory() as folder:
        stage = (RealStage if asked.real else Stage)(Path(folder))
        print(asyncio.run(storm(stage, asked.seed, asked.children, asked.governors)))


if __name__ == "__main__":
    main()
