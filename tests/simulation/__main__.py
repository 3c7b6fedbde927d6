"""Replay simulated days by seed: ``python -m tests.simulation FIRST [LAST]``."""

from __future__ import annotations

import sys
import time
from contextlib import closing

from tests.simulation.checker import faults
from tests.simulation.day import live


def main() -> None:
    first = int(sys.argv[1])
    last = int(sys.argv[2]) if len(sys.argv) > 2 else first
    failed = 0
    for seed in range(first, last + 1):
        began = time.process_time()
        with closing(live(seed)) as story:
            found = faults(story)
        failed += bool(found)
        verdict = "ok" if not found else "; ".join(found[:5])
        print(f"seed {seed}: {story.stops} stops, {story.steps} steps, {len(story.world.chat.messages)} messages, "
              f"{time.process_time() - began:.2f} s CPU: {verdict}", flush=True)  # fmt: skip
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
