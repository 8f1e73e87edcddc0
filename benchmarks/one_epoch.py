"""A training whose epochs begin when they are told to: what `benchmarks.epoch` starts, in a process for each build.

It stands alone and uses nothing that another build could lack. Its arguments are those of `sluice train`.
"""

import json
import os
import sys
import time
from typing import Any

from sluice import cli
from sluice_core.training.callbacks import History


class Turns:
    """Waits for a line before each epoch, and prints after it what it took, as a line of JSON."""

    def __init__(self) -> None:
        self.started = (0.0, 0.0)
        # What the program itself prints must not come between.
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def begin(self) -> None:
        """Wait for the turn, or leave where there is none."""
        if not sys.stdin.readline():
            os._exit(0)
        self.started = (time.perf_counter(), time.process_time())

    def end(self) -> None:
        """Print the seconds of the epoch, by the clock and of the processor."""
        wall, processor = (time.perf_counter() - self.started[0], time.process_time() - self.started[1])
        print(json.dumps({"wall": wall, "processor": processor}), file=self.answers, flush=True)


def main() -> None:
    """Train, epoch by epoch."""
    turns = Turns()
    callback: Any = History
    before, after = callback.on_train_start, callback.on_train_epoch_end

    def on_train_start(self: History, *given: Any) -> None:
        turns.begin()
        before(self, *given)

    def on_train_epoch_end(self: History, *given: Any) -> None:
        after(self, *given)
        turns.end()
        turns.begin()  # so that the checkpoint, which is written next, is the next epoch's

    callback.on_train_start, callback.on_train_epoch_end = on_train_start, on_train_epoch_end
    sys.exit(cli.main(["train", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
