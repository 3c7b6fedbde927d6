"""Trouble on demand: requests that hang, connections that are cut, wrong statuses, rate limits."""

import asyncio
import re
from functools import lru_cache
from typing import Literal

import msgspec

from tests.discord_server.changes import Changes


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong, where, and how often.

    `route` is a method and a path below `/api/v10`, where `*` stands for one segment: `POST /channels/*/messages`;
    `*` alone is every request, and the gateway's own address is `GET /websocket`. `when` is `before` the request takes effect, or `after`: the
    message is stored, only the answer suffers. `hang` lasts until the client goes away or the faults are cleared;
    `drop` cuts the TCP connection; `delay` answers after `seconds`; `status` answers `status`; `rate_limit` answers
    429 with `retry_after`, said to be for all routes when `is_global`. `count` None means every time. `hits` counts up.
    """

    route: str
    action: Literal["hang", "drop", "delay", "status", "rate_limit"]
    when: Literal["before", "after"] = "before"
    status: int = 503
    count: int | None = 1
    seconds: float = 0.0
    retry_after: float = 1.0
    is_global: bool = False
    id: int = 0
    hits: int = 0


class Faults:
    """The faults in force, oldest first."""

    def __init__(self, changes: Changes) -> None:
        self.known: dict[int, Fault] = {}
        self._changes = changes
        self._released = asyncio.Event()
        self._last_id = 0

    def add(self, fault: Fault) -> Fault:
        """Put a fault into force; its id is set here."""
        self._last_id += 1
        fault.id = self._last_id
        self.known[fault.id] = fault
        return fault

    def take(self, route: str, when: Literal["before", "after"]) -> Fault | None:
        """The fault that strikes this request now, counted."""
        for fault in self.known.values():
            if fault.when == when and fault.count != fault.hits and matches(fault.route, route):
                fault.hits += 1
                self._changes.notify()
                return fault
        return None

    def clear(self) -> None:
        """No more faults; what hangs goes on."""
        self.known.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def hang(self) -> None:
        """Until the faults are cleared."""
        await self._released.wait()


def matches(pattern: str, route: str) -> bool:
    """Whether a route fits a pattern in which `*` stands for one path segment; `*` alone fits all."""
    return pattern == "*" or _compiled(pattern).fullmatch(route) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(r"[^/]+".join(re.escape(part) for part in pattern.split("*")))
