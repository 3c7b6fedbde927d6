"""A process that ends when it should, whatever the code of others that runs in it still does.

``asyncio.run`` waits for every task, and the interpreter for every thread of a pool: a method that ignores its
cancellation, or that sits in a thread for good, would keep both for ever.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn, TypeVar

from schedule_zero.process.interrupts import meant_for_the_process

LEAVING_S: Final = 2.0
log = logging.getLogger("schedule_zero.process.leaving")
T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` for a process, or a thread, in which somebody's code runs beside ours: see ``_complete``."""
    with asyncio.Runner() as runner:
        return _complete(runner.get_loop(), main)


class Leaving:
    """Runs one coroutine as ``asyncio.run`` does, with a bound on its end.

    Attributes:
        left: what did not end in time, by name.
    """

    def __init__(self) -> None:
        self.left: list[str] = []

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run to the end, and cancel what is left. Raises what ``main`` raises."""
        loop = asyncio.new_event_loop()
        pool = ThreadPoolExecutor(thread_name_prefix="pool")
        loop.set_default_executor(pool)
        try:
            asyncio.set_event_loop(loop)
            _complete(loop, main)
        finally:
            loop.run_until_complete(self._cancel())
            pool.shutdown(wait=False, cancel_futures=True)
            asyncio.set_event_loop(None)
            if not self.left:
                loop.close()
            self._join()

    def end(self, code: int) -> int:
        """The exit code, where everything ended; else the process ends here."""
        if self.left:
            log.warning("%s would not end and is left behind", ", ".join(sorted(set(self.left))))
            leave_at_once(code)
        return code

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            _, stubborn = await asyncio.wait(tasks, timeout=LEAVING_S)
            self.left += [task.get_name() for task in stubborn]

    def _join(self) -> None:
        """Wait for threads that the interpreter would wait for, too; it would wait without an end."""
        deadline = time.monotonic() + LEAVING_S
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join(max(0.0, deadline - time.monotonic()))
                if thread.is_alive():
                    self.left.append(thread.name)


def _complete(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, T]) -> T:
    """Run to the end of ``main``. A task that somebody's code made leaves the loop with what it raises, if that is
    ``SystemExit`` or its like. Whoever waits for the task is told of it as well, and the loop goes on."""
    task = loop.create_task(main)
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if task.done() or meant_for_the_process(error):
                raise
            log.warning("a task raised %s, and goes without the process", type(error).__name__)


def leave_at_once(code: int) -> NoReturn:
    """End the process without waiting for anything."""
    logging.shutdown()
    os._exit(code)
