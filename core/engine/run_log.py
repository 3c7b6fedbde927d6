"""The log of a run as the ledger keeps it: its first lines and its last. Pure: what new lines make of it.

Lines are numbered as they were said, so that what is not there any more shows as a gap in the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.ledger.rows import Cut, LineRow, ToldRow
from schedule_zero.process.lines import MOST_BYTES, Told, size_of
from schedule_zero.transport.wire import MOST_LINES

HALF_LINES: Final = MOST_LINES // 2
HALF_BYTES: Final = MOST_BYTES // 2
MILLION: Final = 1_000_000
MOST_COUNTED: Final = 2**53
"""What any reader of JSON can hold; a handler may say that it left out more."""


def appended(row: ToldRow, attempt: int, told: Told) -> tuple[ToldRow, list[LineRow], Cut | None]:
    """What a run that has told ``row`` has told then, the lines to write, and which of all are to go."""
    lines, places, size, head = row.lines, row.places, row.size, row.head
    fresh: list[LineRow] = []
    for line in told.taken.lines:
        weight = size_of(line)
        if head is None and (places == HALF_LINES or size + weight > HALF_BYTES):
            head = places
        lines = min(MOST_COUNTED, lines + line.left_out + 1)
        places += 1
        fresh.append(
            LineRow(
                run_id=row.run_id, place=places, n=lines, attempt=attempt, at=line.at, preceding=size, text=line.text
            )
        )
        size += weight
    lines = min(MOST_COUNTED, lines + told.taken.left_out)
    fraction, note = _progress(row, attempt, told)
    after = ToldRow(
        run_id=row.run_id,
        attempt=attempt,
        fraction=fraction,
        note=note,
        lines=lines,
        places=places,
        size=size,
        head=head,
    )
    return after, fresh, _cut(after) if fresh else None


def _progress(row: ToldRow, attempt: int, told: Told) -> tuple[int | None, str]:
    """The newest of this attempt; another's does not stand for it."""
    if told.fraction is not None:
        return round(told.fraction * MILLION), told.note
    return (row.fraction, row.note) if row.attempt == attempt else (None, "")


def _cut(row: ToldRow) -> Cut | None:
    if row.head is None:
        return None
    cut = Cut(row.run_id, row.head, row.places - HALF_LINES, row.size - HALF_BYTES)
    return cut if cut.upto > cut.after or cut.preceding > 0 else None


def shares(wanted: Sequence[int], most: int) -> list[int]:
    """How many of ``most`` lines each of those gets that want so many: the modest all they want, the others alike."""
    given = [0] * len(wanted)
    left = most
    for rank, place in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        given[place] = min(wanted[place], left // (len(wanted) - rank))
        left -= given[place]
    return given
