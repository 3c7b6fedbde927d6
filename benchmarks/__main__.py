"""All benchmarks, one after the other."""

from __future__ import annotations

from benchmarks import creates, events, fires, recovery, runs, size, timing, wire


def main() -> None:
    for benchmark in (fires, runs, wire, events, creates, size, recovery, timing):
        benchmark.main()


if __name__ == "__main__":
    main()
