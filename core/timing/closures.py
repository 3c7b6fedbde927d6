"""Closures: stretches of time in which nothing may be due, whatever closes them.

A closure knows the stretch around an instant. Several closures together are one: stretches that meet or overlap are a
single one, so that whoever leaves it comes out where nothing is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from core.timing.rule import EARLIEST, LATEST

MOST_JOINED: Final = 4_000
"""Stretches that are joined before the rest of time counts as closed: years of holidays without a day between."""


class Stretch(NamedTuple):
    """From ``begin`` on and before ``end``, instants."""

    begin: int
    end: int


class Closure(Protocol):
    """Something that closes stretches of time."""

    def around(self, instant: int) -> Stretch | None:
        """The closed stretch that holds the instant; None where it is open.

        The stretch is as long as this closure alone closes without a break; LATEST as its end means for ever.
        """

    def next_closing(self, instant: int) -> int:
        """The first instant after this one at which a stretch begins; LATEST when none does."""

    def why(self, instant: int) -> str:
        """Why this instant is closed, to stand behind "is": ``Christmas Day``, ``outside its hours``."""

    @property
    def word(self) -> str | None:
        """The policy word that says what becomes of a time that it closes: ``on_clash``; None where nobody may choose."""


class Closures:
    """Several closures as one."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Closure]) -> None:
        self._parts = tuple(parts)

    def around(self, instant: int) -> Stretch | None:
        """The closed stretch that holds the instant, joined with all that meet it; None where it is open."""
        found = self._one(instant)
        if found is None or len(self._parts) == 1:
            return found
        begin, end = found
        for _ in range(MOST_JOINED):
            following = self._one(end) if end < LATEST else None
            before = self._one(begin - 1) if begin > EARLIEST else None
            if following is None and before is None:
                return Stretch(begin, end)
            end = end if following is None else following.end
            begin = begin if before is None else before.begin
        return Stretch(EARLIEST, LATEST)

    def next_closing(self, instant: int) -> int:
        """The first instant after this one at which something closes that was open."""
        while True:
            found = min(part.next_closing(instant) for part in self._parts)
            if found >= LATEST or self._one(found - 1) is None:
                return found
            instant = found

    def why(self, instant: int) -> str:
        """Why this instant is closed."""
        return self._closing(instant).why(instant)

    def moved_by(self, instant: int) -> str | None:
        """The policy word by which a time at this closed instant may be moved."""
        return self._closing(instant).word

    def _closing(self, instant: int) -> Closure:
        return next(part for part in self._parts if part.around(instant) is not None)

    def _one(self, instant: int) -> Stretch | None:
        found: Stretch | None = None
        for part in self._parts:
            stretch = part.around(instant)
            if stretch is not None:
                found = (
                    stretch if found is None else Stretch(min(found.begin, stretch.begin), max(found.end, stretch.end))
                )
        return found


class Blackouts:
    """Stretches that somebody named, with the reason."""

    __slots__ = ("_named", "_stretches")

    word = None

    def __init__(self, stretches: Sequence[tuple[int, int, str]]) -> None:
        """``stretches``: (begin, end, reason) of each; they may overlap."""
        self._named = sorted(stretches)
        joined: list[Stretch] = []
        for begin, end, _ in self._named:
            if joined and begin <= joined[-1].end:
                joined[-1] = Stretch(joined[-1].begin, max(joined[-1].end, end))
            else:
                joined.append(Stretch(begin, end))
        self._stretches = tuple(joined)

    def around(self, instant: int) -> Stretch | None:
        return next((each for each in self._stretches if each.begin <= instant < each.end), None)

    def next_closing(self, instant: int) -> int:
        return next((each.begin for each in self._stretches if each.begin > instant), LATEST)

    def why(self, instant: int) -> str:
        return next((reason for begin, end, reason in self._named if begin <= instant < end and reason), "a blackout")
