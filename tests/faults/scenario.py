"""Scenarios: which fault, how often, on what stage; and how one is played and judged."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import msgspec

from schedule_zero.event import EventKind
from tests.faults import acts, bots, pair, windows
from tests.faults.judge import Breach, Evidence, Kind, judge
from tests.faults.left import Left, Told
from tests.faults.load import Load
from tests.faults.load import now as wall
from tests.faults.stage import Stage
from tests.faults.store import Store

WARM = 20
"""Runs that have succeeded before anything is done to the stage."""
SETTLED_S = 60.0
"""Seconds in which all must be over, after the last fault was healed and the load stopped."""

THREADS = 64

Act = Callable[[Stage, Load, int], Awaitable[None]]


class Scenario(msgspec.Struct, frozen=True):
    """One row of the table.

    Attributes:
        full: how often, in a full run.
        each_s: seconds one time may take at most.
        proxied: whether the handlers connect through a proxy each.
        keyed: whether they need a key each.
        level: of the core's log.
        pair: two cores on one database of a server.
    """

    name: str
    act: Act
    full: int
    each_s: float
    proxied: bool = False
    keyed: bool = False
    level: str = "info"
    pair: bool = False


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("kill-core", acts.kill_core, 40, 15),
    Scenario("windows", windows.kill_in_windows, 5, 120, proxied=True, level="debug"),
    Scenario("kill-handler", acts.kill_hands, 60, 15),
    Scenario("kill-bot", bots.kill_bot, 20, 30),
    Scenario("freeze-core", acts.freeze_core, 20, 20),
    Scenario("freeze-handler", acts.freeze_hands, 20, 20),
    Scenario("cut-5", acts.cut_5, 6, 30, proxied=True),
    Scenario("cut-30", acts.cut_30, 3, 60, proxied=True),
    Scenario("cut-120", acts.cut_120, 1, 180, proxied=True),
    Scenario("twins", acts.twins, 4, 60),
    Scenario("revoke", acts.revoke, 6, 30, keyed=True),
    Scenario("noise", acts.noise, 10, 60),
    Scenario("reconnect", acts.reconnect, 500, 1),
    Scenario("kill-one", pair.kill_one, 20, 60, level="debug", pair=True),
    Scenario("freeze-one", pair.freeze_one, 20, 60, level="debug", pair=True),
)


class Report(msgspec.Struct):
    """What became of a scenario."""

    name: str
    times: int
    seed: str
    seconds: float = 0.0
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    breaches: list[Breach] = []
    notes: list[str] = []

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return not self.breaches


async def play(scenario: Scenario, times: int, seed: str, folder: Path, store: Store | None = None) -> Report:
    """Set the stage, do it so often, let it settle, end everything, and judge. Never raises what the fault caused.

    Args:
        store: where the ledger is kept; None: a SQLite file in the folder.
    """
    report = Report(scenario.name, times, seed)
    # Requests to a core that is frozen occupy a thread each, and must not keep others waiting.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    began = time.monotonic()
    stage = _stage_of(scenario, Random(seed), folder, store)
    async with stage:
        try:
            async with asyncio.timeout(60 + times * scenario.each_s + 2 * SETTLED_S):
                await _perform(scenario, times, stage, report)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what has to be reported
            last = stage.core.last_words() if hasattr(stage, "core") else ""
            report.breaches.append(Breach(Kind.OTHER, f"{type(error).__name__}: {error}; of the core {last}"))
        report.breaches += [Breach(Kind.OTHER, text) for text in stage.wrong]
        report.notes = stage.notes
    report.seconds = time.monotonic() - began
    return report


def _stage_of(scenario: Scenario, random: Random, folder: Path, store: Store | None) -> Stage:
    if scenario.pair:
        assert store is not None, "two cores need a database on a server"
        return pair.PairStage(folder, random, store=store, level=scenario.level)
    return Stage(folder, random, store=store, proxied=scenario.proxied, keyed=scenario.keyed, level=scenario.level)


async def _perform(scenario: Scenario, times: int, stage: Stage, report: Report) -> None:
    await stage.open()
    follower = stage.follower
    for _ in range(2):
        await stage.add_hands()
    connected, succeeded = EventKind.HANDLER_CONNECTED, EventKind.RUN_SUCCEEDED
    await follower.until(lambda: follower.count(connected) >= 2, SETTLED_S, "both handlers are there")
    load = Load(stage.client, follower, stage.random)
    try:
        await load.begin()
        await follower.until(lambda: follower.count(succeeded) >= WARM, SETTLED_S, "the load is under way")
        await scenario.act(stage, load, times)
        await load.stop()
    finally:
        await load.close()
    ids, last = load.asked.promises().keys(), max(one.until for one in load.asked.series)
    await follower.until(
        lambda: wall() > last and ids <= follower.completed and not follower.under_way, SETTLED_S, "all is over"
    )
    await stage.end()
    await _judge(stage, load, report)


async def _judge(stage: Stage, load: Load, report: Report) -> None:
    effects = stage.effects.look().all
    left = await asyncio.to_thread(stage.store.left, stage.folder / "copy")
    told = [Told(event.seq, event.kind, event.run_id) for event in stage.follower.events]
    report.breaches += judge(Evidence(load.asked, effects, left, told, stage.episodes))
    report.counts = counts_of(left, len(effects), len(stage.episodes))


def counts_of(left: Left, effects: int, episodes: int) -> Counter[str]:
    """The figures of a report."""
    counts = Counter(run.state for run in left.runs)
    lost = sum(attempt.outcome == "lost" for attempt in left.attempts)
    late = sum((attempt.outcome or "").startswith("late") for attempt in left.attempts)
    return counts + Counter(
        runs=len(left.runs), attempts=len(left.attempts), lost_attempts=lost, late=late, effects=effects, events=len(left.told),
        faults=episodes,
    )  # fmt: skip
