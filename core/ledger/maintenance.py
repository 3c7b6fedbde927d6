"""Looking after a database file from outside: is it sound? The facts between tables hold in every store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from core.ledger.migrate import schema_state
from core.ledger.port import StoreError
from core.ledger.sqlite import explained, open_existing

MOST_FINDINGS: Final = 100

# What must hold between tables: a sentence, and a query for the ids that break it.
FACTS: Final = {
    "run {} is out but has no attempt to show for it": """
        SELECT id FROM runs WHERE state IN ('dispatched', 'running') AND NOT EXISTS (
            SELECT 1 FROM attempts
            WHERE attempts.run_id = runs.id AND attempts.attempt = runs.attempt AND attempts.ended IS NULL)""",
    "run {} is out but nobody holds a lease on it": """
        SELECT id FROM runs WHERE state IN ('dispatched', 'running') AND NOT EXISTS (
            SELECT 1 FROM leases WHERE leases.run_id = runs.id AND leases.attempt = runs.attempt)""",
    "a lease is held on run {}, which is not out": """
        SELECT run_id FROM leases WHERE NOT EXISTS (
            SELECT 1 FROM runs
            WHERE runs.id = leases.run_id AND runs.attempt = leases.attempt AND state IN ('dispatched', 'running'))""",
    "run {} has ended but does not say when, or the other way round": """
        SELECT id FROM runs WHERE (ended IS NULL) != (state IN ('waiting', 'dispatched', 'running'))""",
    "run {} belongs to a schedule that does not exist": """
        SELECT id FROM runs WHERE NOT EXISTS (SELECT 1 FROM schedules WHERE schedules.id = runs.schedule_id)""",
    "an attempt belongs to run {}, which does not exist": """
        SELECT DISTINCT run_id FROM attempts WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = attempts.run_id)""",
    "a line of a log belongs to run {}, which does not exist": """
        SELECT DISTINCT run_id FROM run_log WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = run_log.run_id)""",
    "run {} has lines that it does not count": """
        SELECT DISTINCT run_id FROM run_log WHERE NOT EXISTS (
            SELECT 1 FROM run_told WHERE run_told.run_id = run_log.run_id AND run_told.places >= run_log.place)""",
    "schedule {} has a definition but does not say where it stands": """
        SELECT id FROM schedules WHERE NOT EXISTS (SELECT 1 FROM standings WHERE standings.id = schedules.id)""",
    "schedule {} says where it stands but has no definition": """
        SELECT id FROM standings WHERE NOT EXISTS (SELECT 1 FROM schedules WHERE schedules.id = standings.id)""",
    "schedule {} holds its name although it is over, or does not hold it although it is not": """
        SELECT schedules.id FROM schedules JOIN standings ON standings.id = schedules.id
        WHERE (live = 1) != (state NOT IN ('done', 'deleted'))""",
    "schedule {} is not active but has a due time": """
        SELECT id FROM standings WHERE state != 'active' AND next_due IS NOT NULL""",
    "the journal has a gap before event {}": """
        SELECT seq FROM (SELECT seq, lag(seq) OVER (ORDER BY seq) AS before FROM journal) AS pairs
        WHERE before != seq - 1 AND before >= coalesce(
            (SELECT CAST(value AS BIGINT) FROM facts WHERE name = 'thinned'), 0)""",
    "the counter of {} is below zero": """
        SELECT scope || ' ' || "limit" || ' ' || period FROM usage WHERE used < 0""",
}


def check(path: Path) -> list[str]:
    """What is wrong with a database file, a sentence each; empty when it is sound. A core may have it open.

    Raises:
        StoreError: the file cannot be read, is no database of ours, or has another schema.
    """
    state = schema_state(path)
    if state == "new":
        raise StoreError(f"{path} does not exist or is empty")
    if state != "current":
        raise StoreError(f"{path} was written by an {state} version of ScheduleZero; only the same version checks it")
    with explained(path), closing(open_existing(path)) as database:
        findings = _damage_in(database)
        if findings:
            return findings
        database.execute("BEGIN")  # one snapshot for every question, while a core goes on writing
        for sentence, query in FACTS.items():
            rows = database.execute(f"{query} LIMIT {MOST_FINDINGS}")
            findings += [sentence.format(id) for (id,) in rows]
    return findings


def damage(path: Path) -> list[str]:
    """What SQLite finds broken in a database file, whoever wrote it. Raises StoreError."""
    with explained(path), closing(open_existing(path)) as database:
        return _damage_in(database)


def _damage_in(database: sqlite3.Connection) -> list[str]:
    try:
        rows = database.execute(f"PRAGMA integrity_check({MOST_FINDINGS})").fetchall()
    except sqlite3.DatabaseError as error:  # damage so bad that the check itself cannot go on
        return [f"the file is damaged: {error}"]
    return [text for (text,) in rows if text != "ok"]
