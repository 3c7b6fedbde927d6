"""Undo: taking the last change to a schedule back, while its token lives."""

from __future__ import annotations

import msgspec

from core.engine.plan import exceptions_of, rule_of
from core.ledger.port import NameTaken, Transaction
from core.ledger.rows import ScheduleRow, UndoRow
from core.service import access
from core.service.chaining import Chaining
from core.service.closings import names_lost, remembering, stored_exceptions
from core.service.desk import Desk, Effects, with_undo
from core.service.policy import read_policy
from core.service.room import Room
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Gone, Invalid
from schedule_zero.event import EventKind
from schedule_zero.requests import Undo
from schedule_zero.schedule import Schedule

_OVER = frozenset({"done", "deleted"})
_row = msgspec.json.Decoder(ScheduleRow).decode


class Undoing:
    """Takes changes back."""

    def __init__(self, desk: Desk, room: Room, chaining: Chaining) -> None:
        self._desk = desk
        self._room = room
        self._chaining = chaining

    async def undo(self, actor: Actor, request: Undo) -> Schedule:
        """The schedule as it was before the change; a created one becomes deleted.

        Raises:
            Gone: the token ran out, was used, or never was.
            Conflict: the schedule has changed again since.
            QuotaExceeded: there is no room any more to bring it back.
        """

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            undo = await self._valid(tx, request.token)
            current = await tx.schedules.get(undo.schedule_id)
            if current is None or not access.may_see(actor, current):
                raise _too_late()
            access.require_change(actor, current)
            if current.revision != undo.revision:
                raise Conflict("The schedule has been changed again since then; undo the newer change first.")
            as_it_was = self._restored(undo, current)
            restored = await self._desk.as_closed(tx, as_it_was, of_old=True)
            if restored.state != "deleted":
                access.require_action(actor, current)
                access.require_action(actor, restored)
            if current.state in _OVER and restored.state not in _OVER:
                await self._room.require(tx, actor, restored)
            await self._require_links(tx, restored, current)
            await self._chaining.leave_out(tx, effects, current, restored)
            if restored.state in ("deleted", "paused"):
                await self._desk.cancel_waiting(tx, effects, current, restored.state)
            try:
                await tx.schedules.replace(restored, expected=current.revision)
            except NameTaken:
                raise Conflict(f"Its name {restored.name!r} is taken by another schedule now.") from None
            await tx.notes.forget_undo(undo.token)
            kind = EventKind.SCHEDULE_DELETED if restored.state == "deleted" else EventKind.SCHEDULE_UPDATED
            again = await self._desk.record(tx, actor, kind, "schedule.undo", current, restored, {"undone": True})
            effects.schedules.append(restored)
            view = self._desk.view(restored)
            view.notes += names_lost(as_it_was, restored)
            return with_undo(view, again)

        return await self._desk.change(actor, request, Schedule, work)

    async def _require_links(self, tx: Transaction, restored: ScheduleRow, current: ScheduleRow) -> None:
        try:
            await self._chaining.require(tx, restored, current)
        except Invalid as error:
            raise Conflict(f"What it ran after cannot be brought back: {error.errors[0].message}.") from None

    async def _valid(self, tx: Transaction, token: str) -> UndoRow:
        undo = await tx.notes.undo(token)
        if undo is None or undo.until < self._desk.clock.now():
            raise _too_late()
        return undo

    def _restored(self, undo: UndoRow, current: ScheduleRow) -> ScheduleRow:
        """The old definition under a new revision; what fired meanwhile stays fired."""
        now = self._desk.clock.now()
        old = current if undo.before is None else _row(undo.before)
        state = "deleted" if undo.before is None else old.state
        row = msgspec.structs.replace(
            old, state=state, revision=current.revision + 1, updated=now, last_due=current.last_due,
            fired=current.fired if old.trigger == current.trigger else old.fired, next_due=None,
        )  # fmt: skip
        row.exceptions = stored_exceptions(remembering(exceptions_of(row), current))
        if row.state == "active":
            row.next_due = _next_due(row, old.next_due, now)
            if row.next_due is None and not row.follows:
                row.state = "done"
        return row


def _too_late() -> Gone:
    return Gone("It is too late to undo this, or there is no such change; each can be taken back for 15 minutes, once.")


def _next_due(row: ScheduleRow, pending: int | None, now: int) -> int | None:
    """When it is due from now on. A last time that came meanwhile without its run is due still, as if nothing had been
    changed; it was minutes ago at most, and without it the schedule would be over without a word."""
    if row.count is not None and row.fired >= row.count:
        return None
    since = row.last_due or 0
    try:
        rule = rule_of(row, read_policy(row.policy))
    except ValueError as error:
        raise Conflict(f"Its rule as it was cannot be followed any more: {error}.") from None
    due = rule.next_after(max(now, since))
    return pending if due is None and pending is not None and pending > since else due
