"""The logs of runs: by the page, and as they grow, for those who may see the run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import msgspec

from core.ledger.rows import LineRow
from core.service.desk import Desk
from core.service.finding import page_length
from core.service.render import zone_or_utc
from core.service.run_views import existing_run
from schedule_zero.actor import Actor
from schedule_zero.event import Event
from schedule_zero.instant import spell
from schedule_zero.requests import GetRunLog
from schedule_zero.run import TERMINAL, LogLine
from schedule_zero.views import RunLog

LONGEST_PAGE: Final = 1000


class RunLogs:
    """Reading what runs logged."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def page(self, actor: Actor, request: GetRunLog) -> RunLog:
        """A page of a log; ``next`` is what to go on after. Raises NotFound."""
        run, schedule = await existing_run(
            self._desk, actor, request.id
        )  # first: what has ended then has all its lines written
        limit = page_length(request.limit, LONGEST_PAGE)
        logs = self._desk.reader.logs
        rows = await logs.lines(run.id, request.after, limit + 1)
        told = (await logs.told([run.id])).get(run.id)
        lines = 0 if told is None else told.lines
        items = _lines(rows[:limit], request.after, "UTC" if schedule is None else schedule.timezone)
        return RunLog(
            items=items, next=items[-1].n if items else request.after, lines=lines,
            ended=run.state in TERMINAL and len(rows) <= limit,
        )  # fmt: skip

    async def follow(self, actor: Actor, id: str, after: int) -> AsyncGenerator[RunLog, None]:
        """The log as it grows, a page at a time, until the run has ended. Raises NotFound."""
        actor = await self._desk.placed(actor)
        request = GetRunLog(id=id, after=after, limit=LONGEST_PAGE)
        _, seq = await self._desk.reader.journal.head()  # before the first look, so that nothing falls between
        page = await self.page(actor, request)
        yield page

        def concerns(event: Event) -> bool:
            return event.run_id == id

        events = self._desk.engine.publisher.follow(seq, concerns)
        assert isinstance(events, AsyncGenerator)
        async with contextlib.aclosing(events):
            while not page.ended:
                if len(page.items) < LONGEST_PAGE:
                    await anext(events)
                request = msgspec.structs.replace(request, after=page.next)
                page = await self.page(actor, request)
                yield page


def _lines(rows: Sequence[LineRow], after: int, timezone: str) -> tuple[LogLine, ...]:
    place, before = zone_or_utc(timezone), after
    items = []
    for row in rows:
        left_out = max(0, row.n - before - 1)
        items.append(LogLine(n=row.n, attempt=row.attempt, at=spell(row.at, place), text=row.text, left_out=left_out))
        before = row.n
    return tuple(items)
