"""The last day of handlers, added up in pieces of half an hour; nobody sees what was done for others."""

from __future__ import annotations

from core.engine.chronicle import slice_of
from core.ledger.rows import HistoryRow
from core.service.history import BUCKET, buckets_of
from schedule_zero.instant import MINUTE, spell

START = 1_772_539_200_000_000 // BUCKET * BUCKET


def row(at: int, guild: str = "", handler: str = "far", core: str = "a", **counts: int) -> HistoryRow:
    counted = {"succeeded": 0, "failed": 0, "lost": 0} | counts
    return HistoryRow(
        at=at, span=MINUTE, handler=handler, method="work", guild=guild, core=core, times='{"80":1}', **counted
    )  # fmt: skip


ROWS = [
    row(START, succeeded=1), row(START, core="b", succeeded=2, failed=1), row(START + BUCKET - MINUTE, lost=1),
    row(START + BUCKET, guild="1", succeeded=7), row(START + BUCKET, guild="2", succeeded=9),
    row(START, handler="near", succeeded=3),
]  # fmt: skip
COUNTED = [(each, slice_of(each)) for each in ROWS]


def test_methods_minutes_and_cores_are_added_up_in_order() -> None:
    found = buckets_of(COUNTED, None)
    assert [(each.at, each.span, each.succeeded, each.failed, each.lost) for each in found["far"]] == [
        (spell(START), "PT30M", 3, 1, 1), (spell(START + BUCKET), "PT30M", 16, 0, 0),
    ]  # fmt: skip
    assert [each.succeeded for each in found["near"]] == [3]
    assert found["far"][0].p50 == found["far"][0].p95 == "PT1.1S"


def test_a_guild_sees_what_was_done_for_all_and_for_itself() -> None:
    found = buckets_of(COUNTED, ("", "1"))
    assert [each.succeeded for each in found["far"]] == [3, 7]


def test_what_nothing_ended_in_is_left_out() -> None:
    empty = row(START)
    assert buckets_of([(empty, slice_of(empty))], None) == {"far": ()}
