"""Handing over: what one core did for guilds that another one works for.

Whoever somebody asks commits the change. What it means for the engine is the holder's business: it stands in the ledger,
in the same transaction, until the holder of its bucket has read it. Only ids are handed over, and whoever takes them
looks at what has become of them: taking twice, or late, does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from core.engine.ports import Answer
from core.engine.territory import Territory
from core.ledger.buckets import bucket_of
from core.ledger.port import NoteReads, Transaction
from core.ledger.rows import RunRow, ScheduleRow
from schedule_zero.ids import IdMaker
from schedule_zero.run import OPEN

KIND: Final = "handover"


class Handover(msgspec.Struct, omit_defaults=True):
    """What the holder of a bucket has to look at: ids of schedules and runs; answers for attempts under way there."""

    bucket: int
    schedules: list[str] = []
    runs: list[str] = []
    withdrawn: list[str] = []
    cancel: list[str] = []
    answers: list[Answer] = []


class Meaning(msgspec.Struct):
    """What a change means for the engine: new or changed schedules, new waiting runs, runs that ended while they
    waited, runs that shall stop."""

    schedules: Sequence[ScheduleRow] = ()
    runs: Sequence[RunRow] = ()
    withdrawn: Sequence[str] = ()
    cancel: Sequence[str] = ()


class Handing:
    """Leaves for others what is theirs, inside the transaction that made it."""

    def __init__(self, territory: Territory, ids: IdMaker) -> None:
        self._territory = territory
        self._ids = ids

    async def leave(self, tx: Transaction, meaning: Meaning, now: int) -> None:
        """Leave what a change means where another core works."""
        if not self._territory.shared:
            return
        owns, parts = self._territory.owns, _Parts()
        for schedule in meaning.schedules:
            if not owns(schedule.guild_id):
                parts.of(schedule.guild_id).schedules.append(schedule.id)
        for run in meaning.runs:
            if not owns(run.guild_id):
                parts.of(run.guild_id).runs.append(run.id)
        touched = [*meaning.withdrawn, *meaning.cancel]
        rows = await tx.runs.get_many(touched) if touched else {}
        for id in meaning.withdrawn:
            if id in rows and not owns(rows[id].guild_id):
                parts.of(rows[id].guild_id).withdrawn.append(id)
        for id in meaning.cancel:
            if id in rows and not owns(rows[id].guild_id):
                parts.of(rows[id].guild_id).cancel.append(id)
        await self._put(tx, parts, now)

    async def pass_on(self, tx: Transaction, answers: Sequence[Answer], now: int) -> list[Answer]:
        """Leave answers for attempts that are under way at another core, or will be when it has taken over; the others
        come back: they are late."""
        if not self._territory.shared or not answers:
            return list(answers)
        rows = await tx.runs.get_many([answer.run_id for answer in answers])
        late, parts = [], _Parts()
        for answer in answers:
            run = rows.get(answer.run_id)
            if (
                run is None
                or run.state not in OPEN
                or run.attempt != answer.attempt
                or self._territory.owns(run.guild_id)
            ):
                late.append(answer)
            else:
                parts.of(run.guild_id).answers.append(answer)
        await self._put(tx, parts, now)
        return late

    async def _put(self, tx: Transaction, parts: _Parts, now: int) -> None:
        if parts.by_bucket:
            documents = {
                self._ids.make("hnd", now): msgspec.json.encode(part).decode() for part in parts.by_bucket.values()
            }
            await tx.notes.put(KIND, documents)
            tx.buckets.hint()


class _Parts:
    """Handovers in the making, by bucket."""

    def __init__(self) -> None:
        self.by_bucket: dict[int, Handover] = {}

    def of(self, guild_id: str | None) -> Handover:
        bucket = bucket_of(guild_id)
        if bucket not in self.by_bucket:
            self.by_bucket[bucket] = Handover(bucket)
        return self.by_bucket[bucket]


async def left_for(notes: NoteReads, mine: Iterable[int]) -> Mapping[str, Handover]:
    """What stands in the ledger for the holder of these buckets, in the order it was left; by key."""
    wanted = set(mine)
    found = {key: msgspec.json.decode(text, type=Handover) for key, text in (await notes.all(KIND)).items()}
    return {key: found[key] for key in sorted(found) if found[key].bucket in wanted}


async def taken(tx: Transaction, keys: Iterable[str]) -> None:
    """These were looked at."""
    await tx.notes.put(KIND, dict.fromkeys(keys))
