"""How the recordings of training are cut, so that long ones may be cut alike."""

from collections.abc import Iterable

import numpy as np

from asr.acoustic.voice_activity import frame_samples, mark_speech
from asr.long_form.segmentation import Cutting


def learn_cutting(recordings: Iterable[np.ndarray], sample_rate: int) -> Cutting:
    """Settings that make pieces like these recordings; a few hundred are enough.

    A model that has heard only single digits makes nothing of two, and features are normalized over a piece,
    silence included. So a piece may be as long as the longer ones of these recordings and keeps as much silence
    around it; and the shorter they are, the shorter are the pauses it ends at.

    Args:
        recordings: utterances that the model was trained on, each `[samples]` at `sample_rate` Hz, as they are.
        sample_rate: in Hz.
    """
    facts = [each for recording in recordings if (each := _measure(recording, sample_rate))]
    if not facts:
        return Cutting()
    spoken, margin = np.array(facts).T
    usual = np.median(spoken)
    window = np.clip(1.5 * np.percentile(spoken, 95), 2, 30)
    values = {
        "window_seconds": window,
        "overlap_seconds": min(0.4 * window, 4),
        "piece_seconds": 0.7 * usual,
        "long_pause_seconds": np.clip(0.3 * usual, 0.2, 0.6),
        "short_pause_seconds": np.clip(0.1 * usual, 0.1, 0.2),
        "margin_seconds": np.clip(np.median(margin), 0.02, 0.2),
        "stretch_seconds": max(60, 2 * window),
    }
    return Cutting(**{name: round(float(value), 3) for name, value in values.items()})


def _measure(recording: np.ndarray, sample_rate: int) -> tuple[float, float] | None:
    """Seconds from the first speech to the last in one utterance, and of the silence on a side."""
    marks = np.concatenate(
        [np.zeros(0, bool), *(marks for _, marks in mark_speech([recording], sample_rate))]
    )
    speech = np.flatnonzero(marks)
    if not len(speech):
        return None
    frames = int(speech[-1] - speech[0]) + 1
    seconds = frame_samples(sample_rate) / sample_rate
    return frames * seconds, (len(marks) - frames) / 2 * seconds
