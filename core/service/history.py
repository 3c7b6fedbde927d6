"""History: how the attempts of handlers went within the last day, in buckets of the same length."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from core.engine.tally import FAILED, LOST, SUCCEEDED, Slice
from core.ledger.rows import HistoryRow
from schedule_zero.instant import MINUTE, SECOND, spell, spell_duration
from schedule_zero.views import HistoryBucket

BUCKET: Final = 30 * MINUTE
_SPAN: Final = spell_duration(BUCKET)


def buckets_of(
    counted: Iterable[tuple[HistoryRow, Slice]], whose: Collection[str] | None
) -> dict[str, tuple[HistoryBucket, ...]]:
    """What was counted, added up over methods and cores, by handler; oldest first.

    Args:
        whose: only what was done for these guilds alone, or, where the empty text is among them, for all; None: everything.
    """
    sums: dict[str, dict[int, Slice]] = {}
    for row, each in counted:
        if whose is None or row.guild in whose:
            sums.setdefault(row.handler, {}).setdefault(row.at // BUCKET * BUCKET, Slice()).add(each)
    return {
        handler: tuple(_bucket(at, each) for at, each in sorted(found.items()) if any(each.counts))
        for handler, found in sums.items()
    }


def _bucket(at: int, each: Slice) -> HistoryBucket:
    return HistoryBucket(
        at=spell(at), span=_SPAN, succeeded=each.counts[SUCCEEDED], failed=each.counts[FAILED], lost=each.counts[LOST],
        p50=spelled(each.quantile(0.5)), p95=spelled(each.quantile(0.95)),
    )  # fmt: skip


def spelled(seconds: float | None) -> str | None:
    """A run time, with the two digits that are known of it."""
    return None if seconds is None else spell_duration(int(float(f"{seconds:.2g}") * SECOND))
