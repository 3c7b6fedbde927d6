"""Runs one program in a process group of its own, and ends whatever is left of it: when the program has ended, when it is
told to, and when whoever started it is gone, in whatever way.

A script of its own that needs the standard library alone: ``keeper.py STATUS_FD GRACE PROGRAM ARGUMENT…``. Standard input
is its life line: a byte or the end of it means stop. To STATUS_FD it writes lines: ``pid N``
when the program runs, then what became of it: ``exit N`` or ``signal N``; or ``failed ERRNO``, where it could not be started.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG
ADOPT_ORPHANS: Final = 36  # PR_SET_CHILD_SUBREAPER
LEFTOVERS_S: Final = 1.0
LOOK_S: Final = 0.05
DEAF_TO: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT)


def main(status: int, grace_s: float, argv: list[str]) -> None:
    """Run it, and tell what became of it."""
    os.set_inheritable(status, False)
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else _no_prctl
    prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    trouble, tell = os.pipe()
    program = os.fork()
    if program == 0:
        _become(argv, tell, prctl)
    os.close(tell)
    for inherited in (1, 2):  # they are the program's; we would hold them open
        os.close(inherited)
    errno = os.read(trouble, 16)
    if errno:
        os.waitpid(program, 0)
        os.write(status, b"failed " + errno + b"\n")
        return
    os.write(status, f"pid {program}\n".encode())
    ended = _until_ended(program, woken, grace_s)
    _end_group(program, LEFTOVERS_S)
    _end_strays()
    code = os.waitstatus_to_exitcode(ended)
    os.write(status, (f"exit {code}\n" if code >= 0 else f"signal {-code}\n").encode())


def _become(argv: list[str], tell: int, prctl: Callable[..., int]) -> NoReturn:
    """The child, up to the moment at which it is the program."""
    try:
        parent = os.getppid()
        os.setpgid(0, 0)
        prctl(DIE_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
        signal.set_wakeup_fd(-1)
        for number in (*DEAF_TO, signal.SIGCHLD, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if os.getppid() == parent:
            os.execv(argv[0], argv)  # noqa: S606 - that there is no shell is the point
    except OSError as error:
        os.write(tell, str(error.errno).encode())
    finally:
        os._exit(127)


def _until_ended(program: int, woken: int, grace_s: float) -> int:
    """Wait for the program, ending it when our life line does; its wait status."""
    watched = [0, woken]
    kill_at: float | None = None
    while True:
        pid, status = os.waitpid(program, os.WNOHANG)
        if pid:
            return status
        left = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        ready, _, _ = select.select(watched, [], [], left)
        if woken in ready:
            os.read(woken, 4096)
        if 0 in ready:
            watched.remove(0)
            kill_at = time.monotonic() + grace_s
            _signal_group(program, signal.SIGTERM)
        elif kill_at is not None and time.monotonic() >= kill_at:
            kill_at = time.monotonic() + LEFTOVERS_S
            _signal_group(program, signal.SIGKILL)


def _end_group(group: int, grace_s: float) -> None:
    """End what the program has left running in its group."""
    deadline = time.monotonic() + grace_s
    there = _signal_group(group, signal.SIGTERM)
    while there and time.monotonic() < deadline:
        _reap()
        time.sleep(LOOK_S)
        there = _signal_group(group, 0)
    if there:
        _signal_group(group, signal.SIGKILL)


def _end_strays() -> None:
    """End what has left the group: orphans come to us, where the system can do that."""
    deadline = time.monotonic() + LEFTOVERS_S
    while time.monotonic() < deadline:
        _reap()
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listed:
                strays = [int(pid) for pid in listed.read().split()]
        except OSError:
            return
        if not strays:
            return
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S / 10)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _signal_group(group: int, number: int) -> bool:
    """Whether there was anybody to signal."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # some of it runs as somebody else; the rest was signalled
        return True
    return True


def _no_prctl(*_: int) -> int:
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
