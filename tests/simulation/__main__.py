"""Replay simulated days by seed: ``python -m tests.simulation FIRST [LAST [server]]``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.postgres import Databases, server_in
from tests.simulation.checker import faults
from tests.simulation.day import live
from tests.simulation.rows import Rows, ServerRows


def main() -> None:
    first = int(sys.argv[1])
    last = int(sys.argv[2]) if len(sys.argv) > 2 else first
    with _databases(sys.argv[3:]) as databases:
        sys.exit(1 if _replay(first, last, databases) else 0)


@contextmanager
def _databases(words: list[str]) -> Iterator[Databases | None]:
    """``server``: a PostgreSQL of its own for these days."""
    if words != ["server"]:
        yield None
        return
    with TemporaryDirectory() as folder, server_in(Path(folder)) as server:
        yield Databases(server)


@contextmanager
def _rows(databases: Databases | None) -> Iterator[Rows | None]:
    if databases is None:
        yield None
        return
    with databases.one() as name:
        yield ServerRows(databases.server.url(name))


def _replay(first: int, last: int, databases: Databases | None) -> int:
    failed = 0
    for seed in range(first, last + 1):
        began = time.process_time()
        with _rows(databases) as rows, closing(live(seed, rows=rows)) as story:
            found = faults(story)
        failed += bool(found)
        verdict = "ok" if not found else "; ".join(found[:5])
        print(f"seed {seed}: {story.stops} stops, {story.steps} steps, {len(story.world.chat.messages)} messages, "
              f"{time.process_time() - began:.2f} s CPU: {verdict}", flush=True)  # fmt: skip
    return failed


if __name__ == "__main__":
    main()
