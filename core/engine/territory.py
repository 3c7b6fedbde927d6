"""Territory: the guilds one core works for, and what is fair among several. Pure; ``cluster`` carries it out.

A core alone works for everybody. One of several works for the guilds of the buckets it holds: it alone makes their runs,
gives them out and ends them, whichever core somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from core.ledger.buckets import BUCKETS, bucket_of


class Territory:
    """What one core works for.

    Attributes:
        shared: there may be other cores, so that there is something to ask.
    """

    __slots__ = ("_mine", "shared")

    def __init__(self, *, shared: bool = False) -> None:
        self.shared = shared
        self._mine: frozenset[int] = frozenset()

    def owns(self, guild_id: str | None) -> bool:
        """Whether this core works for a guild, or for what belongs to none."""
        return not self.shared or bucket_of(guild_id) in self._mine

    def within(self) -> list[int] | None:
        """The buckets to read from the ledger; None: all there is."""
        return sorted(self._mine) if self.shared else None

    @property
    def held(self) -> int:
        """How many buckets it holds."""
        return len(self._mine)

    def add(self, buckets: Iterable[int]) -> None:
        """Work for these from now on."""
        self._mine |= frozenset(buckets)

    def drop(self, buckets: Iterable[int]) -> None:
        """Do not work for these any more."""
        self._mine -= frozenset(buckets)

    def busiest_last(self, busy: Mapping[int, int]) -> list[int]:
        """Its buckets, those first in which the fewest attempts are under way: given up soonest and easiest."""
        return sorted(self._mine, key=lambda bucket: (busy.get(bucket, 0), -bucket))


def fair_share(cores: int) -> int:
    """How many buckets one of so many cores may hold: together they hold all, and none more than one more."""
    return -(-BUCKETS // max(1, cores))


def to_claim(cores: int, held: int) -> int:
    """How many buckets a core that holds so many may take."""
    return max(0, fair_share(cores) - held)


def to_give_up(cores: int, held: int) -> int:
    """How many buckets a core that holds so many has too many."""
    return max(0, held - fair_share(cores))


def busy_buckets(guilds: Iterable[str | None]) -> dict[int, int]:
    """How many of these guilds' attempts are under way in each bucket."""
    found: dict[int, int] = {}
    for guild_id in guilds:
        bucket = bucket_of(guild_id)
        found[bucket] = found.get(bucket, 0) + 1
    return found


def at_rest(leaving: Collection[int], busy: Mapping[int, int]) -> list[int]:
    """Those of the buckets being given up in which nothing is under way any more."""
    return sorted(bucket for bucket in leaving if not busy.get(bucket))
