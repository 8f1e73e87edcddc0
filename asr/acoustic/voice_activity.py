"""Where somebody speaks in a recording of any length, by energy over its own noise."""

from collections.abc import Iterable, Iterator

import numpy as np

CHUNK_SECONDS = 10.0
"""The noise is judged over this chunk and its two neighbours."""

FRAME_SECONDS = 0.01
SMOOTHED_FRAMES = 5  # so that the level of steady noise varies by a fraction of a decibel
NOISE_PERCENTILE = 3.0  # of levels: even fast talk has so much of stops and breath
LOUD_PERCENTILE = 95.0
LARGEST_RANGE_DB = 50.0  # what lies further under the loud is taken for silence, such as zeros between takes
SILENCE_DB = -110.0  # of full scale
RANGE_SHARE = 0.25  # speech begins this share of the way from the noise to the loud …
ABOVE_NOISE_DB = (4.0, 10.0)  # … but within these limits, to keep faint speech and to drop uneven noise


def mark_speech(blocks: Iterable[np.ndarray], sample_rate: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Say of each hundredth of a second whether it may be speech.

    Levels are those of the samples and of their differences, which hear through hum and rumble; either is
    enough. What counts is how far they rise over the noise of the half minute around, so a recording may
    change its loudness. The doubtful counts as speech.

    Args:
        blocks: of samples `[samples]` of any lengths, in order.
        sample_rate: in Hz.

    Yields:
        Chunks of samples `[samples]`, and marks `[samples // frame_samples(sample_rate)]` bool; every chunk
        but the last is a whole number of frames, and what is no whole frame at the very end has no mark.
    """
    previous: np.ndarray | None = None  # levels
    waiting: tuple[np.ndarray, np.ndarray] | None = None  # samples and levels
    for chunk in rechunk(blocks, round(CHUNK_SECONDS / FRAME_SECONDS) * frame_samples(sample_rate)):
        levels = _levels(chunk, frame_samples(sample_rate))
        if waiting is not None:
            yield waiting[0], _mark(previous, waiting[1], levels)
            previous = waiting[1]
        waiting = chunk, levels
    if waiting is not None:
        yield waiting[0], _mark(previous, waiting[1], None)


def frame_samples(sample_rate: int) -> int:
    """Samples of one mark."""
    return round(FRAME_SECONDS * sample_rate)


def rechunk(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same samples in arrays of `size`; the last may be shorter."""
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
    """Decibels under full scale of frames, of samples and of differences: `[2, frames]`, not smoothed."""
    count = len(chunk) // size
    frames = chunk[: count * size].reshape(count, size)
    energies = np.stack([frames.var(axis=1), np.diff(frames, axis=1).var(axis=1)])
    return 10 * np.log10(np.maximum(energies, 10 ** (SILENCE_DB / 10)))


def _mark(before: np.ndarray | None, levels: np.ndarray, after: np.ndarray | None) -> np.ndarray:
    """Mark the frames of `levels` `[2, frames]`, with those of the chunks around."""
    around = [part for part in (before, levels, after) if part is not None]
    joined = np.concatenate(around, axis=1)
    if joined.shape[1] < SMOOTHED_FRAMES:
        return np.ones(levels.shape[1], bool)  # too short to have a noise
    kernel = np.full(SMOOTHED_FRAMES, 1 / SMOOTHED_FRAMES)
    edge = SMOOTHED_FRAMES // 2
    padded = np.pad(joined, ((0, 0), (edge, edge)), mode="edge")
    smooth = np.stack([np.convolve(band, kernel, mode="valid") for band in padded])
    loud = np.percentile(smooth, LOUD_PERCENTILE, axis=1)
    noise = np.maximum(np.percentile(smooth, NOISE_PERCENTILE, axis=1), loud - LARGEST_RANGE_DB)
    threshold = noise + np.clip(RANGE_SHARE * (loud - noise), *ABOVE_NOISE_DB)
    marks = (smooth > threshold[:, None]).any(axis=0)
    first = 0 if before is None else before.shape[1]
    return marks[first : first + levels.shape[1]]
