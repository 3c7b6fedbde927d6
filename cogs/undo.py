"""The undo tokens each person was given lately, for the autocompletion of ``/schedule undo``.

A convenience only: the core decides what a token may undo, and the button on the card works without this.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import msgspec

from schedule_zero import instant
from schedule_zero.schedule import Schedule

_PEOPLE: Final = 2_000
_EACH: Final = 25


class RecentUndo(msgspec.Struct, frozen=True):
    """A token, what it takes back, and the instant (microseconds) until which it is good.

    Attributes:
        deleted: the id of the schedule that was deleted; None of another change.
    """

    token: str
    label: str
    until: int
    deleted: str | None = None


class RecentUndos:
    """At most 25 tokens for each of the 2,000 people who changed something last."""

    def __init__(self) -> None:
        self._given: OrderedDict[int, deque[RecentUndo]] = OrderedDict()

    def remember(self, user_id: int, schedule: Schedule, label: str) -> None:
        """Keep the token a changed schedule came with."""
        if schedule.undo is None:
            return
        deleted = schedule.id if schedule.state == "deleted" else None
        undo = RecentUndo(schedule.undo.token, label, instant.parse(schedule.undo.until), deleted)
        self._given.setdefault(user_id, deque(maxlen=_EACH)).appendleft(undo)
        self._given.move_to_end(user_id)
        while len(self._given) > _PEOPLE:
            self._given.popitem(last=False)

    def brings_back(self, schedule_id: str, now: int) -> bool:
        """Whether somebody's token can still bring a deleted schedule back."""
        everybodys = (undo for given in self._given.values() for undo in given)
        return any(undo.deleted == schedule_id and undo.until > now for undo in everybodys)

    def of(self, user_id: int, text: str, now: int) -> list[RecentUndo]:
        """The person's tokens that are still good and fit the half-typed text, newest first."""
        wanted = text.casefold()
        return [
            undo
            for undo in self._given.get(user_id, ())
            if undo.until > now and (wanted in undo.label.casefold() or undo.token.startswith(text))
        ]
