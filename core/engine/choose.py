"""Choose: which waiting runs start now, and where. Pure over the queue, the governor and the fleet's load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from core.engine.seats import Seats
from core.engine.waiting import Place
from core.governor.fairness import FairQueue, Waiting
from core.governor.governor import Governor
from core.governor.guard import BREAKER
from core.governor.verdict import Wait

AVAILABLE: Final = "available"


class Chosen(msgspec.Struct, gc=False):
    """A run that may start now, and the instance that gets it. What it took is held until it ends or is given back."""

    entry: Waiting
    place: Place
    instance: str
    taken_at: float


def choose(
    queue: FairQueue, governor: Governor, seats: Seats, now: float, limit: int, apart: Callable[[str], bool]
) -> list[Chosen]:
    """Up to ``limit`` runs in fair order. One that is refused is parked with the refusal, which ``why`` then tells.

    ``apart``: whether guilds wait for different instances of a handler. A breaker may be open for one guild alone.
    """
    chosen: list[Chosen] = []
    while len(chosen) < limit:
        entry = queue.next(now)
        if entry is None:
            break
        place: Place = entry.payload
        able = seats.able(place.handler, place.method, place.guild_id, place.routing)
        if not able:
            wait = Wait(scope=f"handler:{place.handler}", limit=AVAILABLE, used=0, allowed=0, until=None)
            queue.park(entry, wait, apart=apart(place.handler))
            continue
        verdict = governor.take(entry.guild, entry.method, able, now, entry.destination, entry.schedule)
        if isinstance(verdict, Wait):
            queue.park(entry, verdict, apart=verdict.limit == BREAKER or apart(place.handler))
            continue
        queue.started(entry)
        seats.take(verdict.handler, place.handler)
        chosen.append(Chosen(entry, place, verdict.handler, now))
    return chosen
