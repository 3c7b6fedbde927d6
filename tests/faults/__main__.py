"""The fault suite: `python -m tests.faults [SCENARIO …] [--seed N] [--times N] …`.

Plays every scenario with the numbers of a full run, some beside each other, and prints seed, counts and verdict of
each. Exit code 1 when a promise was broken. A seed repeats what is asked and when it is struck, not the machine's own
timing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.faults.scenario import SCENARIOS, Report, Scenario, play
from tests.faults.store import ServerStore, on_a_server

COLUMNS = ("faults", "runs", "attempts", "lost_attempts", "effects", "events")


async def suite(asked: argparse.Namespace, chosen: Sequence[Scenario], folder: Path) -> list[Report]:
    """Play them, so many beside each other; each is told of as it ends. SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    lanes = asyncio.Semaphore(asked.beside)
    with contextlib.ExitStack() as leaving:
        needed = asked.store == "postgresql" or any(scenario.pair for scenario in chosen)
        server = leaving.enter_context(on_a_server(folder)) if needed else None

        async def one(scenario: Scenario) -> Report:
            async with lanes:
                place, times = folder / scenario.name, asked.times or scenario.full
                there = asked.store == "postgresql" or scenario.pair
                with server.one() if server is not None and there else contextlib.nullcontext() as name:
                    store = None if server is None or name is None else ServerStore(server.server.url(name))
                    report = await play(scenario, times, f"{asked.seed}/{scenario.name}", place, store)
                tell(report)
                if report.passed:
                    shutil.rmtree(place)
                return report

        return await asyncio.gather(*(one(scenario) for scenario in chosen))


def tell(report: Report) -> None:
    """One scenario, in a line, and a line for each promise that it broke."""
    figures = "  ".join(f"{name} {report.counts[name]}" for name in COLUMNS)
    verdict = "kept" if report.passed else "BROKEN"
    print(f"{report.name:<15} {verdict:<7} ×{report.times:<4} {report.seconds:6.1f} s  {figures}", flush=True)
    for note in report.notes:
        print(f"    {note}")
    for breach in report.breaches[:20]:
        print(f"    {breach.kind}: {breach.text}")
    if len(report.breaches) > 20:
        print(f"    and {len(report.breaches) - 20} more")


def main(arguments: Sequence[str]) -> int:
    """Read the command line; the exit code."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="The fault suite.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"all, or of {', '.join(known)}")
    parser.add_argument("--seed", type=int, default=Random().randrange(2**32))
    parser.add_argument("--times", type=int, help="how often, instead of each scenario's own number")
    parser.add_argument("--beside", type=int, default=3, help="scenarios at once (default: %(default)s)")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite", help="(default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="a folder for what is left of those that failed")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.scenarios) - known.keys():
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [known[name] for name in asked.scenarios] or list(SCENARIOS)
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="schedule-zero-faults-"))
    print(f"seed {asked.seed}", flush=True)
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        reports = asyncio.run(suite(asked, chosen, folder))
    except (asyncio.CancelledError, KeyboardInterrupt):
        print(f"stopped; what there is lies in {folder}")
        return 130
    broken = [report.name for report in reports if not report.passed]
    totals = {name: sum(report.counts[name] for report in reports) for name in COLUMNS}
    print(f"{len(reports)} scenarios in {time.monotonic() - began:.0f} s: ", end="")
    print(", ".join(f"{count} {name}" for name, count in totals.items()))
    if broken:
        print(f"broken: {', '.join(broken)}; what is left of them is in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
