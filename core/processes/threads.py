"""ThreadGovernor: handlers in threads of one process, each with a loop of its own. For development and small machines.

A thread cannot be killed. One that does not end in time, or whose loop hangs, is left behind: it takes nothing new, and
another takes its place. Python gives the processor to one thread at a time, so that threads share one.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import structlog

from core.processes.identity import own_identity
from core.processes.keeper import Limits
from core.processes.keeping import KeepingGovernor, SpecsOf
from core.processes.notices import Notice
from core.processes.places import Places
from core.processes.record import Record, write_record
from core.processes.running import WRONG_INPUT, ChildSpec, Running
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.process.leaving import run
from schedule_zero.process.loading import WrongInput, said
from schedule_zero.process.notify import BEATS
from schedule_zero.process.serving import Serving

_FAILED: Final = 1
log = structlog.get_logger("schedule_zero.processes")

Make = Callable[[ChildSpec], Serving]
"""Makes what a child serves, in its own thread. Raises WrongInput or ScheduleZeroError."""


class ThreadGovernor(KeepingGovernor):
    """Children are threads of this process.

    Attributes:
        sockets: the folder in which it listens.
        left_behind: names of threads that did not end; a process that ends waits for none of them.
    """

    kind = "threads"

    def __init__(
        self, specs: Sequence[ChildSpec], places: Places, limits: Limits, *, deployment: str, specs_of: SpecsOf,
        make: Make, configuration: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """Raises ProcessError: there is no place for sockets."""
        super().__init__(specs, limits, deployment=deployment, specs_of=specs_of, configuration=configuration)
        self._places = places
        self._make = make
        self.sockets = places.sockets()
        self.left_behind: list[str] = []

    async def start(self) -> None:
        """Bring every handler up."""
        me = own_identity()
        write_record(
            self._places.record,
            Record(
                governor=me,
                kind=self.kind,
                deployment=self._deployment,
                sockets=str(self.sockets),
                configuration=self._configuration,
            ),
        )
        for keeper in self._keepers.values():
            keeper.begin()

    async def stop(self) -> None:
        """End everything, and leave no record."""
        await super().stop()
        self._places.record.unlink(missing_ok=True)

    def _start_one(self, spec: ChildSpec, hear: Callable[[Notice], None]) -> RunningThread:
        silent_s = self._house.limits.silent_s
        return RunningThread(spec.name, functools.partial(self._make, spec), hear, silent_s, self.left_behind)

    def _output_of(self, name: str) -> Path | None:
        return None

    def _note(self) -> None:
        """Threads end with their process: there is nothing to adopt."""


class RunningThread(Running):
    """A thread that serves a handler, or has served it."""

    def __init__(
        self, name: str, make: Callable[[], Serving], hear: Callable[[Notice], None], silent_s: float,
        left_behind: list[str],
    ) -> None:  # fmt: skip
        """``hear``: told, in the governor's loop, of beats and of readiness."""
        self._name = name
        self._make = make
        self._hear = hear
        self._silent_s = silent_s
        self._left_behind = left_behind
        self._home = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._home.create_future()
        self._last_words = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: Serving | None = None
        self._asked = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def let_go(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """Take nothing new, and end when what runs is done."""
        self._asked = True
        if self._loop is not None and self._serving is not None:
            self._in_the_thread(self._serving.leave)

    async def kill(self) -> None:
        """Leave it behind, if it has not ended."""
        if not self.ended.done():
            log.warning("a thread would not end and is left behind", child=self._name)
            self._left_behind.append(self._name)
            self.ask_to_end()
            self.ended.set_result(None)

    def last_words(self) -> str:
        """The sentence it ended with."""
        return self._last_words

    # ── in the thread ────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        code = 0
        try:
            run(self._serve())
        except (WrongInput, ScheduleZeroError) as error:
            self._last_words, code = str(error), WRONG_INPUT if isinstance(error, WrongInput) else _FAILED
        except BaseException as error:  # whatever a handler's author wrote must not end the others, nor be waited for
            log.exception("a handler's thread failed", child=self._name)
            self._last_words, code = said(error), _FAILED
        self._at_home(self._over, code)

    async def _serve(self) -> None:
        serving = self._make()
        self._loop, self._serving = asyncio.get_running_loop(), serving
        serving.tell_silences(self._tell_silence)
        if self._asked:  # while it was being made
            return
        beating = asyncio.create_task(self._beat(), name="beat")
        knowing = asyncio.create_task(self._tell_when_known(serving), name="telling when known")
        try:
            await serving.run()
        finally:
            self._loop = None
            beating.cancel()
            knowing.cancel()

    async def _beat(self) -> None:
        while True:
            self._at_home(self._hear, Notice(0, ready=False, status=None))
            await asyncio.sleep(self._silent_s / BEATS)

    def _tell_silence(self, seconds: float) -> None:
        self._at_home(self._hear, Notice(0, ready=False, status=None, silence_s=self._silent_s + seconds))

    async def _tell_when_known(self, serving: Serving) -> None:
        self._at_home(self._hear, Notice(0, ready=False, status="no core knows this handler yet"))
        address = await serving.known()
        self._at_home(self._hear, Notice(0, ready=True, status=f"known to the core at {address}"))

    def _at_home(self, tell: Callable[..., None], *what: object) -> None:
        try:
            self._home.call_soon_threadsafe(functools.partial(self._tell, tell, *what))
        except RuntimeError:  # the governor is gone, and nobody asks any more
            return

    # ── in the governor's loop ───────────────────────────────────────────────────────────────────────────────

    def _tell(self, tell: Callable[..., None], *what: object) -> None:
        if not self.ended.done():  # of one that was left behind nobody hears any more
            tell(*what)

    def _over(self, code: int) -> None:
        self._thread.join()  # saying so was the last it did
        self.code = code
        self.ended.set_result(None)

    def _in_the_thread(self, call: Callable[[], None]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # it has just ended by itself
            return
