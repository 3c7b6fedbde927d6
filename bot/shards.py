"""Shards dealt out: which of Discord's shards, and so which guilds, are this process's."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from schedule_zero.event import BUCKETS

MOST: Final = 10_000
_FORM: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?/(\d{1,5})")


class Part(msgspec.Struct, frozen=True):
    """Some of all shards: ``first`` to ``last`` of ``count``."""

    first: int
    last: int
    count: int

    @property
    def ids(self) -> list[int]:
        """The shards."""
        return list(range(self.first, self.last + 1))

    @property
    def leads(self) -> bool:
        """Whether this process does what is done once for all: it has the first shard."""
        return self.first == 0

    @property
    def label(self) -> str:
        """A name for files and parts of the service."""
        return f"{self.first}-{self.last}-of-{self.count}"

    @property
    def buckets(self) -> tuple[int, ...]:
        """The buckets of guilds whose events it tells: those of its shards, where their number divides that of the
        buckets; else some. All parts together have each bucket once."""
        return tuple(bucket for bucket in range(BUCKETS) if bucket % self.count in range(self.first, self.last + 1))

    def holds(self, guild_id: int) -> bool:
        """Whether the gateway tells this process of a guild."""
        return (guild_id >> 22) % self.count in range(self.first, self.last + 1)


def read(text: str) -> Part:
    """Read ``0-3/8``, or ``0/8`` for one shard.

    Raises:
        ValueError: it is none; the sentence says why.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} names no shards; write 0-3/8 for the first four of eight")
    first, last, count = int(match[1]), int(match[2] or match[1]), int(match[3])
    if not first <= last < count <= MOST:
        raise ValueError(f"{text!r} names no shards: they are numbered from 0 to one less than how many there are")
    return Part(first, last, count)
