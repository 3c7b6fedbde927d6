"""What the page of guarantees says becomes of a run, by cause, delivery and policy, is what becomes of it."""

from __future__ import annotations

from functools import cache

import pytest

from tests.simulation.causes import ENDS, Cell, Told, play, table

CELLS = table()
_OUTCOMES = {
    "too long, and it stops": "timed_out", "too long, and it will not stop": "timed_out", "its lease runs out": "lost",
    "the same, and it answers later": "lost", "our process is killed": "lost", "its handler is stopped": "cancelled",
    "somebody cancels the run": "cancelled",
}  # fmt: skip


@cache
def played() -> dict[str, Told]:
    """All of them, once."""
    return dict(zip((cell.name for cell in CELLS), play(CELLS), strict=True))


def test_every_cause_stands_in_the_table_with_every_delivery() -> None:
    assert {(cell.cause, cell.delivery) for cell in CELLS} == {
        (cause, delivery) for cause in ENDS for delivery in ("at least once", "at most once")
    }


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_run_becomes_what_the_page_says(cell: Cell) -> None:
    told = played()[cell.name]
    assert (told.state, told.attempts) == (cell.state, cell.attempts)
    assert (told.failures, told.blocked, told.told) == ((1, True, 1) if cell.counts else (0, False, 0))
    assert told.dead == (cell.state in ("failed", "timed_out"))
    last = ("succeeded",) if cell.state == "succeeded" else ()
    ended = told.outcomes[: len(told.outcomes) - len(last)]
    assert told.outcomes == (*(_OUTCOMES.get(cell.cause, "failed") for _ in ended), *last)
