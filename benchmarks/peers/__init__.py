"""What benchmarks compare with, run by a Python that has it."""
