"""From a recording of any length to its transcript, piece by piece."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from asr.acoustic.emissions import Emission, Emitter, Source
from asr.acoustic.voice_activity import Silences, detect_speech, frame_samples, rechunk
from asr.alignment.transcripts import EmissionDecoder
from asr.audio.reading import audio_blocks, audio_info
from asr.long_form.segmentation import SegmentationSettings, Segmenter, Window
from asr.long_form.stitching import find_word_gap, stitch_windows
from asr.transcript import Transcript
from sluice_core.progress import track

DECODED_TOGETHER = 16
"""The number of stretches that go through the decoder at once."""


def transcribe_long(
    source: Source,
    emitter: Emitter,
    decoder: EmissionDecoder,
    sample_rate: int | None = None,
    *,
    segmentation: SegmentationSettings | None = None,
    quiet: bool = True,
) -> Transcript:
    """Transcribe a recording of any length; memory holds a few minutes of it at a time.

    Args:
        source: a file or samples.
        emitter: the acoustic model.
        decoder: makes transcripts of its emissions.
        sample_rate: the rate of samples in Hz; the model's own if not given.
        segmentation: where pieces begin and end; the defaults if not given.
        quiet: show no progress on stderr.

    Returns:
        All pieces as one. Times are the recording's; the score is the sum over pieces. There are no alternatives:
        those belong to pieces (see `transcribe_pieces`).

    Raises:
        AudioError: the audio cannot be read; damage in the middle of a file is found on the way.
    """
    recording = _Recording(source, emitter, sample_rate, quiet)
    pieces = list(_pieces(recording, emitter, decoder, 0, segmentation or SegmentationSettings()))
    return Transcript(
        text=" ".join(piece.text for piece in pieces),
        words=tuple(word for piece in pieces for word in piece.words),
        score=sum(piece.score for piece in pieces),
        duration_seconds=recording.count / recording.sample_rate,
        source=recording.name,
    )


def transcribe_pieces(
    source: Source,
    emitter: Emitter,
    decoder: EmissionDecoder,
    sample_rate: int | None = None,
    *,
    alternatives: int = 0,
    segmentation: SegmentationSettings | None = None,
    quiet: bool = True,
) -> Iterator[Transcript]:
    """Yield the transcript of each piece that has words, as soon as it is ready.

    Words, and those of each piece's alternatives, have the recording's times; `duration_seconds` is the piece's.
    The other arguments and errors are those of `transcribe_long`.
    """
    recording = _Recording(source, emitter, sample_rate, quiet)
    return _pieces(recording, emitter, decoder, alternatives, segmentation or SegmentationSettings())


class _Recording:
    """The samples of a source at the model's rate, about a second at a time, and how many there have been."""

    def __init__(self, source: Source, emitter: Emitter, sample_rate: int | None, quiet: bool) -> None:
        self.sample_rate = emitter.sample_rate
        self.count = 0
        self.quiet = quiet
        self.seconds: float | None = None
        if isinstance(source, str | Path):
            self.name: str | None = str(source)
            self.blocks: Iterable[np.ndarray] = audio_blocks(source, self.sample_rate)
            if not quiet:  # only the progress bar must know the end
                self.seconds = audio_info(source).duration_seconds
        else:
            samples = emitter.read(source, sample_rate)
            self.name, self.blocks, self.seconds = None, [samples], len(samples) / self.sample_rate

    def __iter__(self) -> Iterator[np.ndarray]:
        total = None if self.seconds is None else round(self.seconds)
        blocks = rechunk(self.blocks, self.sample_rate)
        for block in track(blocks, "transcribing (seconds)", total=total, quiet=self.quiet):
            self.count += len(block)
            yield block


def _pieces(
    recording: _Recording,
    emitter: Emitter,
    decoder: EmissionDecoder,
    alternatives: int,
    segmentation: SegmentationSettings,
) -> Iterator[Transcript]:
    rate = recording.sample_rate
    step_samples = round(emitter.seconds_per_step * rate)
    windows = Segmenter(segmentation, rate, step_samples).segment(detect_speech(recording, rate))
    stretches = stitch_windows(
        _emit(windows, emitter),
        step_samples,
        frame_samples(rate),
        round(segmentation.stretch_seconds / emitter.seconds_per_step),
        lambda log_probs: find_word_gap(log_probs, decoder.tokens),
    )
    while group := list(islice(stretches, DECODED_TOGETHER)):
        emissions = [
            Emission(
                each.log_probs,
                (each.end - each.start) / rate,
                recording.name,
                Silences(each.speech, rate),
            )
            for each in group
        ]
        transcripts = decoder.decode(emissions, alternatives=alternatives)
        for stretch, transcript in zip(group, transcripts, strict=True):
            if transcript.words:
                yield _shift(transcript, stretch.start / rate)


def _emit(windows: Iterator[Window], emitter: Emitter) -> Iterator[tuple[Window, np.ndarray]]:
    """Yield each window with its log-probabilities `[time, tokens]`; the emitter reads some ahead, for its batches."""
    waiting: deque[Window] = deque()

    def samples() -> Iterator[np.ndarray]:
        for window in windows:
            waiting.append(window)
            yield window.samples

    for emission in emitter.emit_many(samples(), silences=False):  # windows have them
        yield waiting.popleft(), emission.log_probs


def _shift(transcript: Transcript, seconds: float) -> Transcript:
    """Return a transcript with all times later by so many seconds."""
    words = (
        replace(word, start=round(word.start + seconds, 3), end=round(word.end + seconds, 3))
        for word in transcript.words
    )
    others = tuple(_shift(other, seconds) for other in transcript.alternatives)
    return replace(transcript, words=tuple(words), alternatives=others)
