"""The number of threads that decoding and forced alignment use."""

import os
import sys


def thread_count() -> int:
    """Return how many threads may work side by side.

    Returns:
        What torch uses within an operation (`torch.get_num_threads()`) where the process has imported torch, so that
        one setting governs both; otherwise the number of processors this process may run on.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.get_num_threads()
    if hasattr(os, "sched_getaffinity"):  # Linux; elsewhere all processors may be used
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
