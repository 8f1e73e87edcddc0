"""What a synthesizer makes of a text: samples, and the times of its words where it knows them."""

from typing import NamedTuple

import numpy as np

from sluice_core.errors import UserError


class EngineError(UserError):
    """A synthesizer is missing, does not know a voice, or cannot say a text; the message says which and what to do."""


class SpokenWord(NamedTuple):
    """A word of the text, and when it is said."""

    text: str
    start_seconds: float
    end_seconds: float


class Speech(NamedTuple):
    """What was said."""

    samples: np.ndarray
    """int16 or float32 `[samples]`; only their ratios count, since a recording's level is set afterwards."""
    sample_rate: int
    """The rate of the samples in Hz."""
    words: list[SpokenWord] | None
    """One word for each of `text.split()`; None from synthesizers that do not tell when they say what."""
