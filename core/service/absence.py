"""Absence: why nobody takes the runs of a handler at the moment, in words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.engine.engine import Engine
from core.engine.ports import Instance
from core.engine.routing import Routing
from schedule_zero.instant import spell
from schedule_zero.schedule import Schedule


class Absence(msgspec.Struct, frozen=True):
    """What is wrong with a handler for somebody, as a sentence, and how many of the places there are in use. ``limit``:
    what is short, where it is not the handler as such: ``capability`` or ``version``."""

    words: str
    used: int = 0
    allowed: int = 0
    limit: str | None = None


def absence(
    engine: Engine, handler: str, guild_id: str | None, method: str | None = None, *, everybodys: bool,
    routing: Routing | None = None,
) -> Absence | None:  # fmt: skip
    """Why no process takes a run of this guild; None where one could, or can again by now.

    Args:
        method: which the run needs; None: any will do.
        routing: what else it wants.
        everybodys: it is said to who runs the service; to others a handler that works for another guild is none.
    """
    there = engine.fleet.instances(handler)
    ours = [each for each in there if each.works_for(guild_id)]
    if not ours and there and everybodys:
        return Absence(
            f"Handler {handler} is connected for other servers only; it goes on when one for this server is."
        )
    if not ours:
        left = engine.reception.left_at(handler, (None, guild_id))
        since = "" if left is None else f", and none has been since {spell(left)}"
        return Absence(f"No handler {handler} is connected{since}; it goes on when one is.")
    able = [each for each in ours if method is None or method in each.methods]
    if not able:
        return Absence(f"Handler {handler} is connected, but no process of it has the method {method}.")
    if routing is not None and (short := shortage(handler, able, routing)) is not None:
        return short
    if routing is not None:
        able = [each for each in able if routing.met_by(each)]
    staying = [each for each in able if not each.draining]
    if not staying:
        return Absence(
            f"Handler {handler} is drained: its processes get nothing new; it goes on when one takes work again."
        )
    working = [each for each in staying if each.available and each.credit > 0 and not each.silent]
    if not working:
        return Absence(f"Handler {handler} is connected, but cannot work at the moment{_trouble(staying)}.")
    if any(each.in_flight < each.credit for each in working):
        return None
    used, allowed = sum(each.in_flight for each in working), sum(each.credit for each in working)
    words = f"Handler {handler} has {used} of {allowed} runs going at once{_trouble(working)}"
    return Absence(f"{words}; the next can start when one of them ends.", used, allowed)


def with_shortage_note(engine: Engine, view: Schedule) -> Schedule:
    """The schedule as answered, with a note where its handler is there and no process of it is what its policy asks for."""
    policy = view.policy
    if policy.needs or policy.version is not None:
        able = [
            each for each in engine.fleet.instances(view.handler)
            if view.method in each.methods and each.works_for(view.guild_id)
        ]  # fmt: skip
        short = shortage(view.handler, able, Routing(needs=policy.needs, version=policy.version)) if able else None
        note = None if short is None else f"its runs will wait: {short.words}"
        if note is not None and note not in view.notes:  # a transaction may be made twice
            view.notes = (*view.notes, note)
    return view


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


def _trouble(instances: Sequence[Instance]) -> str:
    """What is known to be wrong, if there is something wrong with all of them."""
    known = [each.ailing for each in instances]
    return f", and is unhealthy ({known[0]})" if all(known) else ""
