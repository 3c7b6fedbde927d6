"""The embedded mode: a scheduler inside somebody's own program. No ZeroMQ, no Discord, no web.

::

    sz = ScheduleZero()

    @sz.handler
    async def send_notification(message: str) -> None: ...

    await sz.schedule("send_notification", "every weekday at 9", timezone="Europe/Berlin", args={"message": "Hi"})
    await sz.run()
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog

from core.app import App
from core.engine.inprocess import Functions
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from core.local import LocalClient
from schedule_zero.errors import Conflict
from schedule_zero.handler import Handler
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import TextTrigger, Trigger

F = TypeVar("F", bound=Callable[..., Any])


class ScheduleZero:
    """A whole core in this process, for this process's own functions and handlers."""

    def __init__(self, data_dir: str | Path = "data", *, store: str | None = None) -> None:
        """Keeps its SQLite file in ``data_dir``; ``store="memory"`` forgets everything at the end."""
        if not structlog.is_configured():  # whose program this is decides; by itself structlog prints every step
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        self._store = StoreSettings(url=store)
        self._data_dir = Path(data_dir)
        self._functions = Functions()
        self._handlers: list[Handler] = [self._functions]
        self._app: App | None = None
        self._life = contextlib.AsyncExitStack()
        self._turn = asyncio.Lock()

    def handler(self, function: F) -> F:
        """Make a function schedulable under its own name. Its annotations become the check of the arguments."""
        self._functions.add(function)
        return function

    def serve(self, handler: Handler) -> None:
        """Make a Handler's methods schedulable, as ``name.method``."""
        self._handlers.append(handler)
        if self._app is not None:
            self._app.serve(handler)

    async def start(self) -> LocalClient:
        """Open the store and begin to fire; ``stop`` ends it. Starting twice is the same as once."""
        async with self._turn:
            if self._app is None:
                app = App(store=self._store, data_dir=self._data_dir, governor=GovernorSettings())
                for handler in self._handlers:
                    app.serve(handler)
                await self._life.enter_async_context(app.running())
                self._app = app
            return self._app.client

    async def stop(self) -> None:
        """Let running work end, commit, close. ``run`` returns. Stopping twice is the same as once."""
        if self._app is not None:
            self._app.stop_requested.set()
        async with self._turn:
            self._app = None
            await self._life.aclose()
            self._life = contextlib.AsyncExitStack()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[LocalClient]:
        """``start`` and ``stop`` around a block."""
        client = await self.start()
        try:
            yield client
        finally:
            await self.stop()

    async def schedule(
        self, what: str, when: str | Trigger, *, timezone: str | None = None, args: dict[str, Any] | None = None,
        name: str | None = None, policy: dict[str, Any] | None = None,
    ) -> Schedule:  # fmt: skip
        """Schedule a function (``send``) or a handler's method (``reports.build``).

        With a ``name``, asking again returns the schedule that is there, so a program can say this at every start.

        Raises:
            schedule_zero.errors.Invalid: the time cannot be read, or the arguments do not fit.
        """
        client = await self.start()
        handler, _, method = what.rpartition(".")
        name = None if name is None else name.strip()
        known = None if name is None else await _named(client, name)
        if known is not None:
            return known
        trigger = TextTrigger(text=when) if isinstance(when, str) else when
        spec = ScheduleSpec(
            handler=handler or self._functions.name, method=method, trigger=trigger, timezone=timezone,
            args=args or {}, name=name, policy=policy or {},
        )  # fmt: skip
        try:
            return await client.create_schedule(spec)
        except Conflict:  # asked for twice at once: the other one was first
            known = None if name is None else await _named(client, name)
            if known is None:
                raise
            return known

    async def run(self) -> None:
        """Fire until SIGINT or SIGTERM, or until ``stop`` is called elsewhere."""
        await self.start()
        app = self._app
        assert app is not None, "start sets it"
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError):  # no signals on Windows or in a thread
                loop.add_signal_handler(number, app.stop_requested.set)
        try:
            await app.wait()
        finally:
            await self.stop()
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError, RuntimeError):
                    loop.remove_signal_handler(number)


async def _named(client: LocalClient, name: str) -> Schedule | None:
    """The schedule of that name, if there is one; one that is over counts, so that a restart does not repeat it."""
    cursor: str | None = None
    over: Schedule | None = None
    while True:
        page = await client.list_schedules(q=name, limit=200, cursor=cursor)
        for found in page.items:
            if found.name == name:
                if found.state != "done":
                    return found
                over = found
        cursor = page.next
        if cursor is None:
            return over
