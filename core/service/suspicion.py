"""Suspicion: a guild whose messages look like abuse is slowed down for a time, and its operators hear of it.

The rules are pure: times go in, and which rule was met comes out. One watcher sees what is saved and how messages end, and
lowers what the guild may use, by a limit with an end and an audit line. Nothing is deleted, and an operator lifts it by
setting any limit of the guild.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from core.engine.settle import Verdict
from core.governor.measures import Measures, Stored
from core.governor.sends import SENDING
from core.governor.settings import GuildQuota, Quota, SuspicionSettings, parse_rate
from core.ledger.port import StoreClosed, StoreError
from core.ledger.rows import ScheduleRow
from schedule_zero.instant import parse_duration
from schedule_zero.run import RunState

log = structlog.get_logger("schedule_zero.suspicion")

BY: Final = "core:suspicion"
MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
WATCHED: Final = 10_000
MANY_PEOPLE: Final = 10
REFUSED_AGAIN_S: Final = 5.0
_LINK: Final = re.compile(r"https?://|discord(?:\.gg|(?:app)?\.com/invite)/", re.IGNORECASE)
_SLOW: Final = Quota(running=1, rate="2/min", sends_per_channel="1/min", dms_per_hour=1)
_RATES: Final = ("rate", "sends_per_channel")
_COUNTS: Final = ("running", "dms_per_hour")


class Suspected(msgspec.Struct, frozen=True):
    """A rule was met. ``words``: what happened, to stand after a name."""

    rule: str
    words: str


class _Said(msgspec.Struct, gc=False):
    content: object = ""
    mentions: object = ()


_said: Final = msgspec.json.Decoder(_Said).decode


def tells(args: str) -> tuple[bool, bool]:
    """Of a message's arguments (JSON): whether it mentions masses, and whether it has a link."""
    said = _said(args)
    mentions = said.mentions if isinstance(said.mentions, list) else []
    wide = any(isinstance(each, str) and each.startswith(("@", "<@&")) for each in mentions)
    return wide or len(mentions) >= MANY_PEOPLE, isinstance(said.content, str) and _LINK.search(
        said.content
    ) is not None


class Watch:
    """One guild: what it did lately, as far as a rule asks for it. Times are monotonic seconds."""

    def __init__(self, rules: SuspicionSettings) -> None:
        self._rules = rules
        self._made = _Window(rules.new_schedules, MINUTE_S)
        self._mass = _Window(rules.mass_mentions, HOUR_S)
        self._links = _Window(rules.links, HOUR_S)
        self._refused = _Window(rules.refused, HOUR_S)
        self._fine = _Window(rules.refused, HOUR_S)

    def made(self, count: int, now: float) -> Suspected | None:
        """So many schedules were made."""
        if not any(self._made.add(now) for _ in range(count)):
            return None
        return Suspected("new_schedules", f"made {self._rules.new_schedules} schedules within a minute")

    def sent(self, args: str, now: float) -> Suspected | None:
        """A message went out."""
        self._fine.add(now)
        mass, link = tells(args)
        if mass and self._mass.add(now):
            return Suspected(
                "mass_mentions", f"sent {self._rules.mass_mentions} messages that mention many people within an hour"
            )
        if link and self._links.add(now):
            return Suspected("links", f"sent {self._rules.links} messages with links within an hour")
        return None

    def refused(self, now: float) -> Suspected | None:
        """Discord refused a message for good. That so many were is nothing where as many went out."""
        if not self._refused.add(now) or self._fine.is_full(now):
            return None
        words = f"had {self._rules.refused} messages refused by Discord within an hour, more than went out"
        return Suspected("refused", words)


class _Window:
    """The newest so many times; full where all of them lie within a span. ``size`` None: it is never full."""

    def __init__(self, size: int | None, span: float) -> None:
        self._size = size
        self._span = span
        self._times: deque[float] = deque(maxlen=size or 0)

    def add(self, now: float) -> bool:
        """One more; whether it is full now."""
        self._times.append(now)
        return self.is_full(now)

    def is_full(self, now: float) -> bool:
        times = self._times
        return self._size is not None and len(times) == self._size and now - times[0] <= self._span


def slowed(quota: Quota) -> GuildQuota:
    """What a suspected guild may use for a time; only what is less than it may use now."""
    limits: dict[str, object] = {}
    for name in _COUNTS:
        now, slow = getattr(quota, name), getattr(_SLOW, name)
        if now is None or now > slow:
            limits[name] = slow
    for name in _RATES:
        now, slow = getattr(quota, name), getattr(_SLOW, name)
        if now is None or _pace(now) > _pace(slow):
            limits[name] = slow
    return msgspec.convert(limits, GuildQuota)


def is_slowed(stored: Stored) -> bool:
    """Whether a guild is suspected now."""
    return any(each.by == BY for each in stored.for_a_time)


def lifted(stored: Stored) -> Stored:
    """The same without suspicion."""
    kept = tuple(each for each in stored.for_a_time if each.by != BY)
    return stored if len(kept) == len(stored.for_a_time) else msgspec.structs.replace(stored, for_a_time=kept)


def _pace(rate: str) -> float:
    read = parse_rate(rate)
    return read.count / read.per_seconds


class Slows(Protocol):
    """Who lowers what a guild may use."""

    async def slow_down(self, guild_id: str, suspected: Suspected, lasts: int) -> None:
        """For so long, in microseconds. Raises StoreError."""
        ...


class Clock(Protocol):
    """The monotonic clock, in seconds."""

    def monotonic(self) -> float: ...


class Suspicions:
    """Watches all guilds of the plans it is set for."""

    def __init__(self, measures: Measures, clock: Clock, slows: Slows) -> None:
        self._measures = measures
        self._rules = measures.suspicion
        self._clock = clock
        self._slows = slows
        self._watches: OrderedDict[str, Watch] = OrderedDict()
        self._found: dict[str, Suspected] = {}
        self._wake = asyncio.Event()

    def saved(self, rows: Sequence[ScheduleRow]) -> None:
        """Committed schedules that are new or different."""
        made: dict[str, int] = {}
        for row in rows:
            if row.revision == 1 and row.guild_id is not None:
                made[row.guild_id] = made.get(row.guild_id, 0) + 1
        for guild_id, count in made.items():
            watch = self._watch(guild_id)
            if watch is not None:
                self._suspect(guild_id, watch.made(count, self._clock.monotonic()))

    def ended(self, verdicts: Iterable[Verdict]) -> None:
        """Committed ends of attempts."""
        for verdict in verdicts:
            order, outcome = verdict.flight.order, verdict.outcome
            if order.guild_id is None or (order.handler, order.method) not in SENDING:
                continue
            watch = self._watch(order.guild_id)
            if watch is None:
                continue
            if outcome.state is RunState.SUCCEEDED:
                self._suspect(order.guild_id, watch.sent(order.args, self._clock.monotonic()))
            elif outcome.lasting:
                self._suspect(order.guild_id, watch.refused(self._clock.monotonic()))

    async def keep(self) -> None:
        """Slow down who is suspected, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.turn()
            except StoreClosed:
                return
            except StoreError as error:
                log.warning("the store refused; who is suspected is slowed down later", error=str(error))
                await asyncio.sleep(REFUSED_AGAIN_S)
                self._wake.set()

    async def turn(self) -> None:
        """Slow down those that were found. Raises StoreError."""
        while self._found:
            guild_id, suspected = next(iter(self._found.items()))
            await self._slows.slow_down(guild_id, suspected, parse_duration(self._rules.lasts))
            del self._found[guild_id]
            self._watches.pop(guild_id, None)
            log.warning("a server is slowed down", guild_id=guild_id, rule=suspected.rule, reason=suspected.words)

    def _watch(self, guild_id: str) -> Watch | None:
        """The watch over a guild; None for one that is not watched, or slowed down already."""
        if self._measures.plan_of(guild_id) not in self._rules.plans:
            return None
        stored = self._measures.stored_of(guild_id)
        if stored.suspended is not None or is_slowed(stored):
            return None
        watch = self._watches.get(guild_id)
        if watch is None:
            watch = self._watches[guild_id] = Watch(self._rules)
            if len(self._watches) > WATCHED:
                self._watches.popitem(last=False)
        self._watches.move_to_end(guild_id)
        return watch

    def _suspect(self, guild_id: str, suspected: Suspected | None) -> None:
        if suspected is not None:
            self._found.setdefault(guild_id, suspected)
            self._wake.set()
