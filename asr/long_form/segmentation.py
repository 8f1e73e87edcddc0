"""A long recording cut into what the model can take at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from asr.acoustic.voice_activity import frame_samples
from sluice_core.config import Settings


class Cutting(Settings):
    """Where long recordings are cut. The longer a piece gets, the shorter a pause ends it."""

    window_seconds: float = Field(8.0, gt=0, description="longest piece that goes through the model at once")
    overlap_seconds: float = Field(4.0, gt=0, description="of windows, where there is no pause to cut at")
    long_pause_seconds: float = Field(0.6, gt=0, description="ends a piece however short it is")
    short_pause_seconds: float = Field(0.2, gt=0, description="ends a piece of `piece_seconds` or more")
    piece_seconds: float = Field(2.0, gt=0, description="a piece may well end here, as utterances do")
    margin_seconds: float = Field(0.15, ge=0, description="of a pause that is kept on each side of a piece")
    click_seconds: float = Field(0.05, ge=0, description="a shorter sound between pauses is left out")
    stretch_seconds: float = Field(
        60.0, gt=0, description="without a pause, about this much is decoded as one"
    )

    @model_validator(mode="after")
    def _leave_a_middle(self) -> Self:
        if self.overlap_seconds > self.window_seconds / 2:
            raise ValueError("overlap_seconds must be at most half of window_seconds")
        if self.short_pause_seconds > self.long_pause_seconds:
            raise ValueError("short_pause_seconds must be at most long_pause_seconds")
        return self

    def needed_seconds(self, piece_seconds: float) -> float:
        """How long a pause must be to end a piece of this length."""
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
    """`[frames]` bool: its marks (see `mark_speech`)."""
    continues: bool
    """The next window overlaps this one: nobody paused."""


class Cutter:
    """Cuts a recording as it comes.

    A piece is what is said between two pauses that are long enough, with a margin of silence; the rest of the
    silence is left out. A piece longer than a window is a chain of windows that overlap.
    """

    def __init__(self, cutting: Cutting, sample_rate: int, step_samples: int) -> None:
        """Prepare; windows of a chain begin a whole number of `step_samples` apart."""
        self.cutting, self.sample_rate = cutting, sample_rate
        self.window = round(cutting.window_seconds * sample_rate)
        overlap = round(cutting.overlap_seconds * sample_rate)
        self.stride = max(1, (self.window - overlap) // step_samples) * step_samples
        self.frame = frame_samples(sample_rate)
        self.margin = round(cutting.margin_seconds * sample_rate / self.frame) * self.frame
        self.click = round(cutting.click_seconds * sample_rate)
        # All of the following count samples from the beginning of the recording.
        self.first = 0  # of what is held
        self.held = np.zeros(0, np.float32)
        self.marks = np.zeros(0, bool)  # of what is held
        self.begin: int | None = None  # of the window being gathered, margin included
        self.chain = 0  # where the piece's speech begins
        self.spoken = 0  # where speech has last been heard to end
        self.heard = 0  # how much speech the piece has

    def cut(self, marked: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[Window]:
        """Windows in order, of chunks of samples with their marks (see `mark_speech`)."""
        for samples, marks in marked:
            position = self.first + len(self.held)
            self.held = np.concatenate([self.held, samples])
            self.marks = np.concatenate([self.marks, marks])
            edges = position + self.frame * np.flatnonzero(np.diff(marks, prepend=False, append=False))
            for start, end in edges.reshape(-1, 2).tolist():
                yield from self._pause(start)
                yield from self._speech(start, end)
            yield from self._pause(position + len(samples))
            self._forget(position + len(samples))
        yield from self._finish()

    def _pause(self, until: int) -> Iterator[Window]:
        """Close the piece if the silence since its end is long enough; more of it may follow."""
        gap = until - self.spoken
        length = (self.spoken - self.chain) / self.sample_rate
        if self.begin is not None and gap >= self.cutting.needed_seconds(length) * self.sample_rate:
            yield from self._close(min(self.margin, self._half(gap)))

    def _speech(self, start: int, end: int) -> Iterator[Window]:
        if self.begin is None:
            gap = start - self.spoken
            self.begin = start - min(self.margin, self._half(gap) if self.spoken else gap)
            self.chain, self.heard = start, 0
        self.spoken = end
        self.heard += end - start
        while end - self.begin > self.window:
            yield self._window(self.begin + self.window, continues=True)
            self.begin += self.stride

    def _half(self, gap: int) -> int:
        """Half of a silence, in whole frames."""
        return gap // (2 * self.frame) * self.frame

    def _close(self, margin: int) -> Iterator[Window]:
        if self.heard >= self.click:
            yield self._window(self.spoken + margin, continues=False)
        self.begin = None

    def _finish(self) -> Iterator[Window]:
        if self.begin is not None:
            yield from self._close(min(self.margin, self.first + len(self.held) - self.spoken))

    def _window(self, end: int, continues: bool) -> Window:
        assert self.begin is not None
        begin, end = self.begin - self.first, end - self.first
        speech = self.marks[begin // self.frame : -(-end // self.frame)]
        return Window(self.begin, self.held[begin:end].copy(), speech.copy(), continues)

    def _forget(self, position: int) -> None:
        keep = self.begin if self.begin is not None else max(self.first, position - self.margin)
        self.held = self.held[keep - self.first :].copy()
        self.marks = self.marks[(keep - self.first) // self.frame :].copy()
        self.first = keep
