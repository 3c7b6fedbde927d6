"""What is different between the next due times before and after a change, as far as both are known."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schedule_zero import instant


class Difference(msgspec.Struct, frozen=True):
    """Due times by what became of them, each in order, as they were spelled."""

    gone: tuple[str, ...]
    come: tuple[str, ...]
    kept: tuple[str, ...]


def difference(before: Sequence[str], after: Sequence[str], *, asked: int) -> Difference:
    """Compare two lists of the next ``asked`` due times. A full list may go on, so nothing is said of what lies behind its end."""
    was, is_now = ({instant.parse(time): time for time in times} for times in (before, after))
    ends = [max(times) for times in (was, is_now) if times and len(times) >= asked]
    places = [at for at in sorted(was.keys() | is_now.keys()) if not ends or at <= min(ends)]
    return Difference(
        gone=tuple(was[at] for at in places if at not in is_now),
        come=tuple(is_now[at] for at in places if at not in was),
        kept=tuple(is_now[at] for at in places if at in was and at in is_now),
    )
