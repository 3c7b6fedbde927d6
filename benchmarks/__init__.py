"""Benchmarks: one command each (``python -m benchmarks.fires``), and ``python -m benchmarks`` for all.

Each prints its medians over five runs, the machine's load, and the ratio to a peer or to the raw limit on the same
machine. Wall-clock figures on a shared machine swing; ratios and CPU time are the figures to compare.
"""
