"""Voice activity detection by energy over a recording's own noise, for recordings of any length, without torch."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

import numpy as np

CHUNK_SECONDS = 10.0
"""The noise level is estimated over a chunk of this length and its two neighbours."""

FRAME_SECONDS = 0.01
SMOOTHED_FRAMES = 5  # so that the level of steady noise varies by a fraction of a decibel
NOISE_PERCENTILE = 3.0  # of levels: even fast talk has so much of stops and breath
LOUD_PERCENTILE = 95.0
LARGEST_RANGE_DB = 50.0  # what lies further under the loud is taken for silence, such as zeros between takes
SILENCE_DB = -110.0  # of full scale
RANGE_SHARE = 0.25  # speech begins this share of the way from the noise to the loud …
ABOVE_NOISE_DB = (4.0, 10.0)  # … but within these limits, to keep faint speech and to drop uneven noise
SHORTEST_SILENCE_FRAMES = 3


def detect_speech(blocks: Iterable[np.ndarray], sample_rate: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Decide for each frame of about a hundredth of a second whether it may be speech.

    Two levels are measured: that of the samples, and that of their differences, in which hum and rumble are weak.
    Either is enough. A level counts by how far it rises over the noise of the half minute around it, so the loudness
    of a recording may change. Doubtful frames count as speech.

    Args:
        blocks: consecutive blocks of samples `[samples]`, of any lengths.
        sample_rate: the rate of the samples in Hz.

    Yields:
        Chunks of samples `[samples]`, each with its decisions `[samples // frame_samples(sample_rate)]` bool. Every
        chunk but the last is a whole number of frames; an incomplete frame at the very end has no decision.

    Example:
        >>> samples = np.concatenate([np.zeros(8000), np.sin(np.arange(8000)), np.zeros(8000)])
        >>> (_, speech), = detect_speech([samples], 8000)
        >>> np.flatnonzero(np.diff(speech)).tolist()  # the frames after which speech begins and ends
        [100, 198]
    """
    previous: np.ndarray | None = None  # levels
    waiting: tuple[np.ndarray, np.ndarray] | None = None  # samples and levels
    for chunk in rechunk(blocks, round(CHUNK_SECONDS / FRAME_SECONDS) * frame_samples(sample_rate)):
        levels = _levels(chunk, frame_samples(sample_rate))
        if waiting is not None:
            yield waiting[0], _decide(previous, waiting[1], levels)
            previous = waiting[1]
        waiting = chunk, levels
    if waiting is not None:
        yield waiting[0], _decide(previous, waiting[1], None)


def frame_samples(sample_rate: int) -> int:
    """Return the number of samples of one frame."""
    return round(FRAME_SECONDS * sample_rate)


def rechunk(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the same samples in arrays of `size` samples; the last may be shorter."""
    held: list[np.ndarray] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        if count >= size:
            joined = np.concatenate(held)
            whole = count - count % size
            yield from joined[:whole].reshape(-1, size)
            held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)


def _levels(chunk: np.ndarray, size: int) -> np.ndarray:
    """Return the levels of frames in dB of full scale, of samples and of differences: `[2, frames]`, not smoothed."""
    count = len(chunk) // size
    frames = chunk[: count * size].reshape(count, size)
    energies = np.stack([_variance(frames), _variance(frames[:, 1:] - frames[:, :-1])])
    return 10 * np.log10(np.maximum(energies, 10 ** (SILENCE_DB / 10)))


def _variance(frames: np.ndarray) -> np.ndarray:
    """Return the variance of each frame, as `frames.var(axis=1)`, which takes longer to begin than to compute it."""
    deviations = frames - frames.mean(axis=1, keepdims=True)
    return (deviations * deviations).mean(axis=1)


def _decide(before: np.ndarray | None, levels: np.ndarray, after: np.ndarray | None) -> np.ndarray:
    """Decide for the frames of `levels` `[2, frames]`, by the levels of the chunks before and after too."""
    around = [each for each in (before, levels, after) if each is not None]
    joined = np.concatenate(around, axis=1)
    if joined.shape[1] < SMOOTHED_FRAMES:
        return np.ones(levels.shape[1], bool)  # too short to have a noise
    kernel = np.full(SMOOTHED_FRAMES, 1 / SMOOTHED_FRAMES)
    edge = SMOOTHED_FRAMES // 2
    padded = np.pad(joined, ((0, 0), (edge, edge)), mode="edge")
    smooth = np.stack([np.convolve(band, kernel, mode="valid") for band in padded])
    loud, noise = np.percentile(smooth, (LOUD_PERCENTILE, NOISE_PERCENTILE), axis=1)
    noise = np.maximum(noise, loud - LARGEST_RANGE_DB)
    threshold = noise + np.clip(RANGE_SHARE * (loud - noise), *ABOVE_NOISE_DB)
    speech = (smooth > threshold[:, None]).any(axis=0)
    first = 0 if before is None else before.shape[1]
    return speech[first : first + levels.shape[1]]


class Silences:
    """The stretches of a recording without speech."""

    def __init__(self, speech: np.ndarray, sample_rate: int) -> None:
        """Find the stretches between speech.

        Args:
            speech: `[frames]` bool, whether each frame of `frame_samples(sample_rate)` samples may be speech.
            sample_rate: the rate of the samples in Hz.
        """
        self._frame_seconds = frame_samples(sample_rate) / sample_rate
        edges = np.flatnonzero(np.diff(speech, prepend=True, append=True)).tolist()
        self._begins, self._stops = edges[::2], edges[1::2]  # frames; lists, which are faster to search

    @classmethod
    def detect(cls, samples: np.ndarray, sample_rate: int) -> "Silences":
        """Detect the silences of a whole recording, given as samples `[samples]`."""
        speech = [decisions for _, decisions in detect_speech([samples], sample_rate)]
        return cls(np.concatenate(speech) if speech else np.zeros(0, bool), sample_rate)

    def longest(self, start_seconds: float, end_seconds: float) -> tuple[float, float] | None:
        """Return start and end in seconds of the longest silence between two times, clipped to them.

        Returns:
            The first one of several that are equally long; None where none has `SHORTEST_SILENCE_FRAMES`.
        """
        frame = self._frame_seconds
        first, last = max(0, round(start_seconds / frame)), round(end_seconds / frame)
        length, found = SHORTEST_SILENCE_FRAMES - 1, None
        for item in range(bisect_right(self._stops, first), bisect_left(self._begins, last)):
            begin, stop = max(self._begins[item], first), min(self._stops[item], last)
            if stop - begin > length:
                length, found = stop - begin, (begin * frame, stop * frame)
        return found
