"""The checker: reads what a day left, and says everything that is wrong with it.

After Jepsen's Chronos checker: every due time that lay inside the day needs its own run, or a place inside one
``missed`` row. What was due is computed again from the history the audit kept, rule by rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from core.engine.plan import TermsBook, rule_of
from core.ledger.rows import ScheduleRow
from schedule_zero.instant import MINUTE, parse
from schedule_zero.run import TERMINAL, RunState
from tests.simulation.chains import chained
from tests.simulation.day import Story
from tests.simulation.rows import Rows

_row = msgspec.json.Decoder(ScheduleRow).decode
_terms = TermsBook()
_ENDED = {str(state) for state in TERMINAL}


def faults(story: Story) -> list[str]:
    """Everything a day left wrong; empty when all promises were kept."""
    rows = story.disk.rows
    runs = rows.ask("SELECT * FROM runs ORDER BY id")
    schedules = {row["id"]: row for row in rows.ask("SELECT * FROM schedules JOIN standings USING (id) ORDER BY id")}
    return [
        *_lost(story, schedules),
        *_unfinished(runs, story.end - 10 * MINUTE),
        *_doubled(runs),
        *_messages(story, runs),
        *_started_twice(story, runs),
        *_wrong_credit(story, rows),
        *_unaccounted(story, rows, runs, schedules),
        *chained(rows, runs),
        *_journal(rows, runs),
        *_dead_letters(rows, runs),
        *_logs(rows),
    ]


def _lost(story: Story, schedules: dict[str, Any]) -> Iterator[str]:
    for id in story.people.acknowledged - set(schedules):
        if id not in story.people.deleted:
            yield f"schedule {id} was acknowledged and is gone"


def _logs(rows: Rows) -> Iterator[str]:
    """Lines stand once, in their order, with the run they are of; their numbers are never more than were said."""
    told = {row["run_id"]: row for row in rows.ask("SELECT * FROM run_told")}
    seen: set[str] = set()
    before: dict[str, int] = {}
    for line in rows.ask("SELECT * FROM run_log ORDER BY run_id, place"):
        id = line["run_id"]
        if line["text"] != f"{id} {line['attempt']}":
            yield f"run {id} has the line {line['text']!r} in attempt {line['attempt']}"
        if line["text"] in seen:
            yield f"the line {line['text']!r} stands twice"
        if not before.get(id, 0) < line["n"] <= told[id]["lines"]:
            yield f"line {line['n']} of run {id} is out of order, of {told[id]['lines']}"
        seen.add(line["text"])
        before[id] = line["n"]


def _unfinished(runs: list[dict[str, Any]], end: int) -> Iterator[str]:
    for run in runs:
        if run["state"] not in _ENDED and (run["not_before"] or 0) <= run["created"] < end:
            yield f"run {run['id']} is still {run['state']} an hour after the last fault"


def _doubled(runs: list[dict[str, Any]]) -> Iterator[str]:
    for key, count in Counter((run["schedule_id"], run["occurrence"]) for run in runs).items():
        if count > 1:
            yield f"{key} has {count} runs"


def _messages(story: Story, runs: list[dict[str, Any]]) -> Iterator[str]:
    posted = Counter(run_id for run_id, _ in story.world.chat.messages)
    states = {run["id"]: run["state"] for run in runs}
    for run_id, count in posted.items():
        if count > 1:
            yield f"run {run_id} posted {count} messages"
        if run_id not in states:
            yield f"a message was posted for run {run_id}, which the ledger does not know"
    for run_id, state in states.items():
        if state == RunState.SUCCEEDED and posted[run_id] != 1:
            yield f"run {run_id} succeeded with {posted[run_id]} messages"


def _started_twice(story: Story, runs: list[dict[str, Any]]) -> Iterator[str]:
    once = {run["id"] for run in runs if run["method"] == "once"}
    for (run_id, attempt), count in story.world.starts.items():
        if run_id in once and (count > 1 or attempt > 1):
            yield f"run {run_id} is at most once and was started as attempt {attempt}, {count} times"


def _wrong_credit(story: Story, rows: Rows) -> Iterator[str]:
    """An attempt has succeeded only if that very attempt was answered: the fence."""
    for row in rows.ask("SELECT run_id, attempt FROM attempts WHERE outcome = 'succeeded'"):
        if (row["run_id"], row["attempt"]) not in story.world.done:
            yield f"attempt {row['attempt']} of run {row['run_id']} has the success of another one"


def _unaccounted(story: Story, rows: Rows, runs: list[dict[str, Any]], schedules: dict[str, Any]) -> Iterator[str]:
    by_schedule: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        by_schedule.setdefault(run["schedule_id"], []).append(run)
    histories: dict[str, list[tuple[int, ScheduleRow]]] = {}
    for line in rows.ask(
        "SELECT at, after, target FROM audit WHERE target LIKE 'sch%' AND action <> 'schedule.run' ORDER BY id"
    ):
        histories.setdefault(line["target"], []).append((line["at"], _row(line["after"])))
    for id, final in schedules.items():
        history = histories.get(id)
        if not history:
            yield f"schedule {id} has no audit line"
            continue
        covered = _covered(by_schedule.get(id, []))
        expected = list(_expected(history, final, story.end - 10 * MINUTE))
        for due in expected:
            places = covered.singles.count(due) + sum(first <= due <= last for first, last in covered.spans)
            if places != 1:
                yield f"schedule {id}: due time {due} has {places} places"
        extra = set(covered.singles) - set(expected)
        late = {due for due in extra if due < story.end - 10 * MINUTE}
        if late:
            yield f"schedule {id}: runs for {sorted(late)}, which were not due"


class _Covered(msgspec.Struct):
    singles: list[int]
    spans: list[tuple[int, int]]


def _covered(runs: list[dict[str, Any]]) -> _Covered:
    covered = _Covered([], [])
    for run in runs:
        if run["missed"] is not None:
            missed = msgspec.json.decode(run["missed"])
            covered.spans.append((parse(missed["from"]), parse(missed["to"])))
        elif run["occurrence"].startswith("t:"):
            covered.singles.append(int(run["occurrence"][2:]))
    return covered


def _expected(history: list[tuple[int, ScheduleRow]], final: dict[str, Any], end: int) -> Iterator[int]:
    """The due times the ticks had to deal with: under each definition, those its time reached.

    ``last_due`` in the next definition says how far the ticks had come when it replaced this one; due times between
    there and the change were cancelled by it (pause, delete, another rule) or passed on with the same rule.
    """
    rows = [row for _, row in history]
    reached = [following.last_due or 0 for following in rows[1:]]
    reached.append(end if final["state"] == "active" else min(end, final["last_due"] or 0))
    for row, horizon in zip(rows, reached, strict=True):
        if row.state != "active" or row.next_due is None:
            continue
        rule = rule_of(row, _terms.of(row.policy).policy)
        due: int | None = row.next_due
        while due is not None and due <= horizon:
            yield due
            due = rule.next_after(due)


def _journal(rows: Rows, runs: list[dict[str, Any]]) -> Iterator[str]:
    numbers = [row["seq"] for row in rows.ask("SELECT seq FROM journal ORDER BY seq")]
    if numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        yield "the journal has gaps"
    told = Counter(
        (row["run_id"], row["kind"]) for row in rows.ask("SELECT run_id, kind FROM journal WHERE run_id IS NOT NULL")
    )
    for run in runs:
        for kind in ("run.succeeded", "run.cancelled", "run.skipped", "run.timed_out"):
            if told[run["id"], kind] > 1:
                yield f"run {run['id']} was told {kind} {told[run['id'], kind]} times"
        if run["state"] == RunState.SUCCEEDED and told[run["id"], "run.succeeded"] != 1:
            yield f"run {run['id']} succeeded and nobody was told"


def _dead_letters(rows: Rows, runs: list[dict[str, Any]]) -> Iterator[str]:
    dead = {row["run_id"] for row in rows.ask("SELECT run_id FROM dead")}
    again = {run["occurrence"].removeprefix("m:again:") for run in runs}
    for run in runs:
        failed = run["state"] in (RunState.FAILED, RunState.TIMED_OUT) and run["id"] not in again
        if failed != (run["id"] in dead):
            yield f"run {run['id']} is {run['state']} and {'no' if failed else 'a'} dead letter"
