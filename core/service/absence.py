"""Absence: why nobody takes the runs of a handler at the moment, in words."""

from __future__ import annotations

from collections.abc import Sequence

from core.engine.engine import Engine
from core.engine.ports import Instance
from core.engine.routing import Routing
from core.service.shortage import Absence, shortage
from schedule_zero.instant import spell


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


def _trouble(instances: Sequence[Instance]) -> str:
    """What is known to be wrong, if there is something wrong with all of them."""
    known = [each.ailing for each in instances]
    return f", and is unhealthy ({known[0]})" if all(known) else ""
