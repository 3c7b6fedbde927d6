"""A floor of slots under a simulated clock: the least of an engine that the fair queue and the governor need.

Beside the governor stands the model, which is asked the same. What may never happen is looked for wherever it could.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.governor.fairness import FairQueue, Waiting
from core.governor.governor import Governor
from core.governor.guard import BREAKER, Guard
from core.governor.limits import Scope
from core.governor.own_scopes import OwnScope
from core.governor.settings import GovernorSettings
from core.governor.verdict import Admit, Wait
from tests.governor.model import ACTIVE_S, Model, Start, are_limited, scopes_of

CREDIT = 3
SHARE = 0.8


@dataclass
class Running:
    """A run that was started. ``committed``: a restart finds it. ``taken_at``: None where a restart found it."""

    entry: Waiting
    start: Start
    taken_at: float | None
    committed: bool = False


def handler_of(process: str) -> str:
    """The handler a process serves: ``web@a``."""
    return process.partition("@")[0]


class Floor:
    """Queue, governor and handlers that come and go, with the bookkeeping that checks them.

    Attributes:
        handlers: the processes of each handler that are there.
        started: told of each start, and ``undone`` of each that did not happen after all.
    """

    def __init__(self, settings: GovernorSettings) -> None:
        self.settings = settings
        self.now = 1000.0
        self.handlers: dict[str, list[str]] = {}
        self.waiting: dict[str, Waiting] = {}
        self.running: dict[str, Running] = {}
        self.last_work: dict[str | None, float] = {}
        self.stored: dict[str, float] = {}
        self.started: Callable[[Start], None] = lambda _: None
        self.undone: Callable[[Start], None] = lambda _: None
        self.governor = self._new_governor(settings)
        self.model = Model(settings, handler_of, self._guarded)
        self.queue = self._new_queue()

    # runs come and go

    def put(self, entry: Waiting) -> None:
        self.waiting[entry.run_id] = entry
        self.last_work[entry.guild] = self.now
        self.queue.put(entry)

    def withdraw(self, run_id: str) -> None:
        entry = self.waiting.pop(run_id)
        self.last_work[entry.guild] = self.now
        assert self.queue.withdraw(run_id) is entry

    def drain(self) -> None:
        """Start whatever can start now."""
        while (entry := self.queue.next(self.now)) is not None:
            self._in_order(entry)
            able = self.candidates(entry)
            if not able:
                self.queue.park(entry, Wait(f"handler:{entry.handler}", "available", 0, 0))
                continue
            answer = self._take(entry, able)
            if isinstance(answer, Wait):
                self.queue.park(entry, answer, apart=answer.limit == BREAKER)
                assert self.queue.why(entry.run_id) is not None
                continue
            self.queue.started(entry)
            del self.waiting[entry.run_id]
            start = self.model.starts[-1]
            self.running[entry.run_id] = Running(entry, start, self.now)
            self.started(start)
            assert self.held(entry.guild) <= self.cap or not self.several(besides=entry.guild)

    def end(self, run_id: str, *, ok: bool | None = True) -> None:
        """An attempt ends; whatever is under way was committed before."""
        self.commit()
        run = self.running.pop(run_id)
        entry, process, at = run.entry, run.start.process, -1e9 if run.taken_at is None else run.taken_at
        self.last_work[entry.guild] = self.now
        seat_s = self.now - run.start.at
        self.model.end(run.start)
        for scope in self.governor.release(
            entry.guild, entry.method, process, seat_s, self.now, schedule=entry.schedule, ok=ok, took_s=seat_s,
            taken_at=at,
        ):  # fmt: skip
            self.queue.released(scope)
        self.queue.finished(entry, max(seat_s, 0.001))

    def not_begun(self, run_id: str) -> None:
        """The commit of its attempt failed: it waits again."""
        run = self.running.pop(run_id)
        assert not run.committed
        self.undone(run.start)
        self.model.undo(run.start)
        entry = run.entry
        self.governor.give_back(entry.guild, entry.method, run.start.process, run.taken_at, schedule=entry.schedule)
        self.queue.finished(entry, 0.0)
        self.put(self._again(entry))

    # the store

    def commit(self) -> None:
        """What was started is in the store now, and with it the state of the rates that have changed."""
        fresh = [run for run in self.running.values() if not run.committed]
        for run in fresh:
            run.committed = True
        rows = self.governor.changed(self.now)
        assert rows == self.model.store(self.now)
        self.stored |= rows

    def restart(self, settings: GovernorSettings, away_s: float) -> None:
        """The process is killed, and another one starts on what is stored."""
        self.now += away_s
        self.settings = settings
        lost = [run for run in self.running.values() if not run.committed]
        for run in lost:
            self.undone(run.start)
            self.model.end(run.start)
            del self.running[run.entry.run_id]
            self.waiting[run.entry.run_id] = run.entry
        self.governor = self._new_governor(settings)
        self.governor.restore_rates({scope: seconds for scope, seconds in self.stored.items() if seconds}, self.now)
        self.model.restart(settings, self.now)
        self.queue = self._new_queue()
        self.last_work = {}
        for run in self.running.values():
            run.entry, run.taken_at = self._again(run.entry), None
            self.governor.restore_running(run.entry.guild, run.entry.method, run.start.process, run.entry.schedule)
            self.model.meet(run.start, self.now)
            self.queue.started(run.entry)
        for run_id, entry in self.waiting.items():
            self.waiting[run_id] = self._again(entry)
            self.queue.put(self.waiting[run_id])

    def reconfigure(self, settings: GovernorSettings) -> None:
        """Other limits, other plans, or other plans of guilds."""
        self.settings = settings
        self.governor.reconfigure(settings, self.now)
        self.model.reconfigure(settings, self.now)
        for run_id, entry in self.waiting.items():
            fresh = self._again(entry)
            if fresh.kind != entry.kind:
                self.queue.withdraw(run_id)
                self.waiting[run_id] = fresh
                self.queue.put(fresh)
        self.queue.resize(self.slots)
        self.queue.wake_all()

    # questions

    @property
    def slots(self) -> int:
        assert self.settings.global_.running is not None
        return self.settings.global_.running

    @property
    def cap(self) -> int:
        return max(1, int(self.slots * SHARE))

    def candidates(self, entry: Waiting) -> Sequence[str]:
        """Processes of the handler that may be sent more, as a gateway's credit would have it."""
        able = self.handlers.get(entry.handler, [])
        return [name for name in able if self.load(name) < CREDIT]

    def load(self, process: str) -> int:
        return sum(run.start.process == process for run in self.running.values())

    def held(self, guild: str | None) -> int:
        return sum(run.entry.guild == guild for run in self.running.values())

    def several(self, *, besides: str | None) -> bool:
        busy = {entry.guild for entry in self.waiting.values()} | {run.entry.guild for run in self.running.values()}
        recent = {guild for guild, at in self.last_work.items() if at + ACTIVE_S > self.now}
        return bool((busy | recent) - {besides})

    def could_start(self, entry: Waiting) -> bool:
        """Whether every limit and the cap would let this run start now."""
        able = self.candidates(entry)
        if not able or (self.held(entry.guild) >= self.cap and self.several(besides=entry.guild)):
            return False
        answer = self.governor.explain(entry.guild, entry.method, able, self.now, schedule=entry.schedule)
        assert answer == self.model.explain(entry.guild, entry.method, able, self.now, schedule=entry.schedule)
        return isinstance(answer, Admit)

    def overlooked(self) -> list[Waiting]:
        """Runs that could start now and wait all the same."""
        return [entry for entry in self.waiting.values() if self.could_start(entry)]

    def in_use(self) -> dict[str, int]:
        """What is in use, of every scope and guard, as the governor counts it."""
        counts = {scope.name: scope.running.used for scope in self._scopes() if scope.running is not None}
        for name, method in self.governor._methods.items():
            for guard in method.guards.values():
                counts[f"crowd of {guard.scope.partition(':')[2].partition('/')[0]}"] = guard.crowd.held
                if guard.adaptive is not None:
                    counts[f"adaptive {name}"] = guard.adaptive.in_flight
        return counts

    def really_in_use(self, name: str) -> int:
        """The same, counted one by one."""
        runs = [run.start for run in self.running.values()]
        kind, _, of = name.partition(" ")
        if kind == "crowd":
            return sum(f"of {handler_of(start.process)}" == of for start in runs)
        if kind == "adaptive":
            return sum(start.method == of for start in runs)
        return sum(name in scopes_of(self.settings, start) for start in runs)

    def look(self) -> None:
        """What is in use is what runs, neither more nor less."""
        wrong = {
            name: (used, really) for name, used in self.in_use().items() if used != (really := self.really_in_use(name))
        }
        assert wrong == {}
        holders = {guild: self.held(guild) for guild in {run.entry.guild for run in self.running.values()}}
        assert dict(self.queue.holders()) == holders

    # steps

    def _take(self, entry: Waiting, able: Sequence[str]) -> Admit | Wait:
        """Ask governor and model; a refusal changes nothing."""
        before = self._everything()
        explained = self.governor.explain(entry.guild, entry.method, able, self.now, schedule=entry.schedule)
        expected = self.model.take(entry.guild, entry.method, able, self.now, schedule=entry.schedule)
        answer = self.governor.take(entry.guild, entry.method, able, self.now, schedule=entry.schedule)
        assert answer == explained == expected
        if isinstance(answer, Wait):
            after = self._everything()
            assert {name: after[name] for name in before} == before
        return answer

    def _everything(self) -> dict[str, object]:
        """All that a start could have charged."""
        rates = {f"rate {scope.name}": scope.rate.tat for scope in self._scopes() if scope.rate is not None}
        probes = {
            f"probe {name} {number}": breaker.probing
            for name, method in self.governor._methods.items()
            for guard in method.guards.values()
            for number, breaker in enumerate(guard.breakers())
        }
        return {**self.in_use(), **rates, **probes}

    def _scopes(self) -> Iterator[Scope | OwnScope]:
        yield from self.governor._scopes()
        yield from self.governor.own

    def _guarded(self, guild: str | None, method: str, process: str, now: float) -> Wait | None:
        guard = self.guard(method)
        return None if guard is None else guard.check(guild, now)

    def guard(self, method: str) -> Guard | None:
        """What stands before a method, if it has been used."""
        return dict(self.governor.guards(method)).get(None)

    def _new_governor(self, settings: GovernorSettings) -> Governor:
        return Governor(settings, lambda process: (handler_of(process), None), self._under_way)

    def _under_way(self, guild: str) -> Iterator[str]:
        return self.queue.under_way(guild)

    def _new_queue(self) -> FairQueue:
        return FairQueue(self.slots, weight_of=lambda guild: self.settings.quota_of(guild).weight)

    def _in_order(self, entry: Waiting) -> None:
        key = (entry.priority, entry.guild, entry.kind)
        line = [each for each in self.waiting.values() if (each.priority, each.guild, each.kind) == key]
        assert min(line, key=lambda each: (each.due, each.run_id)) is entry

    def _again(self, entry: Waiting) -> Waiting:
        """The same run, as it is read from its row under the limits there are now."""
        return Waiting(
            entry.run_id, entry.guild, entry.method, entry.handler, entry.priority, entry.due, schedule=entry.schedule,
            alone=are_limited(self.settings, entry.guild),
        )  # fmt: skip
