"""The two clocks of the simulated Discord, in place of SimCord's own, which stands until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import discord

_EPOCH: Final = datetime(2024, 1, 1, tzinfo=UTC)


class _UnmovedClock:
    """What SimCord asks of a clock besides the time; nobody moves ours."""

    elapsed = 0.0

    def advance(self, seconds: float) -> None:
        """Nothing."""


class StandingClock(_UnmovedClock):
    """The clock while the world is built: it stands at an instant per thing, and ids are made of that instant."""

    def __init__(self) -> None:
        self._number = 0

    def stand_at(self, number: int) -> None:
        """Stand at the instant of the thing with this number."""
        self._number = number

    def now(self) -> datetime:
        """The instant of the thing that is being built."""
        return _EPOCH + timedelta(milliseconds=self._number)


def id_of(number: int) -> int:
    """The id of the thing with this number, as the world is built with it."""
    clock = StandingClock()
    clock.stand_at(number)
    return discord.utils.time_snowflake(clock.now())


class WallClock(_UnmovedClock):
    """The clock once the world lives."""

    def now(self) -> datetime:
        """Now."""
        return datetime.now(UTC)
