"""Digest: what was skipped is told a guild, or a person, at most once an hour, however often it happened.

The first time is told at once. What follows within the hour waits aside, on disk, each schedule with how often it was, and
is told together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

import msgspec

from bot.aside import Aside
from bot.notice_letters import Notice
from schedule_zero.event import Event

HOUR_S: Final = 3600.0
MOST: Final = 10_000
_MARK: Final = "/skipped"

K = TypeVar("K")
V = TypeVar("V")


def whose(shelf: str) -> str:
    """The guild, or ``@`` and the person, that a shelf is for."""
    return shelf.removesuffix(_MARK)


class Digest:
    """What is told now, and what waits for its hour."""

    def __init__(self, aside: Aside, clock: Callable[[], float]) -> None:
        self._aside = aside
        self._clock = clock
        self._told: OrderedDict[str, float] = OrderedDict()
        self._known: OrderedDict[tuple[str | None, str], tuple[float, Notice]] = OrderedDict()

    def again(self, event: Event) -> Notice | None:
        """The notice of an event that is as one of this hour: nobody needs to be asked for its words once more."""
        since, known = self._known.get(_key(event), (0.0, None))
        if known is None or self._clock() - since >= HOUR_S:
            return None
        return msgspec.structs.replace(known, place=f"{event.epoch}-{event.seq}", at=event.at)

    def learn(self, event: Event, notice: Notice) -> None:
        """The words for an event of its kind."""
        if notice.skipped is not None and notice.skipped != "missed":  # that one says when it was
            _keep(self._known, _key(event), (self._clock(), notice))

    def divide(
        self, notices: Sequence[Notice], told: Callable[[str], bool]
    ) -> tuple[list[Notice], dict[str, list[Notice]]]:
        """What is told now, and what waits, by shelf.

        Args:
            told: whether the event at this place was told, or was begun to be; whoever tells it again finds that out.
        """
        now: list[Notice] = []
        later: dict[str, list[Notice]] = {}
        begun: set[str] = set()
        for notice in notices:
            shelf = f"{notice.whom}{_MARK}"
            if notice.skipped is None or told(notice.place) or not (self.pause(shelf) or self._aside.of(shelf)):
                now.append(notice)
                if notice.skipped is not None:
                    begun.add(shelf)
            else:
                later.setdefault(shelf, []).append(notice)
        for shelf in begun:
            _keep(self._told, shelf, self._clock())
        return now, later

    def gather(self, later: dict[str, list[Notice]], telling: Collection[str]) -> dict[str, float]:
        """Put aside what waits; until when, in seconds from now, by shelf. ``telling``: places of what is just being told."""
        for shelf, notices in later.items():
            self._aside.gather(shelf, notices, telling)
        return {shelf: self.pause(shelf) for shelf in later}

    def pause(self, shelf: str) -> float:
        """Seconds until a shelf may be told of again; 0 at once, and for one that is no digest."""
        return max(0.0, self._told.get(shelf, -HOUR_S) + HOUR_S - self._clock())

    def tells(self, shelf: str) -> None:
        """A shelf was told of."""
        if shelf.endswith(_MARK):
            _keep(self._told, shelf, self._clock())


def _key(event: Event) -> tuple[str | None, str]:
    return event.schedule_id, f"{event.kind} {event.data.get('reason')}"


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> None:
    """The newest are kept."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MOST:
        kept.popitem(last=False)
