"""Benchmarks, each of which prints a table: `python -m benchmarks.NAME`."""
