"""The desk: what every use case works with, and the one way a change is made.

A change is one transaction: the change, its event, its audit line, its undo token and the remembered answer for its
idempotency key. What follows outside (waking the scheduler) happens after the commit, from ``Effects``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec
import structlog

from core.engine.engine import Engine
from core.engine.events import about_schedule, facts
from core.engine.handover import Meaning
from core.governor.settings import Quota
from core.ledger.port import (
    ActiveRun,
    Ledger,
    NameTaken,
    OccurrenceTaken,
    Reader,
    StaleAdvance,
    StaleMove,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFull,
    Transaction,
)
from core.ledger.rows import AnswerRow, AuditRow, EventRow, Move, RunRow, ScheduleRow, UndoRow
from core.service import access
from core.service.closed import Closed
from core.service.effects import Effects
from core.service.facts import CLOSINGS, GUILD, Facts
from core.service.idempotency import answer_of, digest_of, key_of
from core.service.keyring import Keyring
from core.service.refusal import Refusal
from core.service.render import schedule_view
from core.timing.rule import Rule
from core.timing.zones import zone
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, ScheduleZeroError, StorageFull, Unavailable
from schedule_zero.event import EventKind
from schedule_zero.ids import IdMaker
from schedule_zero.instant import DAY, MINUTE, spell
from schedule_zero.requests import NoteGuild, Request
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule, UndoToken
from schedule_zero.trigger import Trigger

log = structlog.get_logger(__name__)

UNDO_FOR: Final = 15 * MINUTE
REMEMBER_FOR: Final = DAY
LOOKS: Final = 5
ERRAND: Final = "errand"
NO_GUILD: Final = "-"

V = TypeVar("V")
_encode: Final = msgspec.json.Encoder().encode


class _What(msgspec.Struct):
    """Of an errand: what it does."""

    what: str


class Desk:
    """Shared by all use cases.

    Attributes:
        facts: what guilds and people have set.
        closed: what guilds keep closed, for rows that are drafted.
        may_erase: whether a guild may be being erased, so that changes look whether theirs is; see ``Errands.load``.
    """

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self.engine = engine
        self.keyring = keyring
        self.may_erase = True
        self._changes: set[asyncio.Task[Any]] = set()
        self._when_undone: list[Callable[[], None]] = []
        self._when_saved: list[Callable[[Sequence[ScheduleRow]], None]] = []
        self.clock = engine.clock
        self.ids: IdMaker = engine.ids
        self.ledger: Ledger = engine.ledger
        self.facts = Facts(engine)
        self.closed = Closed(engine)

    @property
    def reader(self) -> Reader:
        return self.ledger.reader

    async def change(
        self, actor: Actor, request: Request, answer: type[V],
        work: Callable[[Transaction, Effects], Awaitable[V | Refusal]],
    ) -> V:  # fmt: skip
        """Make a change once, whatever happens between here and the client.

        Raises:
            ScheduleZeroError: what the work raised, and nothing it wrote stays; or its ``Refusal``, and all of it does.
            Conflict: the idempotency key was used for another request.
            StorageFull, Unavailable: the store cannot take it now.
        """
        effects = Effects()
        key = key_of(actor, request)
        digest = "" if key is None else digest_of(request)

        async def unit(tx: Transaction) -> V | Refusal:
            effects.clear()  # a group that fails is played again
            if key is not None:
                known = answer_of(await tx.notes.answer(key), digest, self.clock.now())
                if known is not None:
                    return msgspec.json.decode(known, type=answer)
            view = await self._worked(tx, effects, work)
            if isinstance(view, Refusal):
                return view
            if not isinstance(request, NoteGuild):  # where the bot is stays true
                await self._require_none_erased(tx, effects)
            if key is not None:
                text = msgspec.json.encode(view).decode()
                until = self.clock.now() + REMEMBER_FOR
                await tx.notes.remember_answer(AnswerRow(key=key, digest=digest, answer=text, until=until))
            return view

        done = await self._carried_out(unit, effects)
        if isinstance(done, Refusal):
            raise done.error
        return done

    async def carry_on(self, work: Callable[[Transaction, Effects], Awaitable[V]]) -> V:
        """Make a change that the service goes on with by itself, as a part of one that somebody asked for before.

        Raises:
            StorageFull, Unavailable: the store cannot take it now.
        """
        effects = Effects()

        async def unit(tx: Transaction) -> V:
            effects.clear()
            return await self._worked(tx, effects, work)

        return await self._carried_out(unit, effects)

    async def _worked(
        self, tx: Transaction, effects: Effects, work: Callable[[Transaction, Effects], Awaitable[V]]
    ) -> V:
        """The work, and what it means for other cores left for them in the same transaction."""
        done = await work(tx, effects)
        if self.shared:
            meaning = Meaning(effects.schedules, effects.runs, effects.withdrawn, effects.cancel)
            await self.engine.handing.leave(tx, meaning, self.clock.now())
            if effects.keys:
                tx.buckets.rules_change()
        return done

    async def _require_none_erased(self, tx: Transaction, effects: Effects) -> None:
        """Raises Conflict where this makes something for a guild of which everything is being erased."""
        if not (self.may_erase or self.shared):
            return
        made = {row.guild_id for rows in (effects.schedules, effects.runs, effects.keys) for row in rows}
        told = {key for kind, key in effects.facts if kind in (GUILD, CLOSINGS)}
        for guild_id in (made | told) - {None}:
            text = await tx.notes.get(ERRAND, f"guild:{guild_id}")
            if text is not None and msgspec.json.decode(text, type=_What).what == "erase_guild":
                raise Conflict("Everything of this server is being erased; try again when that is done.")

    async def _carried_out(self, unit: Callable[[Transaction], Awaitable[V]], effects: Effects) -> V:
        """Commit a unit, and let the engine have what follows from it."""

        async def carry_out() -> V:
            view = await self._written_beside_others(unit)
            await self._apply(effects)
            return view

        # Whoever asked may be gone by now; what is committed must reach the engine all the same.
        task = asyncio.create_task(carry_out(), name="change")
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_unheard)
            raise
        finally:
            del task  # it holds its error, and the error this frame

    async def known(self, actor: Actor, request: Request, answer: type[V]) -> V | None:
        """What this request was answered before, under its idempotency key; so a late repetition is not judged anew.

        Raises:
            Conflict: the key was used for another request.
            Invalid: the key is too long.
        """
        key = key_of(actor, request)
        if key is None:
            return None
        text = answer_of(await self.reader.notes.answer(key), digest_of(request), self.clock.now())
        return None if text is None else msgspec.json.decode(text, type=answer)

    def quota(self, actor: Actor, guild_id: str | None) -> Quota:
        """What limits a schedule of this guild. A person's own, made outside any guild, are limited as in a new guild."""
        alone = guild_id is None and actor.kind == "member"
        return self.engine.measures.quota_of(NO_GUILD if alone else guild_id)

    async def write(self, unit: Callable[[Transaction], Awaitable[V]]) -> V:
        """Run a unit, with the store's refusals in the client's words."""
        try:
            return await self._written(unit)
        except StoreFull:
            raise StorageFull(
                "The disk is nearly full, so nothing new can be saved; what is scheduled goes on. Free some space and "
                "try again."
            ) from None
        except StoreBusy as error:
            raise Unavailable(
                f"More is asked for than can be saved at the moment ({error}); try again a little later.",
                retry_after=error.retry_after,
            ) from None
        except StoreClosed as error:
            raise Unavailable(f"The service is stopping ({error}); try again in a moment.") from None
        except StoreError as error:
            raise Unavailable(f"The store cannot take this now ({error}); try again in a moment.") from None

    @property
    def shared(self) -> bool:
        """Whether other cores change the same store, so that nothing that can change is kept in memory."""
        return self.engine.territory.shared

    async def _written_beside_others(self, unit: Callable[[Transaction], Awaitable[V]]) -> V:
        """Where another core changed what a unit had read, the unit looks again."""
        for _ in range(LOOKS if self.shared else 0):
            try:
                return await self.write(unit)
            except (StaleMove, StaleAdvance, OccurrenceTaken):
                log.info("another core was quicker; a change looks again")
        return await self.write(unit)

    def when_saved(self, heard: Callable[[Sequence[ScheduleRow]], None]) -> None:
        """Call with committed schedules that are new or different."""
        self._when_saved.append(heard)

    def when_undone(self, forget: Callable[[], None]) -> None:
        """Call when a group was taken back: what was learned in it, of its other units too, may not be so."""
        self._when_undone.append(forget)

    async def _written(self, unit: Callable[[Transaction], Awaitable[V]]) -> V:
        try:
            return await self.ledger.write_new(unit)
        except StoreError:
            for forget in self._when_undone:
                forget()
            raise

    def view(
        self,
        row: ScheduleRow,
        *,
        trigger: Trigger | None = None,
        rule: Rule | None = None,
        newest: RunRow | None = None,
    ) -> Schedule:
        """A schedule as answered (``schedule_view``)."""
        return schedule_view(row, self.engine.fleet, trigger=trigger, rule=rule, newest=newest)

    def line(
        self, actor: Actor, action: Action, target: str, guild_id: str | None, before: str | None = None,
        after: str | None = None, *, by: str | None = None,
    ) -> AuditRow:  # fmt: skip
        """The audit line of a change, as of now. ``before``, ``after``: JSON of an object; None: there was, or is, nothing.
        ``by``: who made it, where the actor speaks for somebody who is none."""
        return AuditRow(
            at=self.clock.now(), guild_id=guild_id, actor=by or actor.who, action=action, target=target,
            before=before, after=after, via=actor.via,
        )  # fmt: skip

    async def record(
        self, tx: Transaction, actor: Actor, kind: str, action: Action, before: ScheduleRow | None, after: ScheduleRow,
        data: dict[str, Any] | None = None,
    ) -> UndoToken:  # fmt: skip
        """The event, the audit line and the undo token of one change to a schedule."""
        undos = await self.record_many(tx, actor, kind, action, [(before, after)], data)
        return undos[0]

    async def record_many(
        self, tx: Transaction, actor: Actor, kind: str, action: Action,
        changes: Sequence[tuple[ScheduleRow | None, ScheduleRow]], data: dict[str, Any] | None = None,
    ) -> list[UndoToken]:  # fmt: skip
        """The same for many schedules, one statement a table."""
        now = self.clock.now()
        await self.tell(tx, actor, kind, [after for _, after in changes], data)
        lines, undos = [], []
        until = now + UNDO_FOR
        ends = {timezone: spell(until, zone(timezone)) for timezone in {after.timezone for _, after in changes}}
        for before, after in changes:
            old = None if before is None else _encode(before).decode()
            lines.append(self.line(actor, action, after.id, after.guild_id, old, _encode(after).decode()))
            undos.append(
                UndoRow(token=self.ids.make("und", now), schedule_id=after.id, guild_id=after.guild_id,
                        actor=actor.id, revision=after.revision, before=old, until=until)
            )  # fmt: skip
        await tx.notes.audit(lines)
        await tx.notes.remember_undo(undos)
        return [
            UndoToken(token=undo.token, until=ends[after.timezone])
            for undo, (_, after) in zip(undos, changes, strict=True)
        ]

    async def tell(
        self, tx: Transaction, actor: Actor, kind: str, rows: Sequence[ScheduleRow], data: dict[str, Any] | None = None
    ) -> None:
        """The events of one change to these schedules, which are written in this transaction."""
        told = {
            revision: facts({"actor": actor.id, "revision": revision, **(data or {})})
            for revision in {row.revision for row in rows}
        }
        now = self.clock.now()
        await tx.journal.append([about_schedule(row, kind, now, told[row.revision]) for row in rows])

    def run_event(self, kind: str, schedule: ScheduleRow, run_id: str, data: dict[str, Any]) -> EventRow:
        """An event about a run of a schedule, as of now."""
        return about_schedule(schedule, kind, self.clock.now(), facts(data), run_id=run_id)

    async def cancel_waiting(self, tx: Transaction, effects: Effects, row: ScheduleRow, reason: str) -> tuple[str, ...]:
        """Cancel the runs of a schedule that have no attempt yet: what pausing and deleting do.

        Returns:
            Notes for who does it: how many that were, if there were any.
        """
        waiting = await self.unused(tx, row)
        await self.withdraw(tx, effects, row, waiting, RunState.CANCELLED, reason)
        if not waiting:
            return ()
        if len(waiting) == 1:
            return ("a run that waited was cancelled, and Undo does not bring it back",)
        return (f"{len(waiting):,} runs that waited were cancelled, and Undo brings none of them back",)

    async def unused(self, tx: Transaction, row: ScheduleRow) -> list[ActiveRun]:
        """The runs of a schedule that wait and have no attempt yet."""
        active = (await tx.runs.active([row.id])).get(row.id, [])
        return [run for run in active if run.state is RunState.WAITING and run.attempt == 0]

    async def withdraw(
        self, tx: Transaction, effects: Effects, row: ScheduleRow, runs: Sequence[ActiveRun],
        after: Literal[RunState.CANCELLED, RunState.SKIPPED], reason: str,
    ) -> None:  # fmt: skip
        """End some of these (``unused``), and give back what they were charged."""
        if not runs:
            return
        kind = EventKind.RUN_CANCELLED if after is RunState.CANCELLED else EventKind.RUN_SKIPPED
        now = self.clock.now()
        await tx.runs.move(
            [Move(run_id=run.id, before=RunState.WAITING, before_attempt=0, after=after, attempt=0, at=now,
                  reason=reason, schedule_id=row.id) for run in runs]
        )  # fmt: skip
        await self.engine.entitler.give_back(tx, [run.charged for run in runs])
        await tx.journal.append([self.run_event(kind, row, run.id, {"reason": reason}) for run in runs])
        effects.withdrawn.extend(run.id for run in runs)

    async def placed(self, actor: Actor) -> Actor:
        """Who asks, with the standing that the guild they speak in gives to their roles now. What they say of it themselves
        is not heeded."""
        if actor.standing:
            actor = msgspec.structs.replace(actor, standing="")
        if not access.gains_by_roles(actor):
            return actor
        return access.standed(actor, await self.facts.guild_settings(actor.guild_id))

    async def _apply(self, effects: Effects) -> None:
        for key in effects.keys:  # first: who is revoked is cut off before anybody hears that it is done
            self.keyring.put(key)
        self.facts.forget(effects.facts)
        if effects.schedules:
            await self.engine.consequences.schedules_changed(effects.schedules)
            for heard in self._when_saved:
                heard(effects.schedules)
        self.engine.consequences.runs_withdrawn(effects.withdrawn)
        self.engine.consequences.runs_created(effects.runs)
        self.engine.consequences.cancel_open(effects.cancel)
        for step in effects.steps:
            step()


def _unheard(change: asyncio.Task[Any]) -> None:
    """Who asked is gone. A refusal concerns nobody any more; a defect does."""
    error = None if change.cancelled() else change.exception()
    if error is not None and not isinstance(error, (ScheduleZeroError, NameTaken)):
        log.error("a change failed, and who asked for it was gone", exc_info=error)


def with_undo(schedule: Schedule, undo: UndoToken) -> Schedule:
    """The schedule as answered after a change."""
    schedule.undo = undo
    return schedule
