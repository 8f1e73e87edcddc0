"""Ctrl-C between two batches, and not in the middle of what compiled code calls back."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl


class Interrupts(pl.Callback):
    """Holds the first Ctrl-C back until a batch is done; the second ends the program where it is.

    A KeyboardInterrupt that is raised while numba compiles is swallowed there, or ends the process.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """While this lasts, an interrupt is one of this callback's, where there can be any.

        A thread other than the main one gets none, nor does what a shell started in its background.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed after the last batch.
        """
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
            yield
            return

        def ask(*_: Any) -> None:
            self.asked = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        self.on_train_batch_end()

    def on_train_batch_end(self, *_: Any) -> None:
        """Raise what was held back.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        if self.asked:
            raise KeyboardInterrupt

    def on_validation_batch_end(self, *_: Any) -> None:
        """The same."""
        self.on_train_batch_end()
