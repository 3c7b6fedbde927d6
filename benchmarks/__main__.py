"""All benchmarks, one after the other, or those that are named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from benchmarks import (
    beside,
    cluster,
    creates,
    events,
    fires,
    flood,
    governor,
    ledger_postgresql,
    recovery,
    runs,
    size,
    timing,
    wire,
)
from benchmarks.fairness import page as fairness

BENCHMARKS: Final[dict[str, Callable[[], None]]] = {
    "fires": fires.main, "runs": runs.main, "wire": wire.main, "events": events.main, "creates": creates.main,
    "size": size.main, "recovery": recovery.main, "timing": timing.main, "beside": beside.main,
    "fairness": fairness.main, "governor": governor.main, "flood": flood.main,
    "cluster": cluster.main, "ledger_postgresql": ledger_postgresql.main,
}  # fmt: skip
APART: Final = ("beside", "flood", "cluster", "ledger_postgresql")
"""Not among all: they take long, or need much beside."""


def main(names: list[str]) -> int:
    """Run benchmarks; returns the exit code."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"{unknown[0]} is no benchmark; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or [name for name in BENCHMARKS if name not in APART]:
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
