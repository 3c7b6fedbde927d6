"""ProcessGovernor: children are processes, which outlive a governor that is killed and are adopted by the next."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import structlog

from core.log_settings import RotateSettings
from core.processes.identity import own_identity
from core.processes.keeper import Keeper, Limits, made_by
from core.processes.keeping import STOP_ORDER, KeepingGovernor, SpecsOf
from core.processes.notices import Notice, Notices
from core.processes.output import turn_over
from core.processes.places import Places, notify_in
from core.processes.record import ChildRecord, Record, read_record, write_record
from core.processes.running import ChildSpec, RunningProcess

TURN_OVER_S: Final = 5.0
_NOT_OURS: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
log = structlog.get_logger("schedule_zero.processes")


class ProcessGovernor(KeepingGovernor):
    """Children are processes. Whoever runs it holds the lock of its places.

    Attributes:
        sockets: the folder in which it listens.
    """

    kind = "processes"

    def __init__(
        self, specs: Sequence[ChildSpec], places: Places, limits: Limits, *, deployment: str, output: RotateSettings,
        specs_of: SpecsOf, configuration: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """``output``: when files are turned over; ``configuration``: see ``Record``.

        Raises:
            ProcessError: an earlier governor's record cannot be read, or there is no place for sockets.
        """
        super().__init__(specs, limits, deployment=deployment, specs_of=specs_of, configuration=configuration)
        self._places = places
        self._turned_over_at = output
        self._me = own_identity()
        self._left = read_record(places.record)
        self.sockets = Path(self._left.sockets) if self._left and self._left.is_alive() else places.sockets()
        self._notices = Notices(notify_in(self.sockets), self._hear)
        self._strays: list[ChildRecord] = []
        self._is_noted = False
        self._turning: asyncio.Task[None] | None = None
        if self._left is not None:
            self._change_as_before(self._left)

    async def start(self) -> None:
        """Adopt what an earlier governor left, end what is not wanted any more, and start the rest."""
        self._notices.open()
        adopted = self._sort_what_is_left()
        self._keep_what_is_in_force(adopted.values())
        self._is_noted = True
        for name, child in adopted.items():
            running = RunningProcess.adopt(child.identity, self._places.output_of(name))
            self._keepers[name].adopt(running, child)
        self._note()
        self._turning = asyncio.create_task(self._turn_over(), name="turning the outputs over")
        await self._end_strays()
        for name, keeper in self._keepers.items():
            if name not in adopted:
                keeper.begin()

    async def stop(self) -> None:
        """End everything, and leave no record: nothing of this deployment runs any more."""
        await super().stop()
        if self._turning is not None:
            self._turning.cancel()
        self._notices.close()
        self._is_noted = False
        self._places.record.unlink(missing_ok=True)

    # ── what differs ─────────────────────────────────────────────────────────────────────────────────────────

    def _start_one(self, spec: ChildSpec, hear: Callable[[Notice], None]) -> RunningProcess:
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        ours = {
            "NOTIFY_SOCKET": str(notify_in(self.sockets)),
            "WATCHDOG_USEC": str(int(self._house.limits.silent_s * 1e6)),
            "PYTHONUNBUFFERED": "1",
        }
        return RunningProcess.start(spec, inherited | spec.environ | ours, self._output_of(spec.name))

    def _output_of(self, name: str) -> Path:
        return self._places.output_of(name)

    def _note(self) -> None:
        if not self._is_noted:
            return
        found = [keeper.record() for keeper in self._keepers.values()]
        record = Record(
            governor=self._me, kind=self.kind, deployment=self._deployment, sockets=str(self.sockets),
            configuration=self._configuration, children=(*(child for child in found if child is not None), *self._strays),
            added=tuple(self._added.values()), removed=tuple(sorted(self._removed)),
        )  # fmt: skip
        write_record(self._places.record, record)

    # ── what an earlier governor left ────────────────────────────────────────────────────────────────────────

    def _change_as_before(self, left: Record) -> None:
        """Add and remove what was added and removed while that governor ran."""
        self._added = {handler.pool: handler for handler in left.added}
        self._removed = set(left.removed)
        for handler in left.added:
            for spec in self._specs_of(handler):
                self._keepers.setdefault(spec.name, Keeper(spec, self._house))
        for name in left.removed:
            self._keepers.pop(name, None)

    def _sort_what_is_left(self) -> dict[str, ChildRecord]:
        """Those that are wanted as they are, by name; the others that run are strays."""
        adopted: dict[str, ChildRecord] = {}
        for child in self._left.children if self._left else ():
            if not child.identity.is_alive():
                child.identity.kill_group()  # it may have left something behind
                continue
            keeper = self._keepers.get(child.name)
            if keeper is not None and child.made_by == made_by(keeper.spec, self._house.limits):
                adopted[child.name] = child
            else:
                self._strays.append(child)
        return adopted

    def _keep_what_is_in_force(self, adopted: Iterable[ChildRecord]) -> None:
        """A core and a bot that are adopted go by the configuration that they read when they started."""
        if self._left is not None and any(child.kind != "handler" for child in adopted):
            in_force = {key: mark for key, mark in self._left.configuration.items() if not key.startswith("processes.")}
            self._configuration |= in_force

    async def _end_strays(self) -> None:
        """Before others are started in their place. They stand in the record until they have ended."""
        for kind in STOP_ORDER:
            ending = [child for child in self._strays if child.kind == kind]
            for child in ending:
                log.info("ended, because it is not wanted as it is", child=child.name, pid=child.identity.pid)
            running = [RunningProcess.adopt(child.identity, self._output_of(child.name)) for child in ending]
            await asyncio.gather(*(each.stop(self._house.limits.stop_s, self._house.hurry) for each in running))
        self._strays.clear()
        self._note()

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, notice: Notice) -> None:
        for keeper in self._keepers.values():
            running = keeper.running
            if running is not None and running.identity is not None and running.identity.pid == notice.pid:
                keeper.hear(notice)

    async def _turn_over(self) -> None:
        while True:
            for path in [self._places.output, *map(self._output_of, self._keepers)]:
                try:
                    await asyncio.to_thread(turn_over, path, self._turned_over_at)
                except OSError as error:
                    log.warning("cannot be turned over", file=os.fspath(path), error=str(error))
            await asyncio.sleep(TURN_OVER_S)
