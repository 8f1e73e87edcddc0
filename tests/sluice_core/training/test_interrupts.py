"""Ctrl-C is answered between two batches."""

import signal
from collections.abc import Iterator

import pytest

from sluice_core.training.interrupts import Interrupts


@pytest.fixture(autouse=True)
def python_s_own_handler() -> Iterator[None]:
    """As at a keyboard: what a shell starts in its background ignores interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_interrupt_waits_for_a_batch_and_the_second_does_not() -> None:
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        interrupts.on_train_batch_end()
        signal.raise_signal(signal.SIGINT)  # nothing happens, whatever runs
        for batch_is_done in (interrupts.on_train_batch_end, interrupts.on_validation_batch_end):
            with pytest.raises(KeyboardInterrupt):
                batch_is_done()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_after_the_last_batch_is_not_lost() -> None:
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_ignores_interrupts_goes_on_doing_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts = Interrupts()
    with interrupts.held_back():
        signal.raise_signal(signal.SIGINT)
        interrupts.on_train_batch_end()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
