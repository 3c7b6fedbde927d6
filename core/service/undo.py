"""Undo: taking the last change to a schedule back, while its token lives."""

from __future__ import annotations

import msgspec

from core.engine.plan import rule_of
from core.ledger.port import NameTaken, Transaction
from core.ledger.rows import ScheduleRow, UndoRow
from core.service import access
from core.service.desk import Desk, Effects, with_undo
from core.service.render import schedule_view
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Gone
from schedule_zero.event import EventKind
from schedule_zero.requests import Undo
from schedule_zero.schedule import Policy, Schedule

_row = msgspec.json.Decoder(ScheduleRow).decode


class Undoing:
    """Takes changes back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def undo(self, actor: Actor, request: Undo) -> Schedule:
        """The schedule as it was before the change; a created one becomes deleted.

        Raises:
            Gone: the token ran out, was used, or never was.
            Conflict: the schedule has changed again since.
        """

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            undo = await self._valid(tx, request.token)
            current = access.require_schedule(actor, await tx.schedules.get(undo.schedule_id), undo.schedule_id)
            access.require_change(actor, current)
            if current.revision != undo.revision:
                raise Conflict("The schedule has been changed again since then; undo the newer change first.")
            restored = self._restored(undo, current)
            try:
                await tx.schedules.replace(restored, expected=current.revision)
            except NameTaken:
                raise Conflict(f"Its name {restored.name!r} is taken by another schedule now.") from None
            await tx.notes.forget_undo(undo.token)
            kind = EventKind.SCHEDULE_DELETED if restored.state == "deleted" else EventKind.SCHEDULE_UPDATED
            again = await self._desk.record(tx, actor, kind, "schedule.undo", current, restored, {"undone": True})
            effects.schedules.append(restored)
            return with_undo(schedule_view(restored, now=self._desk.clock.now()), again)

        return await self._desk.change(actor, request, Schedule, work)

    async def _valid(self, tx: Transaction, token: str) -> UndoRow:
        undo = await tx.notes.undo(token)
        if undo is None or undo.until < self._desk.clock.now():
            raise Gone("It is too late to undo this; changes can be taken back for 15 minutes, once.")
        return undo

    def _restored(self, undo: UndoRow, current: ScheduleRow) -> ScheduleRow:
        """The old definition under a new revision; what fired meanwhile stays fired."""
        now = self._desk.clock.now()
        old = current if undo.before is None else _row(undo.before)
        state = "deleted" if undo.before is None else old.state
        row = msgspec.structs.replace(
            old, state=state, revision=current.revision + 1, updated=now, last_due=current.last_due,
            fired=current.fired, next_due=None,
        )  # fmt: skip
        if row.state == "active":
            rule = rule_of(row, msgspec.json.decode(row.policy, type=Policy))
            row.next_due = rule.next_after(max(now, row.last_due or 0))
            if row.next_due is None:
                row.state = "done"
        return row
