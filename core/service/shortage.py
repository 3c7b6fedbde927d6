"""Shortage: what no process of a handler has, that a schedule asks for, in words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.engine.fleet import Fleet
from core.engine.ports import Instance
from core.engine.routing import Routing
from core.ledger.rows import ScheduleRow
from schedule_zero.schedule import Policy


class Absence(msgspec.Struct, frozen=True):
    """What is wrong with a handler for somebody, as a sentence, and how many of the places there are in use. ``limit``:
    what is short, where it is not the handler as such: ``capability`` or ``version``."""

    words: str
    used: int = 0
    allowed: int = 0
    limit: str | None = None


def shortage_notes(fleet: Fleet, row: ScheduleRow, policy: Policy) -> tuple[str, ...]:
    """A note, where the handler of a schedule is there and no process of it is what the policy asks for."""
    if not policy.needs and policy.version is None:
        return ()
    able = [
        each for each in fleet.instances(row.handler) if row.method in each.methods and each.works_for(row.guild_id)
    ]  # fmt: skip
    short = shortage(row.handler, able, Routing(needs=policy.needs, version=policy.version)) if able else None
    return () if short is None else (f"its runs will wait: {short.words}",)


def shortage(handler: str, able: Sequence[Instance], routing: Routing) -> Absence | None:
    """What none of these processes of a handler has, that a run wants; None where one has it all."""
    lacking = [routing.lacking(each) for each in able]
    if not all(lacking):
        return None
    everywhere = [words for words in min(lacking, key=len) if all(words in others for others in lacking)]
    limit = "version" if everywhere and everywhere[0].startswith("version") else "capability"
    goes_on = "it goes on when one has."
    if not everywhere:  # each has a part of it
        wanted = " and ".join(dict.fromkeys(words for others in lacking for words in others))
        return Absence(f"No process of handler {handler} has all of {wanted}; {goes_on}", limit=limit)
    missing = " and ".join(everywhere)
    there = ""
    if routing.version is not None:
        found = ", ".join(sorted({each.version or "none" for each in able}))
        there = f" (their versions: {found})" if f"version {routing.version}" in everywhere else ""
    return Absence(f"No process of handler {handler} has {missing}{there}; {goes_on}", limit=limit)
