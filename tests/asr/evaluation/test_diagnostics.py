"""Each failure of a training is recognized and said once; a healthy training is met with silence."""

import math

import pytest

from asr.evaluation.diagnostics import Diagnostics


def watch(epochs: list[dict[str, float]]) -> tuple[list[str], list[int]]:
    """Everything that was said of a training, and in which epochs."""
    said: list[str] = []
    diagnostics = Diagnostics(said.append)
    when = [number for number, figures in enumerate(epochs) if diagnostics.epoch(number, figures)]
    return said, when


def figures(train: float, dev: float, error: float, answered: float = 1.0) -> dict[str, float]:
    return {"train_loss": train, "dev_loss": dev, "dev_error": error, "dev_answered": answered}


# A recognizer of AN4 that went well; augmentation starts in the sixth epoch, and the training loss jumps.
AN4 = [
    (3.711, 2.147, 0.979, 0.588),
    (1.748, 1.149, 0.698, 0.988),
    (1.041, 0.736, 0.439, 1),
    (0.649, 0.538, 0.302, 1),
    (0.389, 0.469, 0.242, 1),
    (1.051, 0.475, 0.219, 1),
    (0.834, 0.437, 0.213, 1),
    (0.660, 0.403, 0.203, 1),
    (0.623, 0.372, 0.199, 1),
    (0.563, 0.365, 0.188, 1),
    (0.479, 0.344, 0.184, 1),
    (0.443, 0.327, 0.166, 1),
    (0.412, 0.310, 0.172, 1),
    (0.399, 0.308, 0.159, 1),
    (0.369, 0.302, 0.151, 1),
    (0.343, 0.295, 0.149, 1),
    (0.349, 0.285, 0.147, 1),
    (0.306, 0.274, 0.135, 1),
    (0.294, 0.265, 0.122, 1),
    (0.278, 0.266, 0.139, 1),
    (0.270, 0.270, 0.135, 1),
    (0.277, 0.272, 0.137, 1),
]


def test_a_healthy_training_is_met_with_silence() -> None:
    assert watch([figures(*epoch) for epoch in AN4]) == ([], [])


def test_a_slow_beginning_that_moves_is_no_failure() -> None:
    # Everything is blank for 5 epochs, as CTC begins, while the loss falls slowly; then it takes off.
    slow = [figures(2.9 - 0.08 * n, 2.9 - 0.08 * n, 1.0, 0.0) for n in range(5)]
    fast = [figures(2.2 * 0.7**n, 2.2 * 0.75**n, 0.9 * 0.8**n) for n in range(12)]
    assert watch([*slow, *fast]) == ([], [])


def test_a_finished_training_whose_loss_rests_is_no_failure() -> None:
    # Strong augmentation keeps the training loss high; the dev error is low and has been for long.
    falling = [figures(3 * 0.7**n, 3 * 0.65**n, max(0.1, 0.8**n)) for n in range(6)]
    assert watch([*falling, *[figures(0.5, 0.3, 0.1)] * 15]) == ([], [])


def test_all_blank_is_recognized_once_after_five_epochs() -> None:
    said, when = watch([figures(3.0 * 0.97**n, 3.0 * 0.97**n, 1.0, 0.02) for n in range(12)])
    assert len(said) == 1 and "all blank" in said[0] and "augment.start_epoch" in said[0]
    assert when == [5]


def test_a_loss_that_does_not_fall_is_recognized() -> None:
    said, _ = watch([figures(2.85 + 0.01 * (n % 3), 2.9, 0.95, 0.9) for n in range(12)])
    assert len(said) == 1 and "stayed near 2.8" in said[0] and "learning_rate" in said[0]


def test_a_loss_that_jumps_up_and_stays_there_is_recognized() -> None:
    good = [figures(2.5 - 0.2 * n, 2.5 - 0.2 * n, 0.9 - 0.05 * n) for n in range(6)]
    said, _ = watch([*good, *[figures(2.8, 2.8, 0.99, 0.9)] * 6])
    assert len(said) == 1 and "has not fallen" in said[0]


def test_over_fitting_is_recognized_and_names_its_epoch() -> None:
    falling = [figures(2 * 0.6**n, 2 * 0.7**n, 0.8 * 0.8**n) for n in range(6)]
    rising = [figures(2 * 0.6 ** (6 + n), 0.34 + 0.08 * n, 0.3) for n in range(8)]
    said, _ = watch([*falling, *rising])
    assert len(said) == 1 and "over-fitting" in said[0] and "lowest in epoch 6" in said[0]


def test_a_rising_dev_loss_with_a_falling_dev_error_is_no_over_fitting() -> None:
    falling = [figures(2 * 0.6**n, 2 * 0.7**n, 0.8 * 0.8**n) for n in range(6)]
    better = [figures(2 * 0.6 ** (6 + n), 0.34 + 0.08 * n, 0.2 * 0.9**n) for n in range(8)]
    assert watch([*falling, *better]) == ([], [])


def test_epochs_are_named_by_their_own_numbers_after_a_resumed_training() -> None:
    said: list[str] = []
    diagnostics = Diagnostics(said.append)
    for n in range(10):
        diagnostics.epoch(30 + n, figures(0.2 * 0.8**n, 0.3 + 0.1 * n, 0.3))
    assert len(said) == 1 and "epoch 31 " in said[0]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_training_loss_that_is_no_number_is_recognized(loss: float) -> None:
    said, when = watch([figures(2.0, 2.0, 0.9), figures(loss, 2.0, 0.9), figures(loss, 2.0, 0.9)])
    assert len(said) == 1 and "not a finite number" in said[0] and when == [1]


def test_a_dev_loss_that_is_unknown_hides_nothing() -> None:
    falling = [figures(2 * 0.6**n, math.nan if n < 2 else 2 * 0.7**n, 0.8 * 0.8**n) for n in range(6)]
    rising = [figures(2 * 0.6 ** (6 + n), 0.34 + 0.08 * n, 0.3) for n in range(8)]
    assert "lowest in epoch 6" in watch([*falling, *rising])[0][0]
    assert watch([{"train_loss": 1.0 * 0.9**n} for n in range(20)]) == ([], [])


def test_an_unreadable_utterance_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    diagnostics = Diagnostics()
    diagnostics.unreadable(["a.wav: empty", "b.wav: truncated"])
    diagnostics.unreadable(["a.wav: empty"])
    assert [record.message for record in caplog.records] == [
        "left out: a.wav: empty",
        "left out: b.wav: truncated",
    ]
