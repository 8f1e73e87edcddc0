"""Interrupt training between two batches, not in the middle of a batch."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl


class Interrupts(pl.Callback):
    """Hold the first Ctrl-C back until a batch is done; the second ends the program where it is.

    A KeyboardInterrupt that is raised while numba compiles is swallowed there, or ends the process.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Let this callback handle interrupts while the context lasts.

        Nothing is changed in a thread other than the main one, or in a process that a shell started in its
        background: they get no interrupts.

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
        """Raise the interrupt that was held back, if there was one.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        if self.asked:
            raise KeyboardInterrupt

    def on_validation_batch_end(self, *_: Any) -> None:
        """Raise the interrupt that was held back, if there was one."""
        self.on_train_batch_end()
