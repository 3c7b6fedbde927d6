"""For the unit tests of a handler: its methods, called as a core would call them. No core, no socket.

::

    outcome = await call(Reports(), "build", {"day": "2026-03-01"})
    assert outcome.result == {"rows": 100}

    played = begin(Reports(), "build", {"day": "2026-03-01"})
    await played.told()                     # it said how far it is
    played.cancel()                         # or: played.time_out()
    assert (await played.outcome()).status == "cancelled"

Without an async test: ``asyncio.run(call(...))``.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal

import msgspec

from schedule_zero import instant
from schedule_zero.handler import Context, Handler, deadline_after, methods_of, name_of
from schedule_zero.process.calling import OnLoop
from schedule_zero.process.calling import call as call_method
from schedule_zero.run import Cause
from schedule_zero.transport.wire import Ended

TIMEOUT_S: Final = 30.0
GRACE_S: Final = 5.0


class Outcome(msgspec.Struct, kw_only=True, frozen=True):
    """How a call ended.

    Attributes:
        status: as the core would note it.
        result: what the method returned, as it arrives at the core: through JSON.
        cause: of a failure: whether the same again could succeed. Decides whether there is another try.
        error: of a failure, the sentence the guild sees.
        retry_after: seconds, where the method raised RetryAfter.
        progress: fraction and note of each time it told how far it is.
        log: the lines it logged.
    """

    status: Literal["succeeded", "failed", "cancelled", "timed_out"]
    result: Any = None
    cause: Cause | None = None
    error: str | None = None
    retry_after: float | None = None
    progress: tuple[tuple[float, str], ...] = ()
    log: tuple[str, ...] = ()


class Played:
    """A call under way.

    Attributes:
        context: what the method was given.
        progress, log: what it has told so far.
    """

    def __init__(
        self, handler: Handler, method: str, args: Mapping[str, Any], timeout: float | None, **facts: Any
    ) -> None:
        methods = methods_of(handler)
        if method not in methods:
            raise LookupError(f"{name_of(handler)} has no method {method!r}; it has {', '.join(methods) or 'none'}")
        self.progress: list[tuple[float, str]] = []
        self.log: list[str] = []
        self._on_the_loop = OnLoop()
        self._told = asyncio.Event()
        self._asked = asyncio.Event()
        self._method = methods[method]
        self._timeout = timeout or self._method.info.timeout or TIMEOUT_S
        now = time.time_ns() // 1000
        self.context = Context(
            due=_instant(facts.pop("due"), now), deadline=deadline_after(now, self._timeout), note=self._note, **facts
        )
        text = msgspec.json.encode(dict(args)).decode()
        self._task: asyncio.Task[Ended] = asyncio.create_task(call_method(self._method, self.context, text))
        self._timed_out = False
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self.time_out)

    def cancel(self) -> None:
        """Ask the method to stop, as the core does for somebody who cancels the run."""
        self._asked.set()
        if not self.context.cancelled:
            self.context.cancelled = True
            self._task.cancel()

    def time_out(self) -> None:
        """Let the time be over now."""
        if not self._task.done():
            self._timed_out = True
            self.cancel()

    async def told(self, count: int = 1) -> None:
        """Until the method has told progress or logged so many times. Raises AssertionError when it ends before."""
        while len(self.progress) + len(self.log) < count:
            self._told.clear()
            said = asyncio.create_task(self._told.wait())
            await asyncio.wait({said, self._task}, return_when=asyncio.FIRST_COMPLETED)
            said.cancel()
            if self._task.done() and len(self.progress) + len(self.log) < count:
                raise AssertionError(f"it ended before it told {count} times: {self._task.result()}")

    async def outcome(self) -> Outcome:
        """How it ended. A method that was asked to stop and does not within 5 s is an AssertionError."""
        asked = asyncio.create_task(self._asked.wait())
        await asyncio.wait({self._task, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        await asyncio.wait({self._task}, timeout=GRACE_S)
        if not self._task.done():
            raise AssertionError(f"{self._method.info.name} was asked to stop, and did not within {GRACE_S:g} s")
        self._timer.cancel()
        return self._judged(self._task.result())

    def _judged(self, ended: Ended) -> Outcome:
        progress, log = tuple(self.progress), tuple(self.log)
        if ended.status == "succeeded":
            result = msgspec.json.decode(ended.value or "null")
            return Outcome(status="succeeded", result=result, progress=progress, log=log)
        if self._timed_out:
            error = f"took longer than {self._timeout:g} s"
            return Outcome(status="timed_out", cause=Cause.PASSING, error=error, progress=progress, log=log)
        return Outcome(
            status=ended.status, cause=ended.cause, error=ended.error, retry_after=ended.retry_after,
            progress=progress, log=log,
        )  # fmt: skip

    def _note(self, kind: str, fraction: float | None, text: str) -> None:
        self._on_the_loop(self._keep, fraction, text)

    def _keep(self, fraction: float | None, text: str) -> None:
        if fraction is None:
            self.log.append(text)
        else:
            self.progress.append((fraction, text))
        self._told.set()


def begin(
    handler: Handler, method: str, args: Mapping[str, Any] | None = None, *, timeout: float | None = None,
    run_id: str = "run_test", attempt: int = 1, due: str | int | None = None, late_by: int = 0,
    guild_id: str | None = "1", schedule_id: str = "sch_test", owner_id: str = "2",
    metadata: dict[str, str] | None = None,
) -> Played:  # fmt: skip
    """Begin a call, to watch it and to cancel it.

    Args:
        args: as they stand in a schedule; they pass through JSON and are checked as the core checks them.
        timeout: seconds; the method's own by default, else 30.
        due: RFC 3339, or microseconds since the epoch; now by default.

    Raises:
        LookupError: the handler has no such method.
    """
    return Played(
        handler, method, args or {}, timeout, run_id=run_id, attempt=attempt, due=due, late_by=late_by,
        guild_id=guild_id, schedule_id=schedule_id, owner_id=owner_id, metadata=metadata,
    )  # fmt: skip


async def call(handler: Handler, method: str, args: Mapping[str, Any] | None = None, **facts: Any) -> Outcome:
    """Call a method and tell how that ended. ``facts``: as ``begin`` takes them."""
    return await begin(handler, method, args, **facts).outcome()


@contextlib.asynccontextmanager
async def started(handler: Handler) -> AsyncIterator[Handler]:
    """The handler between its ``start`` and its ``stop``."""
    await handler.start()
    try:
        yield handler
    finally:
        await handler.stop()


def _instant(due: str | int | None, now: int) -> int:
    if due is None:
        return now
    return instant.parse(due) if isinstance(due, str) else due
