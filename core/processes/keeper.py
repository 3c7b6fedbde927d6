"""Keeps one child alive: starts it, hears it, starts it again when it ends unasked, and gives up when that is of no use."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import psutil  # type: ignore[import-untyped]
import structlog

from core.processes.notices import Notice
from core.processes.port import ChildStatus, State
from core.processes.pulse import Pulse
from core.processes.record import ChildRecord
from core.processes.restarts import Again, GivenUp, Patience, after_end
from core.processes.running import WRONG_INPUT, ChildSpec, Running
from core.processes.settings import LimitSettings
from schedule_zero import instant

LATE_S: Final = 1.0
"""Seconds after which a timer that is due shows that the governor itself was held up."""
log = structlog.get_logger("schedule_zero.processes")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """``LimitSettings`` in seconds."""

    first_word_s: float
    silent_s: float
    stop_s: float
    patience: Patience

    @classmethod
    def of(cls, settings: LimitSettings) -> Limits:
        """As the configuration has them."""
        patience = Patience(
            crashes=settings.crashes, within_s=settings.seconds("within"), pause_s=settings.seconds("pause"),
            longest_pause_s=settings.seconds("longest_pause"),
        )  # fmt: skip
        return cls(
            first_word_s=settings.seconds("first_word"), silent_s=settings.seconds("silent"),
            stop_s=settings.seconds("stop"), patience=patience,
        )  # fmt: skip


class House(msgspec.Struct, kw_only=True):
    """What all children of a governor share.

    Attributes:
        start: brings something up that runs, and waits to be let go. Raises OSError. It may tell what the child says.
        output_of: the file that holds what a child prints; None: it has none of its own.
        may_start: whether a child may start now; it is asked again whenever ``pulse`` beats.
        note: writes down who runs; called before a new process may do anything. Raises OSError.
        hurry: set when nobody is waited for any more.
    """

    start: Callable[[ChildSpec, Callable[[Notice], None]], Running]
    output_of: Callable[[str], Path | None]
    limits: Limits
    may_start: Callable[[ChildSpec], bool]
    note: Callable[[], None]
    pulse: Pulse
    hurry: asyncio.Event


class Keeper:
    """One child, for as long as it is wanted.

    Attributes:
        state: what it is doing.
        running: its process, if there is one.
    """

    def __init__(self, spec: ChildSpec, house: House) -> None:
        self.spec = spec
        self.state: State = "stopped"
        self.running: Running | None = None
        self._house = house
        self._since = instant.spell(_now())
        self._restarts = 0
        self._last_exit: str | None = None
        self._says = ""
        self._has_spoken = False
        self._quiet_since = 0.0
        self._asked_silence_s: float | None = None
        self._ends: list[float] = []
        self._keeping: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._is_over = False

    def adopt(self, running: Running, left: ChildRecord) -> None:
        """Go on with what an earlier governor started, as that one left it."""
        self.running, self._restarts, self._says = running, left.restarts, left.says
        self._has_spoken, self._quiet_since = True, time.monotonic()
        self._asked_silence_s = left.silence_s
        self.state = "ready" if left.ready else "starting"
        self._since = left.since or self._since
        self._house.pulse.beat()
        log.info("adopted", child=self.spec.name, **_pid(running))
        self.begin()

    def begin(self) -> None:
        """Keep it alive from now on; one that was stopped for good stays so."""
        if self._is_over:
            return
        self._keeping = asyncio.create_task(self._keep(), name=f"keeper of {self.spec.name}")

    async def stop(self, *, for_good: bool = False) -> None:
        """End it, and keep it alive no longer; ``for_good``: nor does a restart that was asked for meanwhile."""
        self._is_over = self._is_over or for_good
        async with self._changing:
            await self._stop()

    async def restart(self) -> None:
        """End it and start it again; what it did before is forgiven."""
        async with self._changing:
            await self._stop()
            self._ends.clear()
            self.begin()

    def hear(self, notice: Notice) -> None:
        """Its process says something."""
        self._has_spoken, self._quiet_since = True, time.monotonic()
        before = (self._says, self._asked_silence_s)
        if notice.status is not None:
            self._says = notice.status
        if notice.silence_s is not None:
            self._asked_silence_s = notice.silence_s
        if notice.ready and self.state == "starting":
            self._enter("ready")
            log.info("ready", child=self.spec.name)
        elif before != (self._says, self._asked_silence_s):
            self._note()  # a successor has to know it, too

    def record(self) -> ChildRecord | None:
        """What a successor has to know of its process."""
        if self.running is None or self.running.identity is None:
            return None
        return ChildRecord(
            name=self.spec.name, kind=self.spec.kind, identity=self.running.identity, made_by=made_by(self.spec, self._house.limits),
            ready=self.state == "ready", restarts=self._restarts, since=self._since, says=self._says,
            silence_s=self._asked_silence_s,
        )  # fmt: skip

    def status(self) -> ChildStatus:
        """How it is going, with what its process uses."""
        pid = None if self.running is None or self.running.is_over else _pid(self.running).get("pid")
        output = self._house.output_of(self.spec.name)
        return msgspec.structs.replace(
            usage(pid), name=self.spec.name, state=self.state, since=self._since, ready=self.state == "ready",
            restarts=self._restarts, pid=pid, last_exit=self._last_exit, says=self._says,
            output=None if output is None else str(output),
        )  # fmt: skip

    @property
    def wrong(self) -> str | None:
        """What keeps it from being ready; None: it is."""
        if self.state == "ready":
            return None
        words = {"waiting": "waits for the core", "pausing": "is about to be started again"}.get(self.state, self.state)
        detail = self._says or self._last_exit
        return f"{words}: {detail}" if detail else words

    # ── its life ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _keep(self) -> None:
        while True:
            if self.running is None:
                await self._start()
            words, last, code = await self._until_ended()
            verdict = self._judge(words, last, code)
            self._note()
            if isinstance(verdict, GivenUp):
                self._says = verdict.sentence
                self._enter("failed")
                log.error("given up", child=self.spec.name, reason=verdict.sentence)
                return
            self._enter("pausing")
            log.warning("ended unasked", child=self.spec.name, end=words, again_s=verdict.after_s)
            await asyncio.sleep(verdict.after_s)
            self._restarts += 1

    async def _start(self) -> None:
        self._says = ""
        if not self._house.may_start(self.spec):
            self._enter("waiting")
            await self._house.pulse.until(lambda: self._house.may_start(self.spec))
        self._has_spoken, self._quiet_since, self._asked_silence_s = False, time.monotonic(), None
        self._enter("starting")
        try:
            self.running = self._house.start(self.spec, self.hear)
            self._house.note()  # from here on a successor knows of it, and only now it may begin
        except OSError as error:
            log.exception("cannot be started", child=self.spec.name, error=str(error))
            if self.running is not None:
                await self.running.kill()
                self.running = None
            self._says = f"cannot be started: {error}"
            return
        self.running.let_go()
        log.info("started", child=self.spec.name, **_pid(self.running))

    async def _until_ended(self) -> tuple[str, str, int | None]:
        """Until what runs has ended, in words; the last line it said, and its exit code.

        One that is silent for too long is killed.
        """
        if self.running is None:
            return self._says, "", None
        silent = False
        while not self.running.ended.done():
            # The first word ends one time and begins another, which may be over sooner.
            turn = min(self._quiet_since + self._silence_s, time.monotonic() + self._house.limits.silent_s)
            await asyncio.wait({self.running.ended}, timeout=max(0.0, turn - time.monotonic()))
            now = time.monotonic()
            if self.running.ended.done() or now < self._quiet_since + self._silence_s:
                continue
            if now - turn > LATE_S:  # it was us who did not turn: what it said meanwhile is still to be read
                self._quiet_since = now
                continue
            silent = True
            log.warning("silent for too long, killed", child=self.spec.name, **_pid(self.running))
            await self.running.kill()
        code, last = self.running.code, self.running.last_words()
        self.running = None
        words = ending(code)
        if silent:
            words = f"it said nothing for {self._silence_s:g} s and was killed"
        return words, last, code

    def _judge(self, words: str, last: str, code: int | None) -> Again | GivenUp:
        now = time.monotonic()
        self._last_exit = words
        self._says = ""
        if code == WRONG_INPUT and self.state != "ready":  # later somebody's work may have ended the process so
            return GivenUp(f"{words}: {last or 'its input is wrong'}")
        patience = self._house.limits.patience
        self._ends = [moment for moment in self._ends if now - moment < patience.within_s] + [now]
        verdict = after_end(self._ends, now, patience)
        if isinstance(verdict, GivenUp) and last:
            return GivenUp(f"{verdict.sentence}, lastly: {last}")
        return verdict

    async def _stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        if self.running is not None:
            self._enter("stopping")
            await self.running.stop(self._house.limits.stop_s, self._house.hurry)
            self._last_exit = ending(self.running.code)
            self.running = None
        self._says = ""
        self._enter("stopped")

    def _enter(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._since = instant.spell(_now())
            self._note()
            self._house.pulse.beat()

    @property
    def _silence_s(self) -> float:
        """For how long its process may say nothing."""
        if not self._has_spoken:
            return self._house.limits.first_word_s
        return self._asked_silence_s or self._house.limits.silent_s

    def _note(self) -> None:
        try:
            self._house.note()
        except OSError as error:  # the processes are as they are, also where that cannot be written down
            log.warning("the record cannot be written", error=str(error))


def made_by(spec: ChildSpec, limits: Limits) -> str:
    """A mark of what a process is started with; where it differs, the process is not the one that is wanted."""
    return hashlib.sha256(msgspec.json.encode((spec.command, limits.silent_s))).hexdigest()[:16]


def ending(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "ended, and nobody saw how"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def usage(pid: int | None) -> ChildStatus:
    """What a process uses, in a status that says nothing else."""
    blank = ChildStatus(name="", state="stopped", since="", ready=False, restarts=0)
    if pid is None:
        return blank
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info().rss
            age_s = max(0.001, time.time() - process.create_time())
    except psutil.Error:
        return blank
    used = times.user + times.system
    return msgspec.structs.replace(blank, cpu_s=round(used, 2), cpu_percent=round(100 * used / age_s, 1), memory=memory)


def _pid(running: Running) -> dict[str, int]:
    return {} if running.identity is None else {"pid": running.identity.pid}


def _now() -> int:
    return time.time_ns() // 1000
