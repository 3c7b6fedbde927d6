"""Occurred: of runs that are about to be written, those whose occurrence has a row already."""

from __future__ import annotations

from collections.abc import Sequence

from core.ledger.port import Transaction
from core.ledger.rows import RunRow


async def not_yet(tx: Transaction, runs: Sequence[RunRow]) -> list[RunRow]:
    """Those whose occurrence has no row; a due time that has one needs no other."""
    there = await tx.runs.by_occurrences([(run.schedule_id, run.occurrence) for run in runs]) if runs else ()
    known = {(run.schedule_id, run.occurrence) for run in there}
    return [run for run in runs if (run.schedule_id, run.occurrence) not in known]
