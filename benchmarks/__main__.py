"""All benchmarks, one after the other."""

from __future__ import annotations

from benchmarks import creates, events, fires, recovery, runs, size, wire


def main() -> None:
    for benchmark in (fires, runs, wire, events, creates, size, recovery):
        benchmark.main()


if __name__ == "__main__":
    main()
