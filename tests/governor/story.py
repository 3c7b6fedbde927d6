"""Things that happen on a floor, one after another. After each, whatever can start is started, and all is looked over."""

from __future__ import annotations

from collections import defaultdict

from core.governor.fairness import Waiting
from core.governor.settings import Capacity, GovernorSettings, GuildQuota, Limits, MethodQuota, Plan, parse_rate
from tests.governor.floor import Floor
from tests.governor.model import Start, are_limited, limits_of, scopes_of

# Intervals of rates are powers of two, and so are all pauses: governor and model reckon exactly, each in its own way.
USUAL = GovernorSettings(
    global_=Limits(running=7, rate="16/s", burst=12),
    plans={
        "small": Plan(running=2, rate="30/min", burst=4, shared=Limits(running=4, rate="2/s", burst=6)),
        "large": Plan(running=6, weight=2, each_schedule=Limits(running=2, rate="15/min", burst=3)),
        "free": Plan(),
    },
    default_plan="small",
    guilds={"3": GuildQuota(plan="large"), "4": GuildQuota(plan="free"), "5": GuildQuota(plan="free")},
    methods={
        "web.post": MethodQuota(running=3, rate="4/s", per_handler=Capacity(running=1, rate="1/s", burst=2)),
        "web.get": MethodQuota(per_handler=Capacity(running=2)),
        "mail.send": MethodQuota(adaptive="aimd", running=4),
    },
)
RAISED = GovernorSettings(
    global_=Limits(running=9), plans={"small": Plan(running=3, each_schedule=Limits(running=1))}, default_plan="small"
)
LOWERED = GovernorSettings(
    global_=Limits(running=4, rate="4/s", burst=2),
    plans={
        "small": Plan(
            running=2, rate="15/min", burst=2, shared=Limits(running=2), each_schedule=Limits(rate="2/s", burst=1)
        )
    },
    default_plan="small",
    methods={
        "web.get": MethodQuota(running=2, rate="2/s", adaptive="gradient2"),
        "mail.send": MethodQuota(adaptive="gradient2", running=3, per_handler=Capacity(rate="8/s", burst=2)),
    },
)
MOVED = GovernorSettings(
    global_=USUAL.global_, plans=USUAL.plans, default_plan="large", methods=USUAL.methods,
    guilds={"1": GuildQuota(plan="free", each_schedule=Limits(running=1, rate="1/s")), "3": GuildQuota(plan="small", running=1), "4": GuildQuota(plan="small", rate=None)},
)  # fmt: skip
BARRED = GovernorSettings(
    global_=USUAL.global_, plans=USUAL.plans, default_plan="small", methods=USUAL.methods,
    guilds={"1": GuildQuota(handlers=["web"]), "2": GuildQuota(handlers=[]), "4": GuildQuota(plan="free", handlers=["mail"])},
)  # fmt: skip
SETTINGS = [USUAL, RAISED, LOWERED, MOVED, BARRED]
GUILDS = [None, "1", "2", "3", "4", "5"]
METHODS = ["web.post", "web.get", "mail.send"]
PROCESSES = {"web": ["web@a", "web@b"], "mail": ["mail@m", "mail@n"]}
PAUSES = [0.0, 1 / 32, 0.5, 2.0, 30.0, 700.0]
SCHEDULES = 2
MOMENT = 2.0**-20


class Story:
    """A floor, the deeds that may be done on it, and what was started when."""

    def __init__(self) -> None:
        self.floor = Floor(USUAL)
        self.floor.handlers = dict(PROCESSES)
        self.floor.started, self.floor.undone = self._started, self._undone
        self.trouble: set[str] = set()
        self._made = 0
        self._epochs = [USUAL]
        self.starts: dict[int, tuple[Start, int]] = {}

    # deeds

    def arrive(self, guild: str | None, method: str, priority: int, due: int) -> None:
        self._made += 1
        run_id, schedule = f"run_{due * 7919 % 101:03}{self._made:06}", f"{guild}/{self._made % SCHEDULES}"
        self.floor.put(
            Waiting(
                run_id, guild, method, method.partition(".")[0], priority, due, schedule=schedule,
                alone=are_limited(self.floor.settings, guild),
            )
        )  # fmt: skip

    def end(self, place: int, *, ok: bool | None) -> None:
        """One of those that run ends; what a handler in trouble does, fails."""
        if running := sorted(self.floor.running):
            run_id = running[place % len(running)]
            handler = self.floor.running[run_id].entry.handler
            self.floor.end(run_id, ok=False if handler in self.trouble else ok)

    def not_begun(self, place: int) -> None:
        if fresh := sorted(id for id, run in self.floor.running.items() if not run.committed):
            self.floor.not_begun(fresh[place % len(fresh)])

    def withdraw(self, place: int) -> None:
        if waiting := sorted(self.floor.waiting):
            self.floor.withdraw(waiting[place % len(waiting)])

    def commit(self) -> None:
        self.floor.commit()

    def fleet(self, handler: str, processes: str) -> None:
        """A handler has other processes than before; only a coming is announced."""
        self.floor.handlers[handler] = [f"{handler}@{name}" for name in processes]
        if processes:
            self.floor.queue.released(f"handler:{handler}")

    def fall_ill(self, handler: str, *, ill: bool) -> None:
        """From now on everything it does fails, or nothing more."""
        (self.trouble.add if ill else self.trouble.discard)(handler)

    def restart(self, number: int, away_s: float) -> None:
        self._settings_are(SETTINGS[number])
        self.floor.restart(SETTINGS[number], away_s)

    def reconfigure(self, number: int) -> None:
        """It takes a moment: no start from before can be mistaken for one after it, of the same time."""
        self.floor.now += MOMENT
        self._settings_are(SETTINGS[number])
        self.floor.reconfigure(SETTINGS[number])

    def pass_time(self, pause: float) -> None:
        """Go where ``wake_at`` says something may start. Before that, nothing may."""
        wake_at = self.floor.queue.wake_at(self.floor.now)
        if wake_at is not None and wake_at <= self.floor.now + pause:
            self.floor.now = max(self.floor.now, wake_at - MOMENT)
            assert self.floor.overlooked() == []
            self.floor.now = wake_at
        else:
            self.floor.now += pause
            assert self.floor.overlooked() == []

    # after each, and at the end

    def look(self) -> None:
        """Start what can start. Nothing that may is overlooked, and what is in use is what runs."""
        self.floor.drain()
        assert self.floor.overlooked() == []
        self.floor.look()

    def finish(self) -> None:
        """All handlers are well and stay, nothing new comes: everything has to start in the end, and nothing is left."""
        self.trouble.clear()
        if self.floor.settings is BARRED:
            self.reconfigure(SETTINGS.index(USUAL))  # until then runs of barred handlers wait
        self.floor.handlers = dict(PROCESSES)
        for handler in self.floor.handlers:
            self.floor.queue.released(f"handler:{handler}")
        while self.floor.waiting or self.floor.running:
            self.look()
            assert self.floor.running or self.floor.queue.wake_at(self.floor.now) is not None
            for run_id in sorted(self.floor.running):
                self.floor.end(run_id)
            wake_at = self.floor.queue.wake_at(self.floor.now)
            if wake_at is not None:
                self.floor.now = max(self.floor.now, wake_at)
        assert self.floor.queue.waiting() == 0
        assert {name: used for name, used in self.floor.in_use().items() if used} == {}
        assert list(self.floor.queue.holders()) == []
        self.check_windows()

    def check_windows(self) -> None:
        """In no stretch of time under the same settings did more start than the rate and its burst allow."""
        by_scope: dict[tuple[str, int], list[float]] = defaultdict(list)
        for start, epoch in self.starts.values():
            for scope in scopes_of(self._epochs[epoch], start):
                by_scope[scope, epoch].append(start.at)
        for (scope, epoch), times in by_scope.items():
            limits = limits_of(self._epochs[epoch], scope)
            if limits.rate is None:
                continue
            rate = parse_rate(limits.rate)
            burst, per_s = limits.burst or rate.count, rate.count / rate.per_seconds
            for first, begin in enumerate(times):
                for place in range(first, len(times)):
                    allowed = burst + (times[place] - begin) * per_s
                    assert place - first + 1 <= allowed, (scope, begin, times[place])
                    if allowed >= len(times) - first:
                        break

    # what is remembered

    def _started(self, start: Start) -> None:
        self.starts[id(start)] = start, len(self._epochs) - 1
        for scope in scopes_of(self.floor.settings, start):
            most = limits_of(self.floor.settings, scope).running
            assert most is None or self.floor.model.running(scope) <= most

    def _settings_are(self, settings: GovernorSettings) -> None:
        if settings is not self._epochs[-1]:
            self._epochs.append(settings)

    def _undone(self, start: Start) -> None:
        del self.starts[id(start)]
