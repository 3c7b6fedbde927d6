"""Where a durable subscriber stands, and what it is therefore still to be told. Pure.

Most subscribers have one place. One that several processes share has one for each bucket of guilds, under names made
from its own, so that the buckets can be dealt out anew: nobody is told anything twice or left out by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from schedule_zero.event import BUCKETS, Event, bucket_of

Place = tuple[int, int]
"""(epoch, seq), as it was kept."""


class Standing(msgspec.Struct, frozen=True):
    """A subscriber's places.

    Attributes:
        name: of the subscriber.
        seq: everything up to here it has been told.
        new: nothing was kept of it.
        ahead: the buckets of which it has been told more, up to where; empty where it has one place.
    """

    name: str
    seq: int
    new: bool
    ahead: Mapping[int, int] = {}

    def wants(self, event: Event) -> bool:
        """Whether it has not been told of an event behind ``seq``."""
        return not self.ahead or event.seq > self.ahead.get(bucket_of(event.guild_id), 0)

    def kept(self, seq: int) -> list[tuple[str, int]]:
        """What is to be remembered when it has been told everything up to a number: names and their places."""
        if not self.ahead:
            return [(self.name, seq)]
        return [(name_of(self.name, bucket), max(seq, place)) for bucket, place in self.ahead.items()]


def name_of(name: str, bucket: int) -> str:
    """Under which name the place of one bucket is kept. No subscriber has such a name."""
    return f"{name}#{bucket}"


def names_of(name: str) -> list[str]:
    """The names of all its buckets' places."""
    return [name_of(name, bucket) for bucket in range(BUCKETS)]


def standing(
    name: str, buckets: Iterable[int], own: Place | None, of_buckets: Mapping[str, Place], epoch: int, head: int
) -> Standing:
    """Where a subscriber stands.

    In a restored backup it goes on where it stood when the backup was made: it may hear twice what it heard since, and
    misses nothing.

    Args:
        buckets: which it asks for; none: everything.
        own: its one place; ``of_buckets``: its buckets' places, by their names.
        epoch, head: of the journal.
    """

    def seq_of(place: Place | None) -> int:
        if place is None:
            return head
        return place[1] if place[0] == epoch else min(place[1], head)

    asked = sorted(set(buckets))
    if not asked and not of_buckets:
        return Standing(name, seq_of(own), own is None)
    places = {bucket: of_buckets.get(name_of(name, bucket), own) for bucket in asked or range(BUCKETS)}
    ahead = {bucket: seq_of(place) for bucket, place in places.items()}
    return Standing(name, min(ahead.values()), all(place is None for place in places.values()), ahead)
