"""Settings of segmentation fitted to the recordings of training, so that long recordings become pieces like them."""

from collections.abc import Iterable

import numpy as np

from asr.acoustic.voice_activity import detect_speech, frame_samples
from asr.long_form.segmentation import SegmentationSettings

SILENCE_SECONDS = 10.0
"""So much silence within a piece does no harm where features are normalized over speech alone."""


def fit_segmentation(
    recordings: Iterable[np.ndarray], sample_rate: int, *, over_speech: bool = False
) -> SegmentationSettings:
    """Find settings that make pieces like these recordings; a few hundred recordings are enough.

    A model that has heard only single digits makes nothing of two, and features are normalized over a piece, silence
    included. So a piece may be as long as the longer ones of these recordings and keeps as much silence around it;
    and the shorter the recordings are, the shorter are the pauses that end a piece.

    Args:
        recordings: utterances that the model was trained on, each `[samples]`, as they are.
        sample_rate: the rate of the samples in Hz.
        over_speech: features are normalized over speech, so a short utterance in a long silence is no long recording.

    Returns:
        The defaults where no recording holds speech.
    """
    facts = [each for recording in recordings if (each := _measure(recording, sample_rate))]
    if not facts:
        return SegmentationSettings()
    spoken, margin = np.array(facts).T
    usual = np.median(spoken)
    window = np.clip(1.5 * np.percentile(spoken, 95) + over_speech * SILENCE_SECONDS, 2, 30)
    values = {
        "window_seconds": window,
        "overlap_seconds": min(0.4 * window, 4),
        "piece_seconds": 0.7 * usual,
        "long_pause_seconds": np.clip(0.3 * usual, 0.2, 0.6),
        "short_pause_seconds": np.clip(0.1 * usual, 0.1, 0.2),
        "margin_seconds": np.clip(np.median(margin), 0.02, 0.2),
        "stretch_seconds": max(60, 2 * window),
    }
    return SegmentationSettings(**{name: round(float(value), 3) for name, value in values.items()})


def _measure(recording: np.ndarray, sample_rate: int) -> tuple[float, float] | None:
    """Return the seconds from the first to the last speech of an utterance, and of the silence on each side.

    Returns:
        None where the utterance has no speech; the silence is the mean of both sides.
    """
    decisions = [each for _, each in detect_speech([recording], sample_rate)]
    speech = np.concatenate([np.zeros(0, bool), *decisions])
    spoken = np.flatnonzero(speech)
    if not len(spoken):
        return None
    frames = int(spoken[-1] - spoken[0]) + 1
    frame_seconds = frame_samples(sample_rate) / sample_rate
    return frames * frame_seconds, (len(speech) - frames) / 2 * frame_seconds
