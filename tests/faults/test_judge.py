"""The judge finds every way in which a promise can be broken, and nothing wrong where all are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from schedule_zero import instant
from tests.faults.asked import Asked, Call, Series, Single
from tests.faults.effects import Effect, What
from tests.faults.judge import Evidence, Kind, judge
from tests.faults.left import AttemptRow, Left, RunRow, Told
from tests.faults.stage import Episode

SECOND = instant.SECOND
START = 1_000_000 * SECOND
replace = msgspec.structs.replace


def run(number: int, schedule: str, occurrence: str, **more: Any) -> RunRow:
    receipt = msgspec.json.encode({"run": f"run_{number}", "attempt": 1, "process": "p1"}).decode()
    fields = {"handler": "works", "method": "work", "state": "succeeded", "attempt": 1, "reason": None, "error": None,
              "result": receipt, "missed": None}  # fmt: skip
    return RunRow(id=f"run_{number}", schedule_id=schedule, occurrence=occurrence, **{**fields, **more})


def attempt(number: int, **more: Any) -> AttemptRow:
    fields = {"attempt": 1, "instance": "works@1", "sent": START, "ended": START + SECOND, "outcome": "succeeded"}
    return AttemptRow(run_id=f"run_{number}", **{**fields, **more})


def effect(number: int, what: What, attempt: int = 1, process: str = "p1") -> Effect:
    return Effect(what, f"run_{number}", attempt, "work", process, START, 0.0)


def swallowed(first: int, last: int, count: int) -> str:
    said = {"from": instant.spell(first), "to": instant.spell(last), "count": count}
    return msgspec.json.encode(said).decode()


def in_order() -> Evidence:
    """A series of three, the second missed; a single that is begun at most once; a call."""
    missed = swallowed(START + SECOND, START + SECOND, 1)
    runs = [
        run(1, "sch_1", f"t:{START}"),
        run(2, "sch_1", f"t:{START + SECOND}", state="skipped", reason="missed", attempt=0, result=None, missed=missed),
        run(3, "sch_1", f"t:{START + 2 * SECOND}"),
        run(4, "sch_2", f"t:{START}", method="once"),
        run(5, "sch_1", "m:run_5"),
    ]
    told = [Told(seq, f"run.{each.state}", each.id) for seq, each in enumerate(runs, 1)]
    return Evidence(
        asked=Asked(
            [Series("sch_1", "work", START, SECOND, "succeeds", START + 2 * SECOND)],
            [Single("sch_2", "once", START, "once")],
            [Call("run_5", "sch_1", "succeeds")],
        ),
        effects=[effect(number, what) for number in (1, 3, 4, 5) for what in ("begun", "done")],
        left=Left({"sch_1": "done", "sch_2": "done"}, runs, [attempt(number) for number in (1, 3, 4, 5)], told),
        told=list(told),
        episodes=[],
    )


def changed(evidence: Evidence, number: int, **fields: Any) -> None:
    """A run that ended otherwise, and the journal says so."""
    place = number - 1
    evidence.left.runs[place] = replace(evidence.left.runs[place], **fields)
    event = Told(number, f"run.{evidence.left.runs[place].state}", f"run_{number}")
    evidence.left.told[place] = event
    evidence.told = [*evidence.told[:place], event, *evidence.told[number:]]


def test_where_all_agree_nothing_is_wrong() -> None:
    assert judge(in_order()) == []


def lost_schedule(evidence: Evidence) -> None:
    del evidence.left.schedules["sch_2"]


def lost_call(evidence: Evidence) -> None:
    evidence.asked.calls.append(Call("run_9", "sch_1", "succeeds"))


def lost_due(evidence: Evidence) -> None:
    evidence.asked.series[0].until += SECOND


def due_twice(evidence: Evidence) -> None:
    evidence.left.runs[1] = replace(evidence.left.runs[1], occurrence=f"t:{START}", missed=None)


def never_due(evidence: Evidence) -> None:
    evidence.asked.series[0].until -= SECOND


def missed_miscounted(evidence: Evidence) -> None:
    evidence.left.runs[1] = replace(evidence.left.runs[1], missed=swallowed(START + SECOND, START + SECOND, 2))


def never_ended(evidence: Evidence) -> None:
    changed(evidence, 3, state="running")


def failed(evidence: Evidence) -> None:
    changed(evidence, 3, state="failed", reason="error")
    evidence.left.attempts[1] = replace(evidence.left.attempts[1], outcome="failed")


def two_successes(evidence: Evidence) -> None:
    changed(evidence, 3, attempt=2)
    evidence.left.attempts.append(attempt(3, attempt=2))


def a_gap_between_attempts(evidence: Evidence) -> None:
    changed(evidence, 3, attempt=3)


def begun_twice(evidence: Evidence) -> None:
    evidence.effects = [*evidence.effects, effect(1, "begun")]


def begun_uncommitted(evidence: Evidence) -> None:
    evidence.effects = [*evidence.effects, effect(1, "begun", attempt=2)]


def once_begun_twice(evidence: Evidence) -> None:
    evidence.effects = [*evidence.effects, effect(4, "begun", attempt=2)]
    evidence.left.attempts.append(attempt(4, attempt=2, outcome="lost"))


def not_tried_again(evidence: Evidence) -> None:
    evidence.left.attempts[1] = replace(evidence.left.attempts[1], outcome="lost")


def no_result(evidence: Evidence) -> None:
    changed(evidence, 3, result=None)


def result_of_another(evidence: Evidence) -> None:
    evidence.effects = [each for each in evidence.effects if (each.run_id, each.what) != ("run_3", "done")]


def a_gap_in_what_was_told(evidence: Evidence) -> None:
    evidence.told = [event for event in evidence.told if event.seq != 2]


def not_told_of_the_end(evidence: Evidence) -> None:
    evidence.told = evidence.told[:4]


def told_of_two_ends(evidence: Evidence) -> None:
    again = Told(6, "run.succeeded", "run_1")
    evidence.left.told.append(again)
    evidence.told = [*evidence.told, again]


def open_too_long(evidence: Evidence) -> None:
    evidence.left.attempts[0] = attempt(1, ended=START + 12 * SECOND)


def open_too_long_after_healing(evidence: Evidence) -> None:
    evidence.left.attempts[0] = attempt(1, ended=START + 30 * SECOND)
    evidence.episodes = [Episode("cut", START, START + 18 * SECOND, 6.0)]


def a_lease_left(evidence: Evidence) -> None:
    evidence.left.leases.append("run_1")


def damaged(evidence: Evidence) -> None:
    evidence.left.damage.append("row 1 missing from index")


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lost_schedule, Kind.LOST), (lost_call, Kind.LOST), (lost_due, Kind.LOST), (due_twice, Kind.DOUBLED),
        (never_due, Kind.DOUBLED), (missed_miscounted, Kind.LOST), (never_ended, Kind.LOST), (failed, Kind.WRONG),
        (two_successes, Kind.DOUBLED), (a_gap_between_attempts, Kind.WRONG), (begun_twice, Kind.DOUBLED),
        (begun_uncommitted, Kind.DOUBLED), (once_begun_twice, Kind.TWICE), (not_tried_again, Kind.LOST),
        (no_result, Kind.LOST), (result_of_another, Kind.LOST), (a_gap_in_what_was_told, Kind.TOLD),
        (not_told_of_the_end, Kind.TOLD), (told_of_two_ends, Kind.TOLD), (open_too_long, Kind.STUCK),
        (open_too_long_after_healing, Kind.STUCK), (a_lease_left, Kind.STUCK), (damaged, Kind.OTHER),
    ],
)  # fmt: skip
def test_every_broken_promise_is_found(damage: Callable[[Evidence], None], kind: Kind) -> None:
    evidence = in_order()
    damage(evidence)
    assert kind in [breach.kind for breach in judge(evidence)]


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        ("lost", {"state": "failed", "reason": "lost", "result": None}),
        ("stopped", {"state": "cancelled", "result": None}),
    ],
)
def test_what_may_end_otherwise_is_not_held_against_it(state: str, fields: dict[str, Any]) -> None:
    evidence = in_order()
    changed(evidence, 4, **fields)
    evidence.left.attempts[2] = replace(evidence.left.attempts[2], outcome="lost" if state == "lost" else "cancelled")
    if state == "stopped":
        evidence.asked.stopped.add("run_4")
    assert judge(evidence) == []


def test_time_in_which_a_fault_lasted_does_not_count() -> None:
    evidence = in_order()
    evidence.left.attempts[0] = attempt(1, ended=START + 28 * SECOND)
    evidence.episodes = [Episode("cut", START, START + 18 * SECOND, 6.0)]
    assert judge(evidence) == []
