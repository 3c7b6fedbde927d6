"""Who a process is: its id and the moment it started. An id alone is given to a stranger one day."""

from __future__ import annotations

import os
import signal
import sys
from functools import cache
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]

LINUX: bool = sys.platform == "linux"


class Identity(msgspec.Struct, frozen=True):
    """One process, and never another. ``started`` is comparable and nothing else: no clock that is set changes it."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Whether it still runs; one that has ended and was not yet collected does not."""
        return _started(self.pid) == self.started

    def signal(self, number: int) -> bool:
        """Send a signal to this process and to no other; whether it was there."""
        try:
            if LINUX:
                return self._signal_by_handle(number)
            if not self.is_alive():
                return False
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _signal_by_handle(self, number: int) -> bool:
        """Opened first and compared then: from there on the handle is this process's, whoever gets the id."""
        handle = os.pidfd_open(self.pid)
        try:
            if not self.is_alive():
                return False
            signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
        return True

    def kill_group(self) -> None:
        """`kill -9` everything that is left of the group that this process leads or led."""
        if _started(self.pid, also_ended=True) not in (None, self.started):
            return  # the id is a stranger's by now, which it could not be while the group had anybody in it
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # nobody is left; macOS says so of one that was not collected
            return


def identity_of(pid: int) -> Identity | None:
    """Who runs under this id now; None: nobody."""
    started = _started(pid)
    return None if started is None else Identity(pid, started)


def own_identity() -> Identity:
    """This process."""
    found = identity_of(os.getpid())
    assert found is not None
    return found


def _started(pid: int, *, also_ended: bool = False) -> str | None:
    """When a process started; ``also_ended``: also of one that was not collected yet.

    On Linux in ticks since the machine's own start: psutil's ``create_time`` shifts when the clock is set.
    """
    if LINUX:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
        except OSError:
            return None
        return f"{_boot()}/{fields[19]}" if also_ended or fields[0] not in "ZX" else None
    try:
        process = psutil.Process(pid)
        if not also_ended and process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.3f}"
    except psutil.Error:
        return None


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
