"""Run views: which runs somebody may see, and runs as they are answered, with all that is known of them beside their rows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.engine.chains import occurrence_of, parent_of
from core.engine.run_log import MILLION
from core.engine.stopping import wanted_stopped
from core.ledger.port import Reader, RunFilter, Transaction
from core.ledger.rows import RunRow, ScheduleRow, ToldRow
from core.service import access
from core.service.desk import Desk
from core.service.render import run_view
from core.service.why import elsewhere_of, why_waiting
from schedule_zero.actor import Actor
from schedule_zero.run import OPEN, Progress, Run


async def existing_run(desk: Desk, actor: Actor, id: str) -> tuple[RunRow, ScheduleRow | None]:
    """The run and its schedule, if the actor may know of them. Raises NotFound."""
    row = await desk.reader.runs.get(id)
    schedule = None if row is None else await desk.reader.schedules.get(row.schedule_id)
    return access.require_run(actor, row, schedule, id), schedule


async def visible_runs(desk: Desk, actor: Actor, wanted: RunFilter) -> RunFilter:
    """A listing of runs, or of dead letters, narrowed to what the actor may see: those of one schedule wherever it is.
    Raises NotFound."""
    if wanted.schedule_id is None:
        return access.visible_runs(actor, wanted)
    access.require_schedule(actor, await desk.reader.schedules.get(wanted.schedule_id), wanted.schedule_id)
    return msgspec.structs.replace(wanted, any_guild=True)


async def run_views(
    desk: Desk, actor: Actor, rows: Sequence[RunRow], tx: Transaction | None = None, *, with_args: bool = False
) -> tuple[Run, ...]:
    """Runs as answered. ``tx``: as they are in this transaction."""
    source = desk.reader if tx is None else tx
    attempts = await source.runs.attempts([row.id for row in rows])
    schedules = await source.schedules.get_many(list({row.schedule_id for row in rows}))
    elsewhere = await elsewhere_of(desk, source, rows)
    under_way = [row.id for row in rows if row.state in OPEN]
    stopping = await wanted_stopped(source.notes) if under_way else set()
    told = await source.logs.told(under_way) if under_way else {}
    children = await _children(source, rows)
    views = []
    for row in rows:
        schedule = schedules.get(row.schedule_id)
        views.append(
            run_view(
                row, attempts.get(row.id, ()), timezone=schedule.timezone if schedule else "UTC",
                why=await why_waiting(desk, actor, source, row, schedule, elsewhere),
                progress=_progress(desk, row, told.get(row.id)), cancelling=row.state in OPEN and row.id in stopping,
                children=children.get(row.id, ()), with_args=with_args,
            )
        )  # fmt: skip
    return tuple(views)


def _progress(desk: Desk, row: RunRow, told: ToldRow | None) -> Progress | None:
    """What the attempt under way told last: as it is here, or as the core that hears it wrote it."""
    flight = desk.engine.flights.get(row.id, row.attempt)
    if row.state in OPEN and flight is not None and flight.fraction is not None:
        return Progress(fraction=flight.fraction, note=flight.note)
    if told is None or told.attempt != row.attempt or told.fraction is None:
        return None
    return Progress(fraction=told.fraction / MILLION, note=told.note)


async def _children(source: Reader | Transaction, rows: Sequence[RunRow]) -> dict[str, list[str]]:
    """The runs that follow each of these, of schedules that run after theirs."""
    below = await source.links.below(sorted({row.schedule_id for row in rows}))
    followers: dict[str, list[str]] = {}
    for link in below:
        followers.setdefault(link.parent, []).append(link.child)
    keys = [(child, occurrence_of(row.id)) for row in rows for child in followers.get(row.schedule_id, ())]
    found: dict[str, list[str]] = {}
    for run in await source.runs.by_occurrences(keys):
        found.setdefault(parent_of(run.occurrence) or "", []).append(run.id)
    return found
