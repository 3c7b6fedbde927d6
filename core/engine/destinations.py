"""Destinations: which channel, or whose direct messages, a waiting run sends to, where that is limited; and whether its schedule
has limits of its own. By both, runs wait apart from others of their method."""

from __future__ import annotations

from collections.abc import Iterable

from core.engine.plan import PlanBook
from core.governor.measures import Measured
from core.governor.own_scopes import limits_schedules
from core.governor.sends import SENDING, destination_of, limited


class Destinations:
    """Tells them from the run's own arguments, or from its schedule's as the plans at hand have it."""

    def __init__(self, measures: Measured, book: PlanBook) -> None:
        self._measures = measures
        self._book = book
        self._alone: dict[str | None, bool] = {}

    def limited(self, guild_id: str | None, handler: str, method: str) -> bool:
        """Whether what a guild's runs of this method send to is limited."""
        return (handler, method) in SENDING and limited(self._measures, guild_id, method)

    def of(self, guild_id: str | None, handler: str, method: str, schedule_id: str, args: str | None) -> str | None:
        """The scope a run counts in, empty where there is none; None: that is not known here, and has to be read.

        Args:
            args: the run's own arguments; None where it takes its schedule's.
        """
        if not self.limited(guild_id, handler, method):
            return ""
        plan = self._book.known(schedule_id)
        if plan is None:
            return None
        return destination_of(method, plan.row.args if args is None else args, guild_id, plan.row.owner_id)

    def alone(self, guild_id: str | None) -> bool:
        """Whether each schedule of a guild has limits of its own."""
        known = self._alone.get(guild_id)
        if known is None:
            known = self._alone[guild_id] = limits_schedules(self._measures.quota_of(guild_id))
        return known

    def limits_changed(self, guilds: Iterable[str]) -> None:
        """What these guilds may use is different now."""
        for guild_id in guilds:
            self._alone.pop(guild_id, None)


class Nowhere:
    """Nothing that is sent to is limited, and no schedule is."""

    def limited(self, guild_id: str | None, handler: str, method: str) -> bool:
        return False

    def of(self, guild_id: str | None, handler: str, method: str, schedule_id: str, args: str | None) -> str | None:
        return ""

    def alone(self, guild_id: str | None) -> bool:
        return False

    def limits_changed(self, guilds: Iterable[str]) -> None: ...
