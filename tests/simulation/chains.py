"""Who had to follow whom: the journal is played again, event by event, with what everybody's links were by then.

What an end is for what follows it is said here once more, in other words than the core's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from core.ledger.rows import ScheduleRow
from schedule_zero.schedule import After
from tests.simulation.rows import Rows

_row = msgspec.json.Decoder(ScheduleRow).decode
_links = msgspec.json.Decoder(tuple[After, ...]).decode
ENDS = {"run.succeeded", "run.failed", "run.timed_out", "run.cancelled", "run.skipped"}
FITS = {
    "success": {"run.succeeded"},
    "failure": {"run.failed", "run.timed_out"},
    "any": ENDS,
    "all": {"run.succeeded"},
}


class Played:
    """The schedules as they stood while the journal went on, and who had to run."""

    def __init__(self, definitions: dict[tuple[str, int], ScheduleRow]) -> None:
        self._definitions = definitions
        self._schedules: dict[str, ScheduleRow] = {}
        self._joined: dict[str, dict[str, str]] = {}
        self._seen: set[str] = set()
        self.expected: set[tuple[str, str]] = set()

    def play(self, event: dict[str, Any], occurrence: str | None) -> None:
        """One event. ``occurrence``: of the run it is about."""
        kind, data = event["kind"], msgspec.json.decode(event["data"])
        if kind.startswith("schedule."):
            self._change(event["schedule_id"], kind, data)
            return
        run_id = event["run_id"]
        if run_id is None or occurrence is None:
            return
        if run_id not in self._seen:
            self._seen.add(run_id)
            if not occurrence.startswith("c:"):
                self._joined.pop(event["schedule_id"], None)
        if kind in ENDS:
            self._end(event["schedule_id"], run_id, kind)

    def _change(self, id: str, kind: str, data: dict[str, Any]) -> None:
        known = self._definitions.get((id, data.get("revision", -1)))
        if known is not None:
            before = self._schedules.get(id)
            self._schedules[id] = msgspec.structs.replace(known)
            parents = {link.schedule for link in _links(known.after)}
            if before is not None and id in self._joined:
                self._joined[id] = {parent: end for parent, end in self._joined[id].items() if parent in parents}
        elif id in self._schedules:
            states: Any = {"schedule.blocked": "blocked", "schedule.resumed": "active", "schedule.completed": "done"}
            self._schedules[id].state = states.get(kind, self._schedules[id].state)

    def _end(self, parent: str, run_id: str, kind: str) -> None:
        for id, row in self._schedules.items():
            links = _links(row.after) if row.state != "deleted" else ()
            mine = [link for link in links if link.schedule == parent]
            if not mine:
                continue
            if mine[0].when == "all":
                joined = self._joined.setdefault(id, {})
                joined[parent] = kind
                runs = all(joined.get(link.schedule) in FITS["all"] for link in links if link.when == "all")
            else:
                runs = any(kind in FITS[link.when] for link in mine)
            if runs and row.state == "active":
                self.expected.add((id, f"c:{run_id}"))
                self._joined.pop(id, None)


def chained(rows: Rows, runs: list[dict[str, Any]]) -> Iterator[str]:
    """Every run that had to follow another, once, with its arguments; and no other."""
    definitions = {
        (line["target"], after.revision): after
        for line in rows.ask(
            "SELECT target, after FROM audit WHERE target LIKE 'sch%' AND action <> 'schedule.run' ORDER BY id"
        )
        for after in [_row(line["after"])]
    }
    played, occurrences = Played(definitions), {run["id"]: run["occurrence"] for run in runs}
    for event in rows.ask("SELECT kind, schedule_id, run_id, data FROM journal ORDER BY seq"):
        played.play(event, occurrences.get(event["run_id"]))
    found = {(run["schedule_id"], run["occurrence"]) for run in runs if run["occurrence"].startswith("c:")}
    for child, occurrence in sorted(played.expected - found):
        yield f"schedule {child} has no run for {occurrence}"
    for child, occurrence in sorted(found - played.expected):
        yield f"schedule {child} has a run for {occurrence}, which it need not follow"
    for run in runs:
        if run["occurrence"].startswith("c:") and run["args"] is not None:
            text = msgspec.json.decode(run["args"])["text"]
            if text.startswith("run_") and text != run["occurrence"][2:]:
                yield f"run {run['id']} follows {run['occurrence']} and was given {text}"
