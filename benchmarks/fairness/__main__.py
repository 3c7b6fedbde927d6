"""``python -m benchmarks.fairness`` writes docs/fairness.md's table and docs/fairness.svg anew."""

from __future__ import annotations

from benchmarks.fairness.page import write

if __name__ == "__main__":
    write()
