"""Somebody who listens to every event from the first on, through every restart, and counts what is under way."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable

from schedule_zero.client import CoreClient
from schedule_zero.event import Event, EventKind

ENDS = frozenset(
    (
        EventKind.RUN_SUCCEEDED,
        EventKind.RUN_FAILED,
        EventKind.RUN_TIMED_OUT,
        EventKind.RUN_CANCELLED,
        EventKind.RUN_SKIPPED,
    )
)


LOOK_S = 0.2
"""How long a condition that no event changes may have been true before it is seen."""


class Follower:
    """Reads the journal with a cursor of its own.

    Attributes:
        events: everything told, in the order it was told.
        under_way: runs that were created and have not ended.
        completed: schedules that have no due time any more.
        first_run: of each schedule; ``told_of``: what was told of which schedule.
        on_event: called with each event.
    """

    def __init__(self, client: CoreClient) -> None:
        self.events: list[Event] = []
        self.under_way: set[str] = set()
        self.completed: set[str] = set()
        self.first_run: dict[str, str] = {}
        self.told_of: set[tuple[str, str]] = set()
        self.on_event: list[Callable[[Event], None]] = []
        self._counts: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._follow(client), name="follower")

    async def until(self, condition: Callable[[], bool], patience: float, what: str) -> None:
        """Wait until something is so, as far as events tell.

        Raises:
            TimeoutError: it does not become so in that time.
        """
        try:
            async with asyncio.timeout(patience):
                while not condition():
                    if self._task.done():
                        self._task.result()
                    self._changed.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), LOOK_S)
        except TimeoutError:
            raise TimeoutError(f"{what}: not within {patience:g} s") from None

    def count(self, kind: EventKind) -> int:
        """How many events of a kind there were."""
        return self._counts[kind]

    async def close(self) -> None:
        """Listen no more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _follow(self, client: CoreClient) -> None:
        async with contextlib.aclosing(client.events("0")) as events:  # type: ignore[type-var]  # an async generator
            async for event in events:
                self._take(event)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self._counts[event.kind] += 1
        if event.schedule_id is not None:
            self.told_of.add((event.kind, event.schedule_id))
            if event.run_id is not None:
                self.first_run.setdefault(event.schedule_id, event.run_id)
        if event.run_id is not None:
            if event.kind in ENDS:
                self.under_way.discard(event.run_id)
            elif event.kind == EventKind.RUN_CREATED:
                self.under_way.add(event.run_id)
        elif event.kind == EventKind.SCHEDULE_COMPLETED and event.schedule_id is not None:
            self.completed.add(event.schedule_id)
        for hear in self.on_event:
            hear(event)
        self._changed.set()
