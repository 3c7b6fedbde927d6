"""Beginning afresh in a restored backup: another epoch of the journal, and nothing done again that lies behind.

What a backup says is due was due when it was made, and has most likely been done since. Unless it shall be fired, it is
passed over here, before any core opens the store. Nothing runs meanwhile, and nothing follows what is ended so. Done a second
time it finds nothing more to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
import structlog

from core.engine.admit import advance_of, decide, events_of, look, passed_over
from core.engine.books import Books
from core.engine.events import about_run, facts
from core.engine.plan import Plan, PlanBook
from core.engine.tick_unit import leave_out_known
from core.ledger.port import Ledger, Reader, Transaction
from core.ledger.rows import AttemptRow, Move, RunRow
from schedule_zero.event import EventKind
from schedule_zero.ids import IdMaker
from schedule_zero.instant import SECOND
from schedule_zero.run import RunState, SkipReason

log = structlog.get_logger("schedule_zero.afresh")

Missed = Literal["skip", "fire"]
RESTORED: Final = "a backup was restored"
"""Why an attempt was ended that was open in a backup, or one that waited to be tried again."""
_PAGE: Final = 500
_EVERY_SESSION: Final = 2**62
CALENDAR_LINK: Final = "calendar_link"
"""The kind of document that a link for calendar programs is kept as."""


class PassedOver(msgspec.Struct):
    """What was not done again: schedules with times that lay behind, and runs that waited or were under way.

    Attributes:
        links: links for calendar programs that were ended.
    """

    schedules: int = 0
    runs: int = 0
    links: int = 0


async def begin_afresh(ledger: Ledger, now: int, missed: Missed) -> PassedOver:
    """Make an open store ready for its next core, as one that was restored.

    Args:
        missed: ``skip``: what was due before ``now`` is missed. ``fire``: a core finds it as it stands, as after any
            other time away.
    """
    done = PassedOver()
    if missed == "skip":
        done.schedules = await _pass_over_schedules(ledger, now)
        done.runs = await _pass_over_waiting(ledger, now) + await _end_open(ledger, now)
    epoch, _ = await ledger.reader.journal.head()

    async def unit(tx: Transaction) -> None:
        # Whoever has seen a later epoch than the backup's, by an earlier restoring, must not take this one for it.
        await tx.journal.begin_epoch(max(epoch + 1, now // SECOND))
        await tx.sessions.purge(_EVERY_SESSION)  # who signed out since then is not signed in again
        links = await tx.notes.all(CALENDAR_LINK)  # one that was ended or replaced since then is not good again
        await tx.notes.put(CALENDAR_LINK, dict.fromkeys(links))
        done.links = len(links)

    await ledger.write(unit)
    return done


async def _pass_over_schedules(ledger: Ledger, now: int) -> int:
    """Each schedule with due times behind it gets one ``missed`` row for all of them, and goes on behind now."""
    ids, uncomputable, passed = IdMaker(), set[str](), 0
    while True:
        due = await ledger.reader.schedules.due_until(now, _PAGE + len(uncomputable))
        some = {each.id: each.next_due for each in due if each.id not in uncomputable}
        if not some:
            return passed
        plans = await _plans(ledger.reader, list(some))
        uncomputable.update(some.keys() - plans.keys())

        async def unit(tx: Transaction, due: Mapping[str, int] = some, plans: Mapping[str, Plan] = plans) -> None:
            firings = [passed_over(look(plan, due[id], now)) for id, plan in plans.items()]
            decisions = [
                decide(firing, advance_of(firing), now, (), lambda: ids.make("run", now)) for firing in firings
            ]
            await tx.schedules.advance([decision.advance for decision in decisions])
            await leave_out_known(tx, decisions)
            await tx.runs.insert([run for decision in decisions for run in decision.runs])
            pairs = zip(firings, decisions, strict=True)
            await tx.journal.append([told for each, made in pairs for told in events_of(made, each.plan.row, now)])

        await ledger.write(unit)
        passed += len(plans)


async def _plans(reader: Reader, ids: Sequence[str]) -> dict[str, Plan]:
    """What can be computed of them. What cannot stays due; a core will block it and say why."""
    book, plans = PlanBook(_PAGE), dict[str, Plan]()
    for row in (await reader.schedules.get_many(ids)).values():
        try:
            plans[row.id] = book.add(row)
        except Exception:  # any fault in one stored schedule must not keep the others from being restored
            log.warning("rule cannot be computed", schedule_id=row.id, exc_info=True)
    return plans


async def _pass_over_waiting(ledger: Ledger, now: int) -> int:
    """Runs that could have begun by now are missed, or cancelled where they had begun once."""
    after: tuple[int, str] | None = None
    passed = 0
    while page := await ledger.reader.runs.waiting(after, _PAGE):
        after = page[-1].due, page[-1].id
        ready = [run for run in page if (run.not_before or run.due) <= now]
        await _end(ledger, ready, now)
        passed += len(ready)
        if page[-1].due > now:
            break
    return passed


async def _end_open(ledger: Ledger, now: int) -> int:
    """Attempts that were under way are over: what their handlers may still say of them is late."""
    found = await ledger.reader.runs.open()
    for place in range(0, len(found), _PAGE):
        some = found[place : place + _PAGE]
        await _end(ledger, [run for run, _, _ in some], now, [attempt for _, attempt, _ in some])
    return len(found)


async def _end(ledger: Ledger, runs: Sequence[RunRow], now: int, attempts: Sequence[AttemptRow] = ()) -> None:
    if not runs:
        return
    moves = [_end_of(run, now) for run in runs]
    books = Books(now)
    books.give_back(run.charged for run in runs if run.attempt == 0)

    async def unit(tx: Transaction) -> None:
        await tx.runs.move(moves)
        await books.write(tx)
        if attempts:
            over = {"ended": now, "outcome": "cancelled", "error": RESTORED}
            await tx.runs.finish([msgspec.structs.replace(attempt, **over) for attempt in attempts])
        await tx.journal.append(
            [
                about_run(run, _KINDS[move.after], now, facts({"reason": move.reason}))
                for run, move in zip(runs, moves, strict=True)
            ]
        )

    await ledger.write(unit)


_KINDS: Final = {RunState.SKIPPED: EventKind.RUN_SKIPPED, RunState.CANCELLED: EventKind.RUN_CANCELLED}


def _end_of(run: RunRow, now: int) -> Move:
    untried = run.attempt == 0
    return Move(
        run_id=run.id, before=run.state, before_attempt=run.attempt,
        after=RunState.SKIPPED if untried else RunState.CANCELLED, attempt=run.attempt, at=now,
        reason=SkipReason.MISSED if untried else RESTORED, lost=run.lost, schedule_id=run.schedule_id,
    )  # fmt: skip
