"""Chaining: whether a schedule may run after others as it is asked for, and what it is then.

What a draft can tell is told with its other mistakes; what only the transaction can know, because others save links at
the same moment, is required there: no circle, and bounds on what one run may lead to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from core.engine.chains import parent_of
from core.engine.placeholders import BadPlaceholder, has_placeholders, placeholders_in
from core.ledger.links import parents_of
from core.ledger.port import LinkReads, Transaction
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.graph import Pair, cycle_in, longest_through, most_from_one
from core.service.policy import Mistakes
from core.service.render import NO_TRIGGER
from core.timing.say import say_length
from schedule_zero.actor import Actor
from schedule_zero.errors import Invalid
from schedule_zero.instant import DAY, SECOND, parse_duration
from schedule_zero.run import RunState, SkipReason
from schedule_zero.schedule import After, AfterWhen, ScheduleSpec

LONGEST_DELAY: Final = 366 * DAY
MOST_CHILDREN: Final = 50
LONGEST: Final = 20
MOST_TOGETHER: Final = 500
MOST_FROM_ONE: Final = 1_000
ALONE: Final = ("start", "until", "count", "calendar", "active_hours")
"""Fields that say something about due times, of which a schedule without a trigger has none."""

_JOINT: Final = "; "
_VERB: Final[Mapping[AfterWhen, str]] = {"success": "succeeds", "failure": "fails", "any": "ends"}

Rows = Mapping[str, ScheduleRow]
NONE_ABOVE: Final[Rows] = {}


def title_of(row: ScheduleRow | None, id: str) -> str:
    """What people call a schedule."""
    return id if row is None or row.name is None else row.name


def links_mistakes(spec: ScheduleSpec, parents: Rows, before: ScheduleRow | None, mistakes: Mistakes) -> None:
    """What is wrong with the links of a spec. ``parents``: those of them that there are, for who asks and in this guild.

    A link that is there already may lead to a schedule that is gone: it stays until it is taken away.
    """
    kept = set(parents_of(before)) if before is not None else set()
    whens: dict[str, list[AfterWhen]] = {}
    for place, link in enumerate(spec.after):
        field = f"after[{place}]"
        if before is not None and link.schedule == before.id:
            mistakes.add(f"{field}.schedule", "a schedule cannot run after itself")
        elif link.schedule not in parents and link.schedule not in kept:
            mistakes.add(f"{field}.schedule", f"there is no schedule {link.schedule!r} here to run after")
        _delay_mistakes(link, f"{field}.delay", mistakes)
        whens.setdefault(link.schedule, []).append(link.when)
        if len(whens[link.schedule]) > 1 and set(whens[link.schedule]) != {"success", "failure"}:
            mistakes.add(field, "names a schedule again; only success and failure of one go together")
    if spec.trigger is not None:
        return
    if not spec.after:
        mistakes.add("trigger", "is missing; only a schedule that runs after others goes without one")
    for name in ALONE if spec.after else ():
        if getattr(spec, name) is not None:
            mistakes.add(name, "is about due times, and a schedule without a trigger has none; leave it out")


def _delay_mistakes(link: After, field: str, mistakes: Mistakes) -> None:
    try:
        delay = parse_duration(link.delay)
    except ValueError as error:
        mistakes.add(field, str(error))
    else:
        if delay > LONGEST_DELAY:
            mistakes.add(field, "must be at most P366D")


def placeholder_places(
    spec: ScheduleSpec, args: str, parents: Rows, before: ScheduleRow | None, mistakes: Mistakes
) -> set[str]:
    """Where the arguments hold what only a run will know, after looking for what is wrong with that."""
    if not has_placeholders(args):
        return set()
    if not spec.after:
        if before is not None and before.follows and _some(spec.args):
            mistakes.add("args", "take something from the run before, and there is none any more; change them first")
        return set()  # there, such words are only words
    try:
        found = placeholders_in(spec.args)
    except BadPlaceholder as error:
        mistakes.add(error.place, error.message)
        return set()
    known = {link.schedule for link in spec.after}
    known |= {row.name for id, row in parents.items() if id in known and row.name is not None}
    for each in found:
        wanted = each.placeholder
        if wanted.name is not None and wanted.name not in known:
            mistakes.add(each.place, f"it does not run after {wanted.name!r}; it does after {', '.join(sorted(known))}")
        if spec.trigger is not None and wanted.fallback is None:
            message = f"at a time of its own it follows nothing; say what then: {wanted.text[:-1]}|…}}"
            mistakes.add(each.place, message)
    return {each.place for each in found}


def _some(args: dict[str, Any]) -> bool:
    try:
        return bool(placeholders_in(args))
    except BadPlaceholder:
        return False


def words_after(after: Sequence[After], parents: Rows) -> str:
    """When a schedule runs that follows others, in words: "after backup succeeds"."""
    said: list[str] = []
    joined = [title_of(parents.get(link.schedule), link.schedule) for link in after if link.when == "all"]
    for link in after:
        if link.when == "all":
            continue
        title = title_of(parents.get(link.schedule), link.schedule)
        said.append(f"{_later(link)}after {title} {_VERB[link.when]}")
    if joined:
        delays = [link for link in after if link.when == "all" and parse_duration(link.delay)]
        have = "has" if len(joined) == 1 else "have"
        said.append(f"{_later(delays[0]) if delays else ''}after {' and '.join(joined)} {have} succeeded")
    return ", or ".join(said)


def _later(link: After) -> str:
    delay = parse_duration(link.delay)
    return f"{say_length(-(-delay // SECOND))} " if delay else ""


def with_links(words: str, after: Sequence[After], parents: Rows) -> str:
    """The words of a trigger, and those of links."""
    return _JOINT.join(part for part in (words, words_after(after, parents)) if part)


def own_words(row: ScheduleRow) -> str:
    """The words of a row's trigger, without those of its links; none where it has no trigger."""
    if row.trigger == NO_TRIGGER:
        return ""
    return row.words.partition(_JOINT)[0] if row.follows else row.words


class Chaining:
    """What chains ask of saved schedules."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def parents(self, actor: Actor, spec: ScheduleSpec) -> Rows:
        """Those schedules a spec runs after that there are for its guild and for the actor."""
        if not spec.after:
            return {}
        rows = await self._desk.reader.schedules.get_many(sorted({link.schedule for link in spec.after}))
        return {
            id: row
            for id, row in rows.items()
            if row.guild_id == spec.guild_id and row.state != "deleted" and access.may_see(actor, row)
        }

    def begin(self, tx: Transaction, row: ScheduleRow) -> None:
        """Before anything else of a transaction that saves these links: who ends runs may wait for the schedule, and must
        not be waited for then."""
        if row.follows:
            tx.links.alone(row.guild_id, parents_of(row))

    async def require(self, tx: Transaction, row: ScheduleRow, before: ScheduleRow | None = None) -> None:
        """Raises Invalid unless the links of a row that is about to be saved make no circle and keep within bounds."""
        if not row.follows or row.state == "deleted":
            return
        if before is not None and before.after == row.after and before.state != "deleted":
            return
        self.begin(tx, row)
        fresh = [(parent, row.id) for parent in parents_of(row)]
        pairs, whole = await surroundings(tx.links, [row.id, *parents_of(row)], instead={row.id: fresh})
        cycle = cycle_in(pairs)
        if cycle is not None:
            rows = dict(await tx.schedules.get_many(sorted(set(cycle)))) | {row.id: row}
            start = cycle.index(row.id) if row.id in cycle else 0
            round_trip = [*cycle[start:-1], *cycle[:start], cycle[start]]
            way = " → ".join(title_of(rows.get(id), id) for id in round_trip)
            raise Invalid.at("after", f"that would go round in a circle: {way}")
        if not whole:
            raise Invalid.at("after", f"more than {MOST_TOGETHER} schedules would hang together; cut the chain in two")
        if longest_through(row.id, pairs) > LONGEST:
            raise Invalid.at(
                "after", f"more than {LONGEST} schedules would run one after another; make the chain shorter"
            )
        for parent, _ in fresh:
            if sum(each == parent for each, _ in pairs) > MOST_CHILDREN:
                raise Invalid.at("after", f"more than {MOST_CHILDREN} schedules would run after {parent}")
        if most_from_one(pairs) > MOST_FROM_ONE:
            raise Invalid.at("after", f"one run could lead to more than {MOST_FROM_ONE:,} others; let fewer ways meet")

    async def leave_out(self, tx: Transaction, effects: Effects, before: ScheduleRow, after: ScheduleRow) -> None:
        """What waits by a link that is taken away comes no more."""
        gone = set(parents_of(before)) - set(parents_of(after))
        if not gone:
            return
        unused = await self._desk.unused(tx, before)
        waiting = {parent: run for run in unused if (parent := parent_of(run.occurrence))}
        parents = await tx.runs.get_many(sorted(waiting)) if waiting else {}
        over = [run for parent, run in waiting.items() if parent in parents and parents[parent].schedule_id in gone]
        await self._desk.withdraw(tx, effects, before, over, RunState.SKIPPED, SkipReason.CHAIN)


async def surroundings(
    reads: LinkReads, ids: Iterable[str], *, instead: Mapping[str, Sequence[Pair]] | None = None
) -> tuple[list[Pair], bool]:
    """The links between all schedules that hang together with some, and whether these are all.

    Args:
        instead: the links of children that are about to have others than they have.
    """
    given = instead or {}
    pairs: dict[Pair, None] = {pair: None for some in given.values() for pair in some}
    seen: set[str] = set()
    fresh = set(ids)
    while fresh:
        seen |= fresh
        here = sorted(fresh)
        found = [(link.parent, link.child) for read in (reads.above, reads.below) for link in await read(here)]
        pairs.update(dict.fromkeys(pair for pair in found if pair[1] not in given))
        fresh = {id for pair in pairs for id in pair} - seen
        if len(seen) + len(fresh) > MOST_TOGETHER:
            return list(pairs), False
    return list(pairs), True


def spelled(after: Sequence[After]) -> list[dict[str, Any]]:
    """Links as a client sends them."""
    made: list[dict[str, Any]] = msgspec.to_builtins(tuple(after))
    return made
