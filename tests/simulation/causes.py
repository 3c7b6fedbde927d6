"""The table of `docs/guarantees.md` that says what becomes of a run, by how its attempts end, and how it is played.

Every cell is a schedule of one simulated core. A handler that knows no other work lets the first attempts of each end as
its row says, and the later ones succeed; meanwhile the core is killed once for each attempt that is to go down with it.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from core.app import App
from core.engine.ports import Answer, AnswerKind, AnswerSink, HandlerLink, Instance, Order, Pace
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from schedule_zero.handler import MethodInfo
from schedule_zero.ids import IdMaker
from schedule_zero.instant import SECOND, spell
from schedule_zero.run import Cause
from tests.simulation.day import clock_of_life, quiet, run_life
from tests.simulation.disk import Disk, simulated_ledger
from tests.simulation.virtual import VirtualLoop

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "guarantees.md"
TIMES: Final = 4
LIFE_S: Final = 300.0
KILLED: Final = "our process is killed"
_HEAD: Final = "| how its attempts end |"
_CELL: Final = re.compile(r"(?P<state>[a-z ]+) (?P<attempts>\d+)(?P<counts> •)?")
_RETRY: Final = {"backoff": "fixed", "initial": "PT1S", "jitter": 0}
_OTHER: Final = "SomethingElse"
_POLICIES: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "by default": lambda word: {},
    "`max_attempts: 1`": lambda word: {"retry": {"max_attempts": 1}},
    "`retry_on` it": lambda word: {"retry": {"retry_on": [word]}},
    "`retry_on` other": lambda word: {"retry": {"retry_on": [_OTHER]}},
    "`never_on` it": lambda word: {"retry": {"never_on": [word]}},
    "both": lambda word: {"retry": {"retry_on": [word], "never_on": [_OTHER, word]}},
    "no time left": lambda word: {"catchup_window": "PT0.5S"},
}


class Cell(msgspec.Struct, frozen=True):
    """One case: what is done, and what the page says becomes of it."""

    cause: str
    word: str
    delivery: str
    policy: str
    state: str
    attempts: int
    counts: bool

    @property
    def name(self) -> str:
        return f"{self.cause} · {self.delivery} · {self.policy}"

    def spec(self, start: int) -> dict[str, Any]:
        """The schedule that plays it, due at ``start`` and not again."""
        policy = _POLICIES[self.policy](self.word)
        return {
            "handler": "script", "method": "work", "args": {"cause": self.cause}, "name": self.name[:100],
            "trigger": {"type": "interval", "every": "P300D", "start": spell(start)},
            "policy": {
                "catchup_window": None, "failure_threshold": 1, "timeout": "PT5S" if "too long" in self.cause else "PT20H",
                "delivery": self.delivery.replace(" ", "_"), **policy, "retry": {**_RETRY, **policy.get("retry", {})},
            },
        }  # fmt: skip


class Told(msgspec.Struct, frozen=True):
    """What became of it: the run, its attempts, the schedule's count, whether it was blocked, and how often that was told."""

    state: str
    attempts: int
    failures: int
    blocked: bool
    told: int
    dead: bool
    outcomes: tuple[str, ...]


def table() -> list[Cell]:
    """Every cell of the page."""
    lines = PAGE.read_text("utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(_HEAD))
    head = _row(lines[first])
    assert head[3:] == list(_POLICIES)
    return [cell for line in _rows(lines[first + 2 :]) for cell in _cells(head, _row(line))]


def _rows(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield line


def _row(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _cells(head: Sequence[str], row: Sequence[str]) -> Iterator[Cell]:
    cause, word, delivery, *cells = row
    for policy, text in zip(head[3:], cells, strict=True):
        read = _CELL.fullmatch(text)
        assert read is not None, f"{cause}: {text!r} is no cell"
        yield Cell(
            cause, word.strip("`"), delivery, policy, read["state"].replace(" ", "_"), int(read["attempts"]),
            read["counts"] is not None,
        )  # fmt: skip


class Script(HandlerLink):
    """A handler that ends attempts as their arguments say. It lives in the core's process, and dies with it."""

    def __init__(self, sink: AnswerSink, home: str, cancel: Callable[[str], Awaitable[Any]]) -> None:
        work = MethodInfo(name="work", doc="", timeout=None, at_most_once=False, schema={})
        self.instance = Instance(name=f"script@{home}", handler="script", methods={"work": work}, credit=4096)
        self._sink = sink
        self._cancel = cancel
        self._alive: dict[tuple[str, int], asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._begin(self._beat())

    def send(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self._alive[order.run_id, order.attempt] = asyncio.Event()
            self._begin(self._work(order))

    def cancel(self, run_id: str, attempt: int) -> None:
        if (run_id, attempt) in self._alive:
            self._alive[run_id, attempt].set()

    def acknowledge(self, answered: Sequence[tuple[str, int]]) -> None:
        """Nothing is said twice here."""

    def drain(self) -> None:
        """It is never told to leave."""

    async def close(self, grace_s: float) -> None:
        for task in self._tasks:
            task.cancel()

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(2.0)
            self._sink.beat(self.instance.name, list(self._alive))

    async def _work(self, order: Order) -> None:
        pair = (order.run_id, order.attempt)
        await asyncio.sleep(1.0)
        cause = msgspec.json.decode(order.args)["cause"]
        if order.attempt > TIMES:
            self._say(order, "succeeded", value="null")
        else:
            await ENDS[cause](self, order)
        if cause != "too long, and it will not stop":
            self._alive.pop(pair, None)

    def _say(self, order: Order, kind: AnswerKind, **fields: Any) -> None:
        answer = Answer(run_id=order.run_id, attempt=order.attempt, instance=order.instance, kind=kind, **fields)
        self._sink.answer([answer])

    # how attempts end

    async def reject(self, order: Order) -> None:
        self._say(order, "failed", cause=Cause.LASTING, error="no_rights: may not do it")

    async def misfit(self, order: Order) -> None:
        self._say(order, "failed", cause=Cause.LASTING, error="bad_arguments", begun=False)

    async def fail(self, order: Order) -> None:
        self._say(order, "failed", cause=Cause.PASSING, error="nobody there")

    async def raise_(self, order: Order) -> None:
        self._say(order, "failed", cause=Cause.UNKNOWN, error="ValueError: no such day")

    async def obey(self, order: Order) -> None:
        await self._alive[order.run_id, order.attempt].wait()
        self._say(order, "cancelled")

    async def vanish(self, order: Order) -> None:
        del self._alive[order.run_id, order.attempt]

    async def answer_late(self, order: Order) -> None:
        del self._alive[order.run_id, order.attempt]
        await asyncio.sleep(6.5)
        self._say(order, "succeeded", value="null")

    async def work_on(self, order: Order) -> None:
        await asyncio.Event().wait()

    async def hand_back(self, order: Order) -> None:
        self._say(order, "cancelled")

    async def turn_away(self, order: Order) -> None:
        self._say(order, "failed", cause=Cause.PASSING, error="draining", retry_after_s=1.0, begun=False)

    async def ask_for_later(self, order: Order) -> None:
        self._say(order, "failed", cause=Cause.PASSING, error="come back later", retry_after_s=1.0)

    async def not_know(self, order: Order) -> None:
        self._say(order, "failed", cause=Cause.LASTING, error="unknown: nobody can tell")

    async def be_cancelled(self, order: Order) -> None:
        await self._cancel(order.run_id)
        await self.obey(order)


ENDS: Final[dict[str, Callable[[Script, Order], Awaitable[None]]]] = {
    "a rejection, `no_rights: …`": Script.reject,
    "turned away: `bad_arguments`": Script.misfit,
    "a passing cause": Script.fail,
    "an exception, `ValueError: …`": Script.raise_,
    "too long, and it stops": Script.obey,
    "too long, and it will not stop": Script.work_on,
    "its lease runs out": Script.vanish,
    "the same, and it answers later": Script.answer_late,
    KILLED: Script.work_on,
    "its handler is stopped": Script.hand_back,
    "turned away: `draining`": Script.turn_away,
    "`RetryAfter`": Script.ask_for_later,
    "its fate is unknown": Script.not_know,
    "somebody cancels the run": Script.be_cancelled,
}


def play(cells: Sequence[Cell]) -> list[Told]:
    """Play them all at once, and tell what became of each."""
    disk = Disk(random.Random(0))
    disk.calm = True
    ids: list[str] = []
    now = 0.0
    with quiet() as loops:
        for life in range(TIMES + 1):
            loop = VirtualLoop(now)
            loops.append(loop)
            if life < TIMES:
                loop.call_at(now + LIFE_S, loop.freeze)
            run_life(loop, 0, _core(disk, cells, ids, now + LIFE_S, life))
            now = loop.time() + 1.0
    told = [_told(disk, id) for id in ids]
    disk.rows.close()
    return told


async def _core(disk: Disk, cells: Sequence[Cell], ids: list[str], until: float, life: int) -> None:
    """One life of the core; all but the last are cut off."""
    clock = clock_of_life()
    app = App(
        store=StoreSettings(url="memory"), data_dir=Path("unused"), governor=GovernorSettings(default_plan="trusted"),
        clock=clock, pace=Pace(longest_sleep_s=900.0, dispatch_s=900.0, janitor_s=300.0), ledger=simulated_ledger(disk),
        ids=IdMaker(random.Random(life).randbytes),
    )  # fmt: skip
    async with app.running():
        link = Script(app.engine, app.engine.incarnation, app.client.cancel_run)
        app.engine.fleet.join(link.instance, link)
        app.engine.fleet_changed()
        if not ids:
            start = clock.now() + 5 * SECOND
            made = await app.client.create_schedules([cell.spec(start) for cell in cells])
            ids += [item.schedule.id for item in made.items if item.schedule is not None]
            assert len(ids) == len(cells), [item.problem for item in made.items if item.problem is not None]
        stop = asyncio.get_running_loop().call_at(until, app.stop_requested.set)
        try:
            await app.wait()
        finally:
            stop.cancel()


def _told(disk: Disk, id: str) -> Told:
    (run,) = disk.rows.ask(f"SELECT * FROM runs WHERE schedule_id = '{id}'")
    (standing,) = disk.rows.ask(f"SELECT * FROM standings WHERE id = '{id}'")
    tries = disk.rows.ask(f"SELECT * FROM attempts WHERE run_id = '{run['id']}' ORDER BY attempt")
    blocked = disk.rows.ask(f"SELECT * FROM journal WHERE kind = 'schedule.blocked' AND schedule_id = '{id}'")
    dead = disk.rows.ask(f"SELECT * FROM dead WHERE run_id = '{run['id']}' AND schedule_id = '{id}'")
    return Told(
        state=run["state"], attempts=len(tries), failures=standing["failures"], blocked=standing["state"] == "blocked",
        told=len(blocked), dead=bool(dead), outcomes=tuple(each["outcome"] for each in tries),
    )  # fmt: skip
