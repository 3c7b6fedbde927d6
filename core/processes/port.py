"""What every governor of processes can do, and what it tells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import msgspec

from core.processes.settings import HandlerProcess

State = Literal["waiting", "starting", "ready", "pausing", "stopping", "stopped", "failed"]
"""``waiting``: for the core; ``pausing``: until it is started again."""


class ProcessError(Exception):
    """What was asked cannot be done; the sentence says why and what to do."""


class ChildStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One child: a process, or a thread, that is kept alive.

    Attributes:
        pid: of its process; None where there is none.
        since: when it came into this state, RFC 3339.
        restarts: starts that followed an end nobody asked for.
        last_exit: how it ended last, in words; None: never, or nobody saw it.
        says: its own word on how it is going, or why it is not.
        cpu_s, cpu_percent: processor time it used, and as a share of one processor since it started.
        memory: resident bytes.
        output: the file that holds what it prints.
    """

    name: str
    state: State
    since: str
    ready: bool
    restarts: int
    pid: int | None = None
    last_exit: str | None = None
    says: str = ""
    cpu_s: float | None = None
    cpu_percent: float | None = None
    memory: int | None = None
    output: str | None = None


class GovernorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A governor and its children, in the order in which they start.

    Attributes:
        pid: the governor's own process; None: it is gone, and the children live on without.
        kind: ``processes`` or ``threads``.
        deployment: the configuration file, or the data folder where there is none.
    """

    pid: int | None
    kind: str
    deployment: str
    stopping: bool
    children: tuple[ChildStatus, ...]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether every child is ready, and what is wrong with those that are not: names and sentences."""

    healthy: bool
    wrong: dict[str, str]


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over all children. ``uptime_s`` is the governor's own; ``memory`` is in bytes."""

    uptime_s: float
    children: int
    ready: int
    failed: int
    restarts: int
    cpu_s: float
    memory: int


class GovernorBase(ABC):
    """Keeps a configured set of children alive, each of them exactly once.

    Every method but ``start`` may be called at any time, also several at once.
    """

    @abstractmethod
    async def start(self) -> None:
        """Bring everything up. Returns when that has begun; ``ready`` waits until it is done."""

    @abstractmethod
    async def stop(self) -> None:
        """End everything, handlers before the bot before the core; what does not end in time is killed."""

    @abstractmethod
    async def restart(self, name: str | None = None) -> None:
        """End and start again one child, all processes of a handler, or (None) everything; also what has failed.

        Raises:
            ProcessError: there is no such child.
        """

    @abstractmethod
    async def ready(self, patience_s: float, names: Sequence[str] = ()) -> Health:
        """Wait until every child is ready, one has failed, or the time is over; how it is then.

        ``names``: of these alone; none: of all.
        """

    @abstractmethod
    async def add_handler(self, handler: HandlerProcess) -> Sequence[str]:
        """Keep a handler alive as well, until this governor ends; the names of its children.

        Raises:
            ProcessError: the name is taken.
        """

    @abstractmethod
    async def remove_handler(self, name: str) -> Sequence[str]:
        """End a handler's children, or one of them, and keep them alive no longer; their names.

        Raises:
            ProcessError: there is no such handler.
        """

    @abstractmethod
    def status(self) -> GovernorStatus:
        """How everything is going."""

    @abstractmethod
    def health_check(self) -> Health:
        """Whether everything is ready; from memory, so that it answers at once."""

    @abstractmethod
    def get_metrics(self) -> Metrics:
        """Figures for a monitor."""
