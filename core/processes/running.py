"""What runs for a child, and its first form: a process, from its start or its adoption to its end.

A process is started through a gate: a shell that waits for a word before it becomes the program. The word is given once the
process stands in the record; a governor that is killed before that takes the gate with it, and nothing runs that nobody
knows of. It has a session of its own, so that its whole group can be ended, and it writes its output itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from core.processes.identity import LINUX, Identity, identity_of
from core.processes.output import last_word
from core.processes.settings import HandlerProcess

Kind = Literal["core", "bot", "handler"]
WRONG_INPUT: Final = 2
"""The exit code by which our commands say that starting them again will not help."""
_GATE: Final = 'read -r go && exec "$@" </dev/null'
_LOOK_S: Final = 0.1


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept alive under a name. ``handler``: what it is of, where it is one; several children may be of it."""

    name: str
    kind: Kind
    command: tuple[str, ...]
    handler: HandlerProcess | None = None
    environ: dict[str, str] = {}

    @property
    def pool(self) -> str:
        """What it shares with others of its handler; the core and the bot are alone."""
        return self.name if self.handler is None else self.handler.pool


class Running(ABC):
    """What runs, or has run, for a child.

    Attributes:
        ended: done when it is over, and all that belongs to it.
        code: its exit code, negative for a signal; None while it runs, and where nobody saw it.
        identity: of its process; None where it has none of its own.
    """

    ended: asyncio.Future[None]
    code: int | None = None
    identity: Identity | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.ended.done()

    @abstractmethod
    def let_go(self) -> None:
        """It may begin: it is written down that it is there."""

    @abstractmethod
    def ask_to_end(self) -> None:
        """Ask it to end in order."""

    @abstractmethod
    async def kill(self) -> None:
        """End it without asking, and wait for that."""

    @abstractmethod
    def last_words(self) -> str:
        """The last it said that may tell why it ended, or nothing."""

    async def stop(self, patience_s: float, hurry: asyncio.Event) -> None:
        """Ask it to end; kill it when the time is over, or as soon as there is a hurry."""
        if not self.is_over:
            self.ask_to_end()
            hurrying = asyncio.create_task(hurry.wait(), name="hurry")
            ends: set[asyncio.Future[Any]] = {self.ended, hurrying}
            await asyncio.wait(ends, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            hurrying.cancel()
        await self.kill()


class RunningProcess(Running):
    """A process that runs, or has run, with its group."""

    identity: Identity

    def __init__(
        self, identity: Identity, popen: subprocess.Popen[bytes] | None, output: Path, before: int = 0,
    ) -> None:  # fmt: skip
        """``before``: how much others had printed there."""
        self.identity = identity
        self._popen = popen
        self._output = output
        self._printed_before = before
        self.ended = asyncio.create_task(self._watch(), name=f"end of process {identity.pid}")

    @classmethod
    def start(cls, spec: ChildSpec, environ: Mapping[str, str], output: Path) -> RunningProcess:
        """Start it as far as the gate; ``let_go`` opens that. Raises OSError."""
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        before = os.fstat(descriptor).st_size
        try:
            popen = subprocess.Popen(  # noqa: S603 - our own commands, and handlers of the configuration
                ["/bin/sh", "-c", _GATE, spec.name, *spec.command], stdin=subprocess.PIPE, stdout=descriptor,
                stderr=descriptor, start_new_session=True, env=dict(environ),
            )  # fmt: skip
        finally:
            os.close(descriptor)
        identity = identity_of(popen.pid)
        if identity is None:  # it ended at once, which its exit code tells
            identity = Identity(popen.pid, "")
        return cls(identity, popen, output, before)

    @classmethod
    def adopt(cls, identity: Identity, output: Path) -> RunningProcess:
        """Take over what an earlier governor started."""
        return cls(identity, None, output)

    def let_go(self) -> None:
        """Open the gate."""
        if self._popen is not None and self._popen.stdin is not None:
            try:
                self._popen.stdin.write(b"go\n")
                self._popen.stdin.close()
            except BrokenPipeError:  # it was killed at the gate
                pass

    def ask_to_end(self) -> None:
        """SIGTERM."""
        self.identity.signal(signal.SIGTERM)
        self.identity.signal(signal.SIGCONT)  # one that was halted could not hear it

    async def kill(self) -> None:
        """`kill -9` its group, and wait for its end."""
        if not self.is_over:
            self.identity.kill_group()
        await asyncio.wait({self.ended})

    def last_words(self) -> str:
        """See ``last_word``."""
        return last_word(self._output, self._printed_before)

    async def _watch(self) -> None:
        await _end_of(self.identity)
        self.identity.kill_group()  # before it is collected: until then its id, and so its group's, is nobody else's
        if self._popen is not None:
            self.code = self._popen.wait()
            if self._popen.stdin is not None:
                self._popen.stdin.close()


async def _end_of(identity: Identity) -> None:
    """Until a process has ended, whoever started it."""
    if not LINUX:
        while identity.is_alive():  # noqa: ASYNC110 - nothing tells of the end of processes that are not ours
            await asyncio.sleep(_LOOK_S)
        return
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(handle, over.set)
        if identity.is_alive():  # else the handle may be a stranger's
            await over.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
