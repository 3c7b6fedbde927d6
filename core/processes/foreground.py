"""The governor's own process: takes the lock, runs one governor, takes orders, and stops in order when a signal asks."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from core.file_lock import FileLock, Held
from core.processes.control import Control
from core.processes.deployments import Claim, Deployments
from core.processes.identity import own_identity
from core.processes.places import Places, control_in
from core.processes.port import GovernorBase, ProcessError
from schedule_zero.process.notify import Notifier

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
LOCK_S: Final = 1.0
FOREVER_S: Final = 10 * 365 * 86_400.0


class Built(msgspec.Struct, frozen=True):
    """A governor, the folder of its sockets, and what makes it wait for nobody any more."""

    governor: GovernorBase
    sockets: Path
    hurry: Callable[[], None]


async def govern(build: Callable[[], Built], places: Places, claim: Claim) -> None:
    """Run a governor until it is stopped.

    Args:
        build: makes it, once nobody else can have the same places.

    Raises:
        ProcessError: it cannot start; the sentence says why.
    """
    places.make()
    lock = await _lock(places)
    try:
        deployments = Deployments()
        deployments.claim(msgspec.structs.replace(claim, governor=own_identity()), places)
        await _govern(build())
        deployments.leave(claim.data_dir)
    finally:
        lock.release()


async def _lock(places: Places) -> FileLock:
    """The lock of a place. A command that looks whether it is free has it for a moment."""
    lock = FileLock(places.lock)
    try:
        await asyncio.to_thread(lock.take_within, LOCK_S)
    except Held as held:
        raise ProcessError(f"a governor runs here already (process {held.holder})") from None
    return lock


async def _govern(built: Built) -> None:
    governor, control = built.governor, Control(built.governor, control_in(built.sockets))
    asked = _asked_by_signals(built.hurry)
    notifier = Notifier()
    async with notifier.beating():
        await control.open()
        telling = asyncio.create_task(_tell_when_ready(governor, notifier), name="telling when ready")
        waits = [asyncio.create_task(each.wait()) for each in (asked, control.stopped)]
        try:
            await governor.start()
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, *waits):
                task.cancel()
            await governor.stop()
            await control.close()


async def _tell_when_ready(governor: GovernorBase, notifier: Notifier) -> None:
    notifier.status("not everything is ready yet")
    while not (health := await governor.ready(FOREVER_S)).healthy:
        notifier.status("; ".join(f"{name} {sentence}" for name, sentence in health.wrong.items()))
        await asyncio.sleep(1.0)
    notifier.ready("everything is ready")


def _asked_by_signals(hurry: Callable[[], None]) -> asyncio.Event:
    """The first signal asks to stop; a second one means at once."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            hurry()
        asked.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, ask)
    with contextlib.suppress(AttributeError):
        loop.add_signal_handler(signal.SIGHUP, lambda: None)  # the terminal that started it may go
    return asked
