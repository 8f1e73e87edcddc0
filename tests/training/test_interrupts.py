"""Ctrl-C is answered between two batches."""

import signal

import pytest

from training.interrupts import Interrupts


def test_the_first_interrupt_waits_for_a_batch_and_the_second_does_not() -> None:
    interrupts, before = Interrupts(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        interrupts.on_train_batch_end()
        signal.raise_signal(signal.SIGINT)  # nothing happens, whatever runs
        for batch_is_done in (interrupts.on_train_batch_end, interrupts.on_validation_batch_end):
            with pytest.raises(KeyboardInterrupt):
                batch_is_done()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise KeyboardInterrupt  # what the batch raised
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_after_the_last_batch_is_not_lost() -> None:
    interrupts, before = Interrupts(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
