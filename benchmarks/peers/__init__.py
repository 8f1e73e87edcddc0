"""Other libraries that benchmarks compare with, run by a Python that has them installed."""
