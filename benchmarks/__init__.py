"""Benchmarks print ratios measured in one run; they are never part of the timed tests. `make bench` runs all."""
