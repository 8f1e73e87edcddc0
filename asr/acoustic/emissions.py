"""Emissions: the log-probabilities that an acoustic model gives for recordings, made in batches, without torch.

The model itself comes in as a function from samples to arrays, so that whatever runs it is exchangeable.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from asr.acoustic.voice_activity import Silences
from asr.audio.reading import AudioError, check_samples, read_audio, resample

BATCH_SECONDS = 120.0
"""The most padded seconds of audio that go through the model at once."""


class Samples(Protocol):
    """An array that numpy can read, such as a torch tensor on any device."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension."""
        ...

    def __array__(self, dtype: Any = None) -> np.ndarray: ...


Source = str | Path | np.ndarray | Samples
"""A file, or samples: `[samples]` or `[samples, channels]` (as soundfile gives them), floats or integers."""

Compute = Callable[[Sequence[np.ndarray]], tuple[np.ndarray, np.ndarray]]
"""Computes emissions of a batch of recordings `[samples]` float32 at the model's rate: natural log-probabilities
`[batch, time, tokens]` float32, and the number of steps of each, `[batch]` int64."""


@dataclass(frozen=True)
class Emission:
    """The log-probabilities of one recording."""

    log_probs: np.ndarray
    """`[time, tokens]` natural logs, float32."""
    duration_seconds: float
    source: str | None = None
    """The file, where the recording was one."""
    silences: Silences | None = None
    """With them, words next to a pause have exact times."""


def pad_log_probs(log_probs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Join the log-probabilities `[time, tokens]` of recordings to one batch.

    Returns:
        Log-probabilities `[batch, time, tokens]` float32, zero past each length, and lengths `[batch]` int64.

    Example:
        >>> padded, lengths = pad_log_probs([np.ones((2, 3)), np.ones((1, 3))])
        >>> padded.shape, lengths.tolist()
        ((2, 2, 3), [2, 1])
    """
    lengths = np.array([len(each) for each in log_probs], np.int64)
    tokens = log_probs[0].shape[1] if log_probs else 0
    padded = np.zeros((len(log_probs), lengths.max(initial=0), tokens), np.float32)
    for row, each in zip(padded, log_probs, strict=True):
        row[: len(each)] = each
    return padded, lengths


class Emitter:
    """Reads recordings and computes their emissions, in batches of like length."""

    def __init__(self, compute: Compute, sample_rate: int, seconds_per_step: float) -> None:
        """Make an emitter.

        Args:
            compute: the acoustic model (see `Compute`).
            sample_rate: the model's rate in Hz.
            seconds_per_step: the time between two steps of its emissions.
        """
        self.compute = compute
        self.sample_rate = sample_rate
        self.seconds_per_step = seconds_per_step

    def read(self, source: Source, sample_rate: int | None = None) -> np.ndarray:
        """Read a source as checked mono samples `[samples]` float32 at the model's rate.

        Args:
            source: a file or samples.
            sample_rate: the rate of samples in Hz; the model's own if not given.

        Raises:
            AudioError: the audio cannot be read, or is empty, too short or not finite.
        """
        if isinstance(source, str | Path):
            return check_samples(read_audio(source, self.sample_rate)[0], self.sample_rate, str(source))
        given = sample_rate or self.sample_rate
        return resample(check_samples(source, given, "the samples given"), given, self.sample_rate)

    def emit_many(
        self,
        sources: Iterable[Source],
        sample_rate: int | None = None,
        *,
        batch_size: int = 16,
        silences: bool = True,
        on_error: Callable[[Source, AudioError], None] | None = None,
    ) -> Iterator[Emission]:
        """Yield the emissions of many recordings, in the order given.

        Args:
            sources: files or samples; they are read as they are needed, a few batches ahead.
            sample_rate: the rate of sources that are samples, in Hz; the model's own if not given.
            batch_size: the most recordings in a batch.
            silences: detect the silences of each recording too.
            on_error: called with a source that cannot be read and the reason; the source is then left out. Without it
                the first such source raises its error.

        Raises:
            AudioError: a source cannot be read, and there is no `on_error`.
        """
        window: list[tuple[np.ndarray, str | None]] = []
        seconds = 0.0
        for source in sources:
            try:
                samples = self.read(source, sample_rate)
            except AudioError as error:
                if on_error is None:
                    raise
                on_error(source, error)
                continue
            window.append((samples, str(source) if isinstance(source, str | Path) else None))
            seconds += len(samples) / self.sample_rate
            if len(window) == 4 * batch_size or seconds > 4 * BATCH_SECONDS:
                yield from self._emit_window(window, batch_size, silences)
                window, seconds = [], 0.0
        yield from self._emit_window(window, batch_size, silences)

    def _emit_window(
        self, window: list[tuple[np.ndarray, str | None]], batch_size: int, silences: bool
    ) -> Iterator[Emission]:
        """Yield the emissions of a few batches of recordings, computed longest first."""
        order = sorted(range(len(window)), key=lambda item: -len(window[item][0]))
        emissions: dict[int, Emission] = {}
        while order:
            longest_seconds = len(window[order[0]][0]) / self.sample_rate
            count = max(1, min(batch_size, int(BATCH_SECONDS / longest_seconds)))
            batch, order = order[:count], order[count:]
            log_probs, lengths = self.compute([window[item][0] for item in batch])
            for item, row, length in zip(batch, log_probs, lengths.tolist(), strict=True):
                samples, source = window[item]
                found = Silences.detect(samples, self.sample_rate) if silences else None
                seconds = len(samples) / self.sample_rate
                emissions[item] = Emission(row[:length], seconds, source, found)
        for item in range(len(window)):
            yield emissions[item]
