"""Segmentation of a long recording into windows that go through the model at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from asr.acoustic.voice_activity import frame_samples
from sluice_core.config import Settings


class SegmentationSettings(Settings):
    """Settings of segmentation, `long_form.yaml` of a run. The longer a piece, the shorter the pause that ends it."""

    window_seconds: float = Field(8.0, gt=0, description="longest piece that goes through the model at once")
    overlap_seconds: float = Field(
        4.0, gt=0, description="overlap of the windows into which a longer piece without pauses is divided"
    )
    long_pause_seconds: float = Field(
        0.6, gt=0, description="a pause of this length ends a piece, however short the piece is"
    )
    short_pause_seconds: float = Field(
        0.2, gt=0, description="a pause of this length ends a piece of `piece_seconds` or more"
    )
    piece_seconds: float = Field(2.0, gt=0, description="length of a usual piece, such as an utterance")
    margin_seconds: float = Field(
        0.15, ge=0, description="length of the pause that is kept on each side of a piece"
    )
    click_seconds: float = Field(0.05, ge=0, description="a shorter sound between pauses is left out")
    stretch_seconds: float = Field(
        60.0, gt=0, description="without a pause, about this much is decoded as one"
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.overlap_seconds > self.window_seconds / 2:
            raise ValueError("overlap_seconds must be at most half of window_seconds")
        if self.short_pause_seconds > self.long_pause_seconds:
            raise ValueError("short_pause_seconds must be at most long_pause_seconds")
        return self

    def needed_seconds(self, piece_seconds: float) -> float:
        """Return how long a pause must be to end a piece of this length.

        Example:
            >>> SegmentationSettings().needed_seconds(1.0)
            0.4
        """
        share = min(1.0, piece_seconds / self.piece_seconds)
        return self.long_pause_seconds + share * (self.short_pause_seconds - self.long_pause_seconds)


@dataclass(frozen=True)
class Window:
    """A part of a recording that goes through the model at once."""

    start: int
    """Its first sample, counted in the recording."""
    samples: np.ndarray
    """`[samples]` float32."""
    speech: np.ndarray
    """`[frames]` bool: whether each frame may be speech (see `detect_speech`)."""
    continues: bool
    """True where the next window overlaps this one, because nobody paused."""


class Segmenter:
    """Divides a recording into windows while it is read.

    A piece is what is said between two pauses that are long enough, with a margin of silence; the rest of the
    silence is left out. A piece longer than a window becomes a chain of windows that overlap.
    """

    def __init__(self, settings: SegmentationSettings, sample_rate: int, step_samples: int) -> None:
        """Make a segmenter of one recording.

        Args:
            settings: where pieces and windows begin and end.
            sample_rate: the rate of the samples in Hz.
            step_samples: windows of a chain begin a whole number of so many samples apart.
        """
        self.settings, self.sample_rate = settings, sample_rate
        self.window_samples = round(settings.window_seconds * sample_rate)
        overlap_samples = round(settings.overlap_seconds * sample_rate)
        self.stride_samples = max(1, (self.window_samples - overlap_samples) // step_samples) * step_samples
        self.frame_samples = frame_samples(sample_rate)
        margin_frames = round(settings.margin_seconds * sample_rate / self.frame_samples)
        self.margin_samples = margin_frames * self.frame_samples
        self.click_samples = round(settings.click_seconds * sample_rate)
        # All of the following count samples from the beginning of the recording.
        self.first = 0  # the first sample held
        self.held = np.zeros(0, np.float32)
        self.speech = np.zeros(0, bool)  # whether frames of the samples held may be speech
        self.begin: int | None = None  # of the window being gathered, margin included
        self.chain = 0  # where the piece's speech begins
        self.spoken = 0  # where the last speech so far ends
        self.heard = 0  # samples of speech in the piece

    def segment(self, detected: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[Window]:
        """Yield the windows of chunks of samples with their speech frames (see `detect_speech`), in order."""
        for samples, speech in detected:
            position = self.first + len(self.held)
            self.held = np.concatenate([self.held, samples])
            self.speech = np.concatenate([self.speech, speech])
            changes = np.flatnonzero(np.diff(speech, prepend=False, append=False))
            edges = position + self.frame_samples * changes
            for start, end in edges.reshape(-1, 2).tolist():
                yield from self._take_pause(start)
                yield from self._take_speech(start, end)
            yield from self._take_pause(position + len(samples))
            self._forget(position + len(samples))
        yield from self._finish()

    def _take_pause(self, until: int) -> Iterator[Window]:
        """Close the piece if the silence since its end is long enough; more of it may follow."""
        gap = until - self.spoken
        piece_seconds = (self.spoken - self.chain) / self.sample_rate
        needed_samples = self.settings.needed_seconds(piece_seconds) * self.sample_rate
        if self.begin is not None and gap >= needed_samples:
            yield from self._close(min(self.margin_samples, self._half(gap)))

    def _take_speech(self, start: int, end: int) -> Iterator[Window]:
        """Begin a piece or go on with it; yield the windows that are full."""
        if self.begin is None:
            gap = start - self.spoken
            self.begin = start - min(self.margin_samples, self._half(gap) if self.spoken else gap)
            self.chain, self.heard = start, 0
        self.spoken = end
        self.heard += end - start
        while end - self.begin > self.window_samples:
            yield self._window(self.begin + self.window_samples, continues=True)
            self.begin += self.stride_samples

    def _half(self, gap: int) -> int:
        """Return half of a silence, in samples of whole frames."""
        return gap // (2 * self.frame_samples) * self.frame_samples

    def _close(self, margin: int) -> Iterator[Window]:
        """End the piece with a margin of so many samples; yield its last window unless it is a click."""
        if self.heard >= self.click_samples:
            yield self._window(self.spoken + margin, continues=False)
        self.begin = None

    def _finish(self) -> Iterator[Window]:
        """Yield the last window at the end of the recording."""
        if self.begin is not None:
            yield from self._close(min(self.margin_samples, self.first + len(self.held) - self.spoken))

    def _window(self, end: int, continues: bool) -> Window:
        """Return the window that is being gathered, up to sample `end`."""
        assert self.begin is not None
        begin, end = self.begin - self.first, end - self.first
        speech = self.speech[begin // self.frame_samples : -(-end // self.frame_samples)]
        return Window(self.begin, self.held[begin:end].copy(), speech.copy(), continues)

    def _forget(self, position: int) -> None:
        """Drop the samples before `position` that no window to come needs."""
        keep = self.begin if self.begin is not None else max(self.first, position - self.margin_samples)
        self.held = self.held[keep - self.first :].copy()
        self.speech = self.speech[(keep - self.first) // self.frame_samples :].copy()
        self.first = keep
