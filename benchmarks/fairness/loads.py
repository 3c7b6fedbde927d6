"""The load: an hour of an evening, as servers of all sizes have it. One seed, one hour.

What makes it look real: sizes are heavy-tailed (a few servers have most of the runs), nearly all due times are whole
minutes, much more is due at full hours, and run lengths differ a hundredfold. Twice somebody overdoes it.

Instants and lengths are whole milliseconds, and only ``random()`` is drawn: every Python makes the same hour.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")
SEED: Final = 6
BEGINS: Final = 19 * 60 + 50  # minutes of the day
MINUTES: Final = 60
GUILDS: Final = 240
LARGEST: Final = 2000  # runs in the hour
LEAST: Final = 8
TAIL: Final = 1.05  # of Pareto's law: the smaller, the more the largest servers have of everything
SECOND: Final = 1000
MINUTE: Final = 60 * SECOND

AT_FULL_HOURS: Final = 0.20  # of a server's runs
AT_HALF_HOURS: Final = 0.06
AT_QUARTERS: Final = 0.06
AT_ANY_MOMENT: Final = 0.20  # reminders, and what people start by hand; the others are due at some whole minute


class Method(NamedTuple):
    """How long runs of a method take: half of them more than ``median`` ms, and ``spread`` says how different they are."""

    name: str
    median: float
    spread: float


class Trade(NamedTuple):
    """What a server does: how many of all servers are like that, and how much of its runs is of which method."""

    servers: float
    methods: tuple[tuple[float, Method], ...]


POST: Final = Method("discord.post", 220, 0.5)
HOOK: Final = Method("webhook.post", 500, 0.9)
COMMAND: Final = Method("command.run", 3000, 0.9)
TRADES: Final = {
    "posts": Trade(0.84, ((0.97, POST), (0.03, HOOK))),
    "hooks": Trade(0.12, ((0.40, POST), (0.60, HOOK))),
    "commands": Trade(0.04, ((0.50, POST), (0.50, COMMAND))),
}
LONGEST: Final = 60 * SECOND


class Flood(NamedTuple):
    """One server that overdoes it: so many runs, all due at one moment (ms from the beginning)."""

    guild: str
    at: int
    runs: int
    trade: str


FLOODS: Final = (
    Flood("flood", 30 * MINUTE, 6000, "posts"),
    Flood("crowd1", 47 * MINUTE, 2000, "posts"),
    Flood("crowd2", 47 * MINUTE, 1000, "hooks"),
    Flood("crowd3", 47 * MINUTE, 300, "commands"),
)


class Run(NamedTuple):
    """A run of the hour: whose, of which method, when it is due, and how long it takes (ms)."""

    guild: str
    method: str
    due: int
    takes: int


def hour(seed: int = SEED) -> list[Run]:
    """Every run of the hour, by due time."""
    dice = random.Random(seed)
    runs: list[Run] = []
    for number in range(GUILDS):
        trade = _pick(dice, [(trade.servers, trade) for trade in TRADES.values()])
        runs += [_run(dice, f"guild{number:03}", trade, _due(dice)) for _ in range(_size(dice))]
    for flood in FLOODS:
        runs += [_run(dice, flood.guild, TRADES[flood.trade], flood.at) for _ in range(flood.runs)]
    return sorted(runs, key=lambda run: run.due)


def quiet_guilds(runs: list[Run]) -> set[str]:
    """The half of the servers that asks for the least, in time of slots."""
    asked: dict[str, int] = {}
    for run in runs:
        asked[run.guild] = asked.get(run.guild, 0) + run.takes
    return set(sorted(asked, key=lambda guild: (asked[guild], guild))[: len(asked) // 2])


def _size(dice: random.Random) -> int:
    return min(LARGEST, int(LEAST * (1 - dice.random()) ** (-1 / TAIL)))


def _due(dice: random.Random) -> int:
    kind, place = dice.random(), dice.random()
    for share, every in ((AT_FULL_HOURS, 60), (AT_HALF_HOURS, 30), (AT_QUARTERS, 15)):
        if kind < share:
            times = [minute for minute in range(MINUTES) if (BEGINS + minute) % every == 0]
            return times[int(place * len(times))] * MINUTE
        kind -= share
    moment = int(place * MINUTES * MINUTE)
    return moment if kind < AT_ANY_MOMENT else moment // MINUTE * MINUTE


def _run(dice: random.Random, guild: str, trade: Trade, due: int) -> Run:
    method = _pick(dice, trade.methods)
    takes = method.median * math.exp(method.spread * _normal(dice))
    return Run(guild, method.name, due, max(1, min(LONGEST, round(takes))))


def _pick(dice: random.Random, choices: Sequence[tuple[float, T]]) -> T:
    """One of them, each as often as its share says."""
    place = dice.random()
    for share, choice in choices:
        if place < share:
            return choice
        place -= share
    return choices[-1][1]


def _normal(dice: random.Random) -> float:
    """A number of the standard normal distribution (Box and Muller)."""
    return math.sqrt(-2 * math.log(1 - dice.random())) * math.cos(2 * math.pi * dice.random())
