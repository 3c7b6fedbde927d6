"""What an hour came to under each policy: waits of quiet guilds, Jain's index, utilisation, and when floods ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from benchmarks.fairness.floor import simulate
from benchmarks.fairness.loads import FLOODS, MINUTE, MINUTES, SECOND, Flood, Run, hour, quiet_guilds
from benchmarks.fairness.policies import FIRST_COME, POLICIES, Policy
from benchmarks.percentiles import percentile
from core.governor.fairness import Waiting

SLOTS: Final = 10
BUSY: Final = 1.02  # a minute is contended when so many times what was served was asked for
FLOOD: Final = FLOODS[0].guild


class Turn(NamedTuple):
    """What became of a run: when it started and ended (seconds from the beginning)."""

    run: Run
    start: float
    end: float

    @property
    def wait(self) -> float:
        """How long it waited, in seconds."""
        return self.start - self.run.due / SECOND


class Outcome(NamedTuple):
    """The hour under one policy. Waits are of quiet guilds, in seconds.

    Attributes:
        typical: half of them waited less.
        most: 99 of 100 waited less.
        longest: nobody waited longer.
        flooded: as ``most``, of the runs due while first come, first served works off the one great flood.
        crowded: the same of the three floods that come together.
        jain: Jain's index over guilds, of what each was served as a part of its fair share; the mean of contended minutes.
        utilisation: the part of the slots that was busy while anybody waited.
        flood: how long the one great flood took, against first come, first served.
        by_minute: of the runs due in each minute, the wait that 99 of 100 stay below; None where none is due.
    """

    typical: float
    most: float
    longest: float
    flooded: float
    crowded: float
    jain: float
    utilisation: float
    flood: float
    by_minute: list[float | None]


def outcomes(slots: int = SLOTS) -> dict[str, Outcome]:
    """The same hour under every policy."""
    runs = hour()
    quiet = quiet_guilds(runs)
    turns = {name: play(runs, make, slots) for name, make in POLICIES.items()}
    first_come = turns[FIRST_COME]
    alone, together = [[each for each in FLOODS if (each.guild == FLOOD) is one] for one in (True, False)]
    found: dict[str, Outcome] = {}
    for name, played in turns.items():
        mine = [turn for turn in played if turn.run.guild in quiet]
        waits = [turn.wait for turn in mine]
        found[name] = Outcome(
            typical=percentile(waits, 0.50), most=percentile(waits, 0.99), longest=max(waits),
            flooded=percentile(during(alone, first_come, mine), 0.99),
            crowded=percentile(during(together, first_come, mine), 0.99),
            jain=jain(played), utilisation=utilisation(played, slots), flood=lasted(played) / lasted(first_come),
            by_minute=by_minute(mine),
        )  # fmt: skip
    return found


def during(floods: Sequence[Flood], first_come: Sequence[Turn], mine: Iterable[Turn]) -> list[float]:
    """The waits of these runs, as far as they are due while first come, first served works off floods."""
    begun = min(flood.at for flood in floods) / SECOND
    ended = max(ended_at(first_come, flood.guild) for flood in floods)
    return [turn.wait for turn in mine if begun <= turn.run.due / SECOND < ended]


def play(runs: Sequence[Run], make: Callable[[int], Policy], slots: int) -> list[Turn]:
    """The hour under one policy."""
    lengths = {f"{place:06}": run.takes / SECOND for place, run in enumerate(runs)}
    arrivals = [
        (run.due / SECOND, Waiting(id, run.guild, run.method, run.method.partition(".")[0], 1, run.due))
        for id, run in zip(lengths, runs, strict=True)
    ]
    times = simulate(make(slots), arrivals, slots=slots, run_s=lambda entry: lengths[entry.run_id])
    return [Turn(run, *times[id]) for id, run in zip(lengths, runs, strict=True)]


def ended_at(turns: Iterable[Turn], guild: str) -> float:
    """When the last run of a guild had ended."""
    return max(turn.end for turn in turns if turn.run.guild == guild)


def lasted(turns: Iterable[Turn]) -> float:
    """How long the great flood took."""
    return ended_at(turns, FLOOD) - FLOODS[0].at / SECOND


def by_minute(turns: Iterable[Turn]) -> list[float | None]:
    """The wait that 99 of 100 stay below, of the runs due in each minute."""
    waits: list[list[float]] = [[] for _ in range(MINUTES)]
    for turn in turns:
        waits[turn.run.due // MINUTE].append(turn.wait)
    return [percentile(each, 0.99) if each else None for each in waits]


def utilisation(turns: Sequence[Turn], slots: int) -> float:
    """The part of the slots that was busy while anybody waited."""
    changes = sorted(
        [(turn.run.due / SECOND, 1, 0) for turn in turns]
        + [(turn.start, -1, 1) for turn in turns]
        + [(turn.end, 0, -1) for turn in turns]
    )
    waiting = busy = 0
    at = used = there = 0.0
    for instant, more_waiting, more_busy in changes:
        if waiting:
            used += busy * (instant - at)
            there += slots * (instant - at)
        at, waiting, busy = instant, waiting + more_waiting, busy + more_busy
    return used / there


def jain(turns: Sequence[Turn]) -> float:
    """The mean of Jain's index over the contended minutes.

    In each, a guild's fair share is what max-min fairness gives it of all that was served in that minute, given what it
    had to do; the index is taken over how much of its share each was served. 1: everybody had exactly that.
    """
    minutes = 1 + int(max(turn.end for turn in turns)) // 60
    asked: list[dict[str, float]] = [{} for _ in range(minutes)]
    served: list[dict[str, float]] = [{} for _ in range(minutes)]
    for turn in turns:
        due = turn.run.due // MINUTE
        asked[due][turn.run.guild] = asked[due].get(turn.run.guild, 0.0) + turn.end - turn.start
        for minute in range(int(turn.start) // 60, int(turn.end) // 60 + 1):
            part = min(turn.end, 60.0 * (minute + 1)) - max(turn.start, 60.0 * minute)
            served[minute][turn.run.guild] = served[minute].get(turn.run.guild, 0.0) + part
    indices: list[float] = []
    left: dict[str, float] = {}
    for minute in range(minutes):
        for guild, seconds in asked[minute].items():
            left[guild] = left.get(guild, 0.0) + seconds
        here = served[minute]
        total = sum(here.values())
        if sum(left.values()) > BUSY * total > 0:
            shares = fair_shares(left, total)
            indices.append(index([here.get(guild, 0.0) / share for guild, share in shares.items()]))
        left = {guild: rest for guild, had in left.items() if (rest := had - here.get(guild, 0.0)) > 1e-6}
    return sum(indices) / len(indices)


def fair_shares(demands: Mapping[str, float], total: float) -> dict[str, float]:
    """Max-min fairness: nobody gets more than it asks for, and what is left is shared out evenly."""
    shares: dict[str, float] = {}
    for place, (guild, demand) in enumerate(sorted(demands.items(), key=lambda each: (each[1], each[0]))):
        shares[guild] = min(demand, total / (len(demands) - place))
        total -= shares[guild]
    return shares


def index(parts: Sequence[float]) -> float:
    """Jain's index of fairness: 1 where all are equal, 1/n where one has everything (Jain, Chiu and Hawe, 1984)."""
    squares = sum(part * part for part in parts)
    return 1.0 if not squares else sum(parts) ** 2 / (len(parts) * squares)
