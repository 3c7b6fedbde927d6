"""Activity: which guilds were active in the last ten minutes. Decides whether one guild must leave room for others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from core.governor.lanes import Account

ACTIVE_S: Final = 600.0


class Activity:
    """Guilds with work are active, and so are those whose work ended less than ten minutes ago."""

    def __init__(self, forget: Callable[[Account], None]) -> None:
        """``forget``: called with a guild that is not active any more."""
        self._forget = forget
        self._busy = 0
        self._idle: OrderedDict[str | None, tuple[float, Account]] = OrderedDict()
        self.ended: list[Account] = []

    def begin(self, account: Account) -> None:
        """A guild that had no work is about to get some; called before it is counted."""
        self._busy += 1
        self._idle.pop(account.guild, None)

    def end(self, account: Account) -> None:
        """A guild's last work has ended; called after it was counted out."""
        self._busy -= 1
        self.ended.append(account)

    def settle(self, now: float) -> None:
        """Note the time for the guilds in ``ended``, so that telling of an end needs no time of its own."""
        for account in self.ended:
            if not account.busy:
                self._idle[account.guild] = now, account
                self._idle.move_to_end(account.guild)
        self.ended.clear()
        self._forget_old(now)

    def several(self, now: float) -> bool:
        """Whether two or more guilds are active."""
        self._forget_old(now)
        return self._busy + len(self._idle) > 1

    def _forget_old(self, now: float) -> None:
        while self._idle:
            since, account = next(iter(self._idle.values()))
            if since + ACTIVE_S > now:
                break
            del self._idle[account.guild]
            self._forget(account)

    def lapse(self, now: float) -> float:
        """The earliest time at which a guild that is busy now could be the only active one."""
        if self._busy > 1 or not self._idle:
            return now + ACTIVE_S
        since, _ = next(reversed(self._idle.values()))
        return since + ACTIVE_S
