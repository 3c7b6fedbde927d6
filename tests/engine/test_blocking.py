from __future__ import annotations

from core.engine.blocking import block_uncomputable
from schedule_zero.instant import MINUTE
from tests.engine.rows import T0, schedule_row


def test_a_schedule_that_is_blocked_is_due_no_more_pauses_no_more_and_says_why() -> None:
    row = schedule_row(state="paused", paused_until=T0, revision=4)
    event = block_uncomputable(row, "no such zone", T0 + MINUTE)
    assert (row.state, row.note, row.next_due, row.paused_until) == ("blocked", "no such zone", None, None)
    assert (row.revision, row.updated) == (5, T0 + MINUTE)
    assert (event.kind, event.data) == ("schedule.blocked", '{"reason":"trigger","error":"no such zone"}')
