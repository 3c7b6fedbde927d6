"""What all governors share: children by name, the order in which they start and stop, and what is told of them."""

from __future__ import annotations

import asyncio
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from core.processes.keeper import House, Keeper, Limits
from core.processes.notices import Notice
from core.processes.port import GovernorBase, GovernorStatus, Health, Metrics, ProcessError
from core.processes.pulse import Pulse
from core.processes.running import ChildSpec, Running
from core.processes.settings import MOST, HandlerProcess

log = structlog.get_logger("schedule_zero.processes")
STOP_ORDER: Final = ("handler", "bot", "core")
SpecsOf = Callable[[HandlerProcess], Sequence[ChildSpec]]
"""What a handler of the configuration is started with, a spec for each of its children."""


class KeepingGovernor(GovernorBase):
    """A governor without the knowledge of what its children are."""

    kind: str

    def __init__(
        self, specs: Sequence[ChildSpec], limits: Limits, *, deployment: str, specs_of: SpecsOf,
        configuration: Mapping[str, str],
    ) -> None:  # fmt: skip
        """``specs``: what is kept alive, in the order of starting; ``configuration``: see ``Record``."""
        self._deployment = deployment
        self._configuration = dict(configuration)
        self._specs_of = specs_of
        self._began = time.monotonic()
        self._pulse = Pulse()
        self._house = House(
            start=self._start_one, output_of=self._output_of, limits=limits, may_start=self._may_start, note=self._note,
            pulse=self._pulse, hurry=asyncio.Event(),
        )  # fmt: skip
        self._keepers = {spec.name: Keeper(spec, self._house) for spec in specs}
        self._added: dict[str, HandlerProcess] = {}
        self._removed: set[str] = set()
        self._stopping = False

    # ── what differs ─────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def _start_one(self, spec: ChildSpec, hear: Callable[[Notice], None]) -> Running:
        """Bring up what runs for a child. Raises OSError."""

    @abstractmethod
    def _output_of(self, name: str) -> Path | None:
        """The file that holds what a child prints, if it has one."""

    @abstractmethod
    def _note(self) -> None:
        """Write down who runs. Raises OSError."""

    # ── GovernorBase ─────────────────────────────────────────────────────────────────────────────────────────

    async def stop(self) -> None:
        """End everything; several may ask, and all hear when it is done."""
        if not self._stopping:
            log.info("stopping")
        self._stopping = True
        await self._stop_all(for_good=True)

    def hurry(self) -> None:
        """Wait for nobody any more: what is being stopped is killed."""
        self._house.hurry.set()

    async def restart(self, name: str | None = None) -> None:
        """See ``GovernorBase``. Children of one handler are started again one after another."""
        self._refuse_while_stopping()
        if name is None:
            await self._stop_all(for_good=False)
        for keeper in list(self._keepers.values()) if name is None else self._called(name):
            await keeper.restart()

    async def ready(self, patience_s: float, names: Sequence[str] = ()) -> Health:
        """See ``GovernorBase``."""
        try:
            async with asyncio.timeout(patience_s):
                await self._pulse.until(lambda: self._is_settled(names))
        except TimeoutError:
            pass
        return self._health(names)

    async def add_handler(self, handler: HandlerProcess) -> Sequence[str]:
        """See ``GovernorBase``."""
        self._refuse_while_stopping()
        if any(handler.pool == keeper.spec.pool for keeper in self._keepers.values()):
            raise ProcessError(f"a handler {handler.pool} is there already; remove it first, or take another name")
        specs = self._specs_of(handler)
        if taken := [spec.name for spec in specs if spec.name in self._keepers]:
            raise ProcessError(f"the name {taken[0]} is taken; take another one for the handler")
        if len(self._keepers) + len(specs) > MOST:
            raise ProcessError(f"a governor keeps at most {MOST} children alive")
        self._added[handler.pool] = handler
        for spec in specs:
            self._removed.discard(spec.name)
            self._keepers[spec.name] = keeper = Keeper(spec, self._house)
            keeper.begin()
        return [spec.name for spec in specs]

    async def remove_handler(self, name: str) -> Sequence[str]:
        """See ``GovernorBase``."""
        self._refuse_while_stopping()
        keepers = [keeper for keeper in self._called(name) if keeper.spec.kind == "handler"]
        if not keepers:
            raise ProcessError(f"{name} is no handler; `processes stop` ends everything")
        await asyncio.gather(*(keeper.stop(for_good=True) for keeper in keepers))
        for keeper in keepers:
            self._keepers.pop(keeper.spec.name, None)
            self._removed.add(keeper.spec.name)
        pools = {keeper.spec.pool for keeper in self._keepers.values()}
        self._added = {pool: handler for pool, handler in self._added.items() if pool in pools}
        self._note()
        self._pulse.beat()
        return [keeper.spec.name for keeper in keepers]

    def status(self) -> GovernorStatus:
        """See ``GovernorBase``."""
        children = tuple(keeper.status() for keeper in self._keepers.values())
        return GovernorStatus(
            pid=os.getpid(), kind=self.kind, deployment=self._deployment, stopping=self._stopping, children=children
        )

    def health_check(self) -> Health:
        """See ``GovernorBase``."""
        return self._health(())

    def get_metrics(self) -> Metrics:
        """See ``GovernorBase``."""
        children = self.status().children
        return Metrics(
            uptime_s=round(time.monotonic() - self._began, 1), children=len(children),
            ready=sum(child.ready for child in children), failed=sum(child.state == "failed" for child in children),
            restarts=sum(child.restarts for child in children), cpu_s=round(sum(child.cpu_s or 0 for child in children), 2),
            memory=sum(child.memory or 0 for child in children),
        )  # fmt: skip

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _stop_all(self, *, for_good: bool) -> None:
        for kind in STOP_ORDER:
            keepers = [keeper for keeper in self._keepers.values() if keeper.spec.kind == kind]
            await asyncio.gather(*(keeper.stop(for_good=for_good) for keeper in keepers))

    def _may_start(self, spec: ChildSpec) -> bool:
        """The core may at once; the others once it is ready, where there is one."""
        cores = [keeper for keeper in self._keepers.values() if keeper.spec.kind == "core"]
        return spec.kind == "core" or all(keeper.state == "ready" for keeper in cores)

    def _health(self, names: Sequence[str]) -> Health:
        wrong = {name: keeper.wrong for name, keeper in self._keepers.items() if not names or name in names}
        found = {name: sentence for name, sentence in wrong.items() if sentence is not None}
        return Health(healthy=not found, wrong=found)

    def _is_settled(self, names: Sequence[str]) -> bool:
        states = [keeper.state for name, keeper in self._keepers.items() if not names or name in names]
        return all(state == "ready" for state in states) or "failed" in states

    def _called(self, name: str) -> list[Keeper]:
        """Children of this name, or all of a handler.

        Raises:
            ProcessError: there are none.
        """
        found = [keeper for keeper in self._keepers.values() if name in (keeper.spec.name, keeper.spec.pool)]
        if not found:
            raise ProcessError(f"there is no process {name}; there are {', '.join(self._keepers) or 'none'}")
        return found

    def _refuse_while_stopping(self) -> None:
        if self._stopping:
            raise ProcessError("everything is being stopped")
