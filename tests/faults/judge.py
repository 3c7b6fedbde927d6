"""The accounts of a scenario: whether what was acknowledged, done, written down and told agree. Pure.

Each breach is one sentence under the promise that it breaks (``docs/guarantees.md``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

import msgspec

from schedule_zero import instant
from tests.faults.asked import Asked, Promise, Series
from tests.faults.effects import Effect
from tests.faults.follower import ENDS
from tests.faults.left import AttemptRow, Left, RunRow, Told
from tests.faults.stage import Episode

LEEWAY_S = 5.0
LEASE_S = 6.0
LOST = "lost"


class Kind(StrEnum):
    """The promise that is broken."""

    LOST = "lost"
    DOUBLED = "doubled"
    TWICE = "at most once begun twice"
    STUCK = "open too long"
    WRONG = "wrong end"
    TOLD = "events"
    OTHER = "other"


class Breach(msgspec.Struct, frozen=True):
    """A promise broken, and how."""

    kind: Kind
    text: str


class Evidence(msgspec.Struct):
    """All witnesses. ``told``: what the follower heard."""

    asked: Asked
    effects: Sequence[Effect]
    left: Left
    told: Sequence[Told]
    episodes: Sequence[Episode]


def judge(evidence: Evidence) -> list[Breach]:
    """Everything that is wrong."""
    return [
        *_asked(evidence),
        *_ends(evidence),
        *_attempts(evidence.left),
        *_effects(evidence),
        *_retried(evidence),
        *_results(evidence),
        *_told(evidence),
        *_stuck(evidence),
        *(Breach(Kind.OTHER, f"the store is damaged: {text}") for text in evidence.left.damage),
    ]


# ── nothing acknowledged is lost ───────────────────────────────────────────────────────────────────────────────


def _asked(evidence: Evidence) -> Iterator[Breach]:
    asked, left = evidence.asked, evidence.left
    by_schedule: dict[str, list[RunRow]] = defaultdict(list)
    for run in left.runs:
        by_schedule[run.schedule_id].append(run)
    for one in asked.schedules():
        if one.schedule_id not in left.schedules:
            yield Breach(Kind.LOST, f"{one.schedule_id} was acknowledged and is gone")
    known = {run.id for run in left.runs}
    for call in asked.calls:
        if call.run_id not in known:
            yield Breach(Kind.LOST, f"{call.run_id} was asked for, acknowledged, and is gone")
    for single in asked.singles:
        yield from _covered(single.schedule_id, [single.due], by_schedule[single.schedule_id])
    for series in asked.series:
        yield from _covered(series.schedule_id, list(series.dues()), by_schedule[series.schedule_id])


def _covered(schedule: str, dues: Sequence[int], runs: Sequence[RunRow]) -> Iterator[Breach]:
    """Every due instant has exactly one run, or a place inside one ``missed`` row; and there is no other run."""
    times = Counter(int(run.occurrence[2:]) for run in runs if run.occurrence.startswith("t:") and run.missed is None)
    outages = [(run.id, *_outage(run)) for run in runs if run.missed is not None]
    within: Counter[str] = Counter()
    for due in dues:
        places = [id for id, first, last, _ in outages if first <= due <= last and not times[due]]
        within.update(places)
        if times[due] + len(places) == 0:
            yield Breach(Kind.LOST, f"{schedule} was due at {instant.spell(due)}, and there is no run")
        elif times[due] + len(places) > 1:
            yield Breach(Kind.DOUBLED, f"{schedule} was due once at {instant.spell(due)}, and it is there more often")
    for due in times.keys() - set(dues):
        yield Breach(Kind.DOUBLED, f"{schedule} has a run for {instant.spell(due)}, and was not due then")
    for id, _, _, count in outages:
        if within[id] != count:
            yield Breach(Kind.LOST, f"{id} says that {count} times were missed, and it stands for {within[id]}")


def _outage(run: RunRow) -> tuple[int, int, int]:
    missed = msgspec.json.decode(run.missed or "{}")
    return instant.parse(missed["from"]), instant.parse(missed["to"]), missed["count"]


# ── every run ends, and as was promised ────────────────────────────────────────────────────────────────────────


def _ends(evidence: Evidence) -> Iterator[Breach]:
    asked = evidence.asked
    series = {one.schedule_id: one for one in asked.series}
    promises = asked.promises()
    for run in evidence.left.runs:
        if not run.ended:
            yield Breach(Kind.LOST, f"{run.id} ({run.method}) never ended: it is {run.state}, attempt {run.attempt}")
        elif run.schedule_id in promises and not _kept(run, promises[run.schedule_id], series, asked.stopped):
            yield Breach(
                Kind.WRONG, f"{run.id} ({run.method}) ended as {run.state} ({run.reason}, {run.error}), "
                f"and was promised to be one that {promises[run.schedule_id]}",
            )  # fmt: skip


def _kept(run: RunRow, promise: Promise, series: dict[str, Series], stopped: set[str]) -> bool:
    """Whether a run ended in one of the ways it may."""
    ways = {"succeeds": {"succeeded"}, "fails": {"failed"}, "once": {"succeeded"}}[promise]
    owner = series.get(run.schedule_id)
    if promise == "once" and run.reason == LOST:
        ways.add("failed")
    if owner is not None and run.attempt == 0:
        ways |= {"skipped", "cancelled"} if owner.cancels else {"skipped"}
    if run.id in stopped or (owner is not None and owner.cancels):
        ways.add("cancelled")
    return run.state in ways


def _attempts(left: Left) -> Iterator[Breach]:
    """One success at most, and exactly where the run succeeded; attempts without a gap, each with an end."""
    tries: dict[str, list[AttemptRow]] = defaultdict(list)
    for attempt in left.attempts:
        tries[attempt.run_id].append(attempt)
    for run in left.runs:
        mine = tries[run.id]
        successes = [attempt.attempt for attempt in mine if attempt.outcome == "succeeded"]
        if len(successes) > 1:
            yield Breach(Kind.DOUBLED, f"{run.id} succeeded in attempts {successes}")
        if (run.state == "succeeded") != bool(successes):
            yield Breach(Kind.WRONG, f"{run.id} is {run.state}, and its successful attempts are {successes}")
        if [attempt.attempt for attempt in mine] != list(range(1, run.attempt + 1)):
            yield Breach(Kind.WRONG, f"{run.id} is at attempt {run.attempt}, and has {[a.attempt for a in mine]}")
        if run.ended and any(attempt.ended is None for attempt in mine):
            yield Breach(Kind.WRONG, f"{run.id} is over, and one of its attempts is not")
    for run_id in left.leases:
        yield Breach(Kind.STUCK, f"{run_id} still has a lease")


# ── what the handlers did ──────────────────────────────────────────────────────────────────────────────────────


def _effects(evidence: Evidence) -> Iterator[Breach]:
    promises = evidence.asked.promises()
    runs = {run.id: run for run in evidence.left.runs}
    committed = {(attempt.run_id, attempt.attempt) for attempt in evidence.left.attempts}
    begun = Counter((effect.run_id, effect.attempt) for effect in evidence.effects if effect.what == "begun")
    for (run_id, attempt), count in begun.items():
        if count > 1:
            yield Breach(Kind.DOUBLED, f"attempt {attempt} of {run_id} was begun {count} times")
        if (run_id, attempt) not in committed:
            yield Breach(Kind.DOUBLED, f"attempt {attempt} of {run_id} was begun, and was never committed")
    for run_id, count in Counter(run_id for run_id, _ in begun.elements()).items():
        run = runs.get(run_id)
        if count > 1 and run is not None and promises.get(run.schedule_id) == "once":
            yield Breach(Kind.TWICE, f"{run_id} ({run.method}) was begun {count} times")


def _retried(evidence: Evidence) -> Iterator[Breach]:
    """What was lost with one process is tried again; unless it may be begun once, or was to stop."""
    asked, runs = evidence.asked, {run.id: run for run in evidence.left.runs}
    promises = asked.promises()
    for attempt in evidence.left.attempts:
        run = runs[attempt.run_id]
        if attempt.outcome != LOST or promises.get(run.schedule_id) == "once" or run.state == "cancelled":
            continue
        if run.attempt == attempt.attempt:
            yield Breach(Kind.LOST, f"attempt {attempt.attempt} of {run.id} was lost, and it was not tried again")


def _results(evidence: Evidence) -> Iterator[Breach]:
    """A run that succeeded has the result of the attempt that counts, and a handler did that attempt."""
    done = {(effect.run_id, effect.attempt): effect.process for effect in evidence.effects if effect.what == "done"}
    counted = {attempt.run_id: attempt.attempt for attempt in evidence.left.attempts if attempt.outcome == "succeeded"}
    for run in evidence.left.runs:
        if run.state != "succeeded" or run.id not in counted or run.handler == "discord":
            continue  # what the discord handler did stands in Discord
        result = msgspec.json.decode(run.result or "null")
        attempt = counted[run.id]
        expected = {"run": run.id, "attempt": attempt, "process": done.get((run.id, attempt))}
        if run.handler == "echo":
            if result != "heard":
                yield Breach(Kind.LOST, f"the result of {run.id} is {run.result}")
        elif result != expected:
            yield Breach(Kind.LOST, f"the result of {run.id} is {run.result}; its handlers did {expected}")


# ── what was told ──────────────────────────────────────────────────────────────────────────────────────────────


def _told(evidence: Evidence) -> Iterator[Breach]:
    """The follower heard everything once, in order; and the journal tells of each run's end once, as it is."""
    told, journal = list(evidence.told), evidence.left.told
    if [event.seq for event in told] != list(range(1, len(told) + 1)):
        gaps = [(one.seq, two.seq) for one, two in pairwise(told) if two.seq != one.seq + 1]
        yield Breach(Kind.TOLD, f"the follower's events have gaps: {gaps[:5]}")
    if told != journal[: len(told)] or any(event.run_id for event in journal[len(told) :]):
        yield Breach(Kind.TOLD, f"the follower heard {len(told)} events, the journal has {len(journal)}, not the same")
    ends: dict[str, list[str]] = defaultdict(list)
    for event in journal:
        if event.run_id is not None and event.kind in ENDS:
            ends[event.run_id].append(event.kind)
    for run in evidence.left.runs:
        if run.ended and ends[run.id] != [f"run.{run.state}"]:
            yield Breach(Kind.TOLD, f"{run.id} is {run.state}, and of its end is told {ends[run.id]}")


# ── nothing stays open ─────────────────────────────────────────────────────────────────────────────────────────


def _stuck(evidence: Evidence) -> Iterator[Breach]:
    """No attempt is open longer than a lease and 5 s after it was sent, or after the last fault that it lived through
    was healed. (The load's methods all take less than a lease.)"""
    for attempt in evidence.left.attempts:
        if attempt.ended is None:
            continue
        since, grace = attempt.sent, LEASE_S
        for episode in evidence.episodes:
            if episode.began < attempt.ended and episode.healed > attempt.sent:
                if episode.healed > attempt.ended:
                    break  # it ended while the fault lasted
                since, grace = max(since, episode.healed), max(grace, episode.grace)
        else:
            open_s = (attempt.ended - since) / 1e6
            if open_s > grace + LEEWAY_S:
                yield Breach(Kind.STUCK, f"attempt {attempt.attempt} of {attempt.run_id} was open for {open_s:.1f} s")
