"""A floor of slots in virtual time: runs come, a policy says who is next, and nothing else holds anybody back."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from benchmarks.fairness.policies import Policy
from core.governor.fairness import Waiting


def simulate(
    policy: Policy, arrivals: Iterable[tuple[float, Waiting]], *, slots: int, run_s: Callable[[Waiting], float]
) -> dict[str, tuple[float, float]]:
    """Run everything; by run id, when it started and when it ended.

    Args:
        arrivals: when each run comes (virtual seconds).
        slots: how many run at once.
        run_s: how long a run takes.
    """
    pending = sorted(arrivals, key=lambda each: (each[0], each[1].run_id), reverse=True)
    ends: list[tuple[float, str, float, Waiting]] = []
    times: dict[str, tuple[float, float]] = {}
    while pending or ends:
        now = min([*(each[0] for each in pending[-1:]), *(each[0] for each in ends[:1])])
        while ends and ends[0][0] <= now:
            _, _, begun, entry = heapq.heappop(ends)
            policy.finished(entry, now - begun, now)
        while pending and pending[-1][0] <= now:
            policy.put(pending.pop()[1])
        while len(ends) < slots and (following := policy.next(now)) is not None:
            end = now + run_s(following)
            times[following.run_id] = now, end
            heapq.heappush(ends, (end, following.run_id, now, following))
    return times
