"""Making: runs beside the due times of their schedule, new ones and those that are made again for one that ended."""

from __future__ import annotations

from typing import Final

from core.engine.admit import Collision, line_of
from core.engine.books import NoRoom
from core.engine.chains import fill_in, left_by, parent_of
from core.engine.placeholders import NOBODY, Parents, following, has_placeholders, names_parents
from core.engine.plan import PRIORITIES
from core.engine.routing import routing_of
from core.engine.stopping import want_stopped
from core.ledger.port import Reader, RunFilter, Transaction
from core.ledger.rows import EventRow, RunRow, ScheduleRow, links_of
from core.service.changing import in_words
from core.service.desk import UNDO_FOR, Desk
from core.service.effects import Effects
from core.service.policy import read_policy
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.run import AGAIN, RunState
from schedule_zero.schedule import Policy

BUSY: Final = "another run of its schedule is under way, and its overlap is skip; run it again when that has ended"
MOST_BETWEEN: Final = 100
"""So many runs of a parent are looked through for the one that a run joined."""


def takes_from_before(row: ScheduleRow) -> bool:
    """Whether a schedule's arguments take something from a run before."""
    return row.follows and has_placeholders(row.args)


def why_stopped(row: ScheduleRow | None, now: int) -> str | None:
    """Why nothing of a schedule may be run, by hand either, and what to do, to go on from "it is"; None if it may.

    Args:
        row: None where it was deleted so long ago that nothing is left of it.
        now: microseconds since the epoch.
    """
    if row is not None and row.state in ("blocked", "needs_owner"):
        return f"{in_words(row.state)}; resume it first"
    if row is not None and row.state != "deleted":
        return None
    until = 0 if row is None else row.updated + UNDO_FOR
    if until <= now:
        return "deleted, and it is too late to bring it back"
    return f"deleted; bring it back first: its deletion can be undone until {spell(until)}, with the token it gave"


class Making:
    """The steps of every run that somebody asks for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def new(self, row: ScheduleRow, args: str | None) -> RunRow:
        """A run that waits from now on. ``args``: its own, where it does not take those of its schedule."""
        now = self._desk.clock.now()
        id = self._desk.ids.make("run", now)
        policy = read_policy(row.policy)
        return RunRow(
            id=id, schedule_id=row.id, occurrence=f"m:{id}", guild_id=row.guild_id, handler=row.handler,
            method=row.method, priority=PRIORITIES[policy.priority], due=now, start_before=None,
            state=RunState.WAITING, attempt=0, not_before=None, args=args, result=None, reason=None, error=None,
            missed=None, created=now, ended=None, lost=0, line=line_of(policy), own_args=None if args is None else 1,
            routing=routing_of(row, policy, args),
        )  # fmt: skip

    async def again(self, source: Reader | Transaction, row: ScheduleRow, old: RunRow) -> RunRow:
        """A run that takes the place of one that ended. It takes the schedule's arguments as they are by then, mended
        perhaps; only where the old one was started with arguments of its own, it keeps those. One whose arguments cannot
        be filled in has failed.

        Args:
            source: of what it followed; inside a unit its transaction, for a unit must not wait for anything else.
        """
        run = self.new(row, old.args if old.own_args else None)
        run.occurrence = AGAIN + old.id
        if run.args is None and takes_from_before(row):
            fill_in(run, row, read_policy(row.policy), await _parents_of(source, row, old), run.created)
        return run

    async def charge(
        self, tx: Transaction, run: RunRow, policy: Policy, now: int
    ) -> tuple[list[EventRow], NoRoom | None]:
        """Charge a run to the quotas that count it: it may have to wait, or be skipped.

        Returns:
            What is to be told, and what it was skipped for.
        """
        if run.state is not RunState.WAITING:
            return [], None
        wait = policy.on_quota == "wait"
        return await self._desk.engine.entitler.charge_one(tx, run, now, wait=wait)

    async def make_room(self, tx: Transaction, effects: Effects, row: ScheduleRow, met: Collision) -> None:
        """Stop the runs of a schedule that a new one is to replace."""
        await tx.runs.move(met.moves)
        await tx.journal.append(
            [
                self._desk.run_event(EventKind.RUN_CANCELLED, row, move.run_id, {"reason": move.reason})
                for move in met.moves
            ]
        )
        effects.cancel.extend(met.cancel)
        await want_stopped(tx, met.cancel)
        effects.withdrawn.extend(move.run_id for move in met.moves)


async def _parents_of(source: Reader | Transaction, row: ScheduleRow, old: RunRow) -> Parents:
    """What the runs left that one followed which is run again."""
    first = await _first_of(source, old)
    followed = None if first is None else parent_of(first.occurrence)
    cause = None if followed is None else await source.runs.get(followed)
    if first is None or cause is None:
        return NOBODY
    parents = [cause, *await _joined(source, row, first, cause)]
    rows = await source.schedules.get_many(sorted({each.schedule_id for each in parents}))
    left, *joined = [left_by(each, rows.get(each.schedule_id)) for each in parents]
    return following(left, joined)


async def _first_of(source: Reader | Transaction, run: RunRow | None) -> RunRow | None:
    """The run for which one was run again, or those before it were."""
    while run is not None and run.occurrence.startswith(AGAIN):
        run = await source.runs.get(run.occurrence.removeprefix(AGAIN))
    return run


async def _joined(source: Reader | Transaction, row: ScheduleRow, run: RunRow, cause: RunRow) -> list[RunRow]:
    """The other runs that one joined with the run that caused it: of each parent the success that had ended last."""
    joining = [link.schedule for link in links_of(row) if link.when == "all"]
    if cause.schedule_id not in joining or not names_parents(row.args):
        return []
    found: list[RunRow] = []
    for parent in joining:
        if parent == cause.schedule_id:
            continue
        succeeded = RunFilter(any_guild=True, schedule_id=parent, state=RunState.SUCCEEDED)
        before = await source.runs.page(succeeded, run.id, MOST_BETWEEN)
        ended = [each for each in before if each.ended is not None and each.ended <= run.created]
        found += sorted(ended, key=lambda each: each.ended or 0)[-1:]
    return found
