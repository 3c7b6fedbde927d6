from __future__ import annotations

from core.engine.usher import expiry
from core.ledger.rows import RunRow
from schedule_zero.instant import MINUTE
from schedule_zero.run import RunState
from tests.engine.rows import T0


def _waiting(attempt: int) -> RunRow:
    return RunRow(
        id="run_1", schedule_id="sch_1", occurrence="m:1", guild_id="1", handler="echo", method="echo", priority=1,
        due=T0, start_before=T0 + MINUTE, state=RunState.WAITING, attempt=attempt, not_before=None, args=None,
        result=None, reason=None, error=None, missed=None, created=T0, ended=None, lost=0,
    )  # fmt: skip


def test_what_waited_too_long_is_skipped_where_it_never_was_tried_and_has_failed_where_it_was() -> None:
    never, tried = expiry(_waiting(0), T0 + 2 * MINUTE), expiry(_waiting(2), T0 + 2 * MINUTE)
    assert (never.after, never.reason, never.attempt) == (RunState.SKIPPED, "missed", 0)
    assert (tried.after, tried.reason, tried.attempt) == (RunState.FAILED, "expired", 2)
