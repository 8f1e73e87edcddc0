"""From a recording of any length to its transcript, piece by piece."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from asr.acoustic.voice_activity import frame_samples, mark_speech, rechunk
from asr.audio.reading import audio_blocks, audio_info
from asr.decoding.decoder import Decoder
from asr.long_form.segmentation import Cutter, Cutting, Window
from asr.long_form.stitching import join_windows, word_gap
from asr.transcript import Transcript
from sluice_core.progress import track

if TYPE_CHECKING:
    from asr.transcriber import Source, Transcriber

DECODED_TOGETHER = 16
"""Stretches that go through the decoder at once."""


def transcribe_long(
    transcriber: "Transcriber",
    source: "Source",
    sample_rate: int | None = None,
    *,
    decoder: Decoder | None = None,
    cutting: Cutting | None = None,
    quiet: bool = True,
) -> Transcript:
    """Transcribe a recording of any length; memory holds a few minutes of it at a time.

    Args:
        transcriber: the recognizer.
        source: a file or samples.
        sample_rate: of samples, in Hz; the model's own if not given.
        decoder: the transcriber's own if not given.
        cutting: where pieces begin and end.
        quiet: show no progress on stderr.

    Returns:
        All pieces as one: times are the recording's, the score is the sum over pieces. It has no alternatives;
        those belong to pieces (see `transcribe_pieces`).

    Raises:
        AudioError: as `Transcriber.transcribe`; damage in the middle of a file is found on the way.
    """
    recording = _Recording(transcriber, source, sample_rate, quiet)
    pieces = list(_pieces(transcriber, recording, decoder, 0, cutting or Cutting()))
    return Transcript(
        text=" ".join(piece.text for piece in pieces),
        words=tuple(word for piece in pieces for word in piece.words),
        score=sum(piece.score for piece in pieces),
        duration_seconds=recording.count / recording.sample_rate,
        source=recording.name,
    )


def transcribe_pieces(
    transcriber: "Transcriber",
    source: "Source",
    sample_rate: int | None = None,
    *,
    decoder: Decoder | None = None,
    alternatives: int = 0,
    cutting: Cutting | None = None,
    quiet: bool = True,
) -> Iterator[Transcript]:
    """What `transcribe_long` joins, as it becomes ready: a transcript of each piece that has words.

    Words, and those of each piece's alternatives, have the recording's times; `duration_seconds` is the piece's.
    Takes and raises what `transcribe_long` does.
    """
    recording = _Recording(transcriber, source, sample_rate, quiet)
    return _pieces(transcriber, recording, decoder, alternatives, cutting or Cutting())


class _Recording:
    """Samples of a source at the model's rate, about a second at a time, and how many there have been."""

    def __init__(
        self, transcriber: "Transcriber", source: "Source", sample_rate: int | None, quiet: bool
    ) -> None:
        self.sample_rate = transcriber.config.features.sample_rate
        self.count = 0
        self.quiet = quiet
        self.seconds: float | None = None
        if isinstance(source, str | Path):
            self.name: str | None = str(source)
            self.blocks: Iterable[np.ndarray] = audio_blocks(source, self.sample_rate)
            if not quiet:  # only the bar must know the end
                self.seconds = audio_info(source).duration_seconds
        else:
            samples = transcriber.read(source, sample_rate)
            self.name, self.blocks, self.seconds = None, [samples], len(samples) / self.sample_rate

    def __iter__(self) -> Iterator[np.ndarray]:
        total = None if self.seconds is None else round(self.seconds)
        blocks = rechunk(self.blocks, self.sample_rate)
        for block in track(blocks, "transcribing (seconds)", total=total, quiet=self.quiet):
            self.count += len(block)
            yield block


def _pieces(
    transcriber: "Transcriber",
    recording: _Recording,
    decoder: Decoder | None,
    alternatives: int,
    cutting: Cutting,
) -> Iterator[Transcript]:
    from asr.alignment.word_timestamps import Silences
    from asr.transcriber import Emission

    rate = recording.sample_rate
    step_samples = round(transcriber.seconds_per_step * rate)
    windows = Cutter(cutting, rate, step_samples).cut(mark_speech(recording, rate))
    stretches = join_windows(
        _emit(transcriber, windows),
        step_samples,
        frame_samples(rate),
        round(cutting.stretch_seconds / transcriber.seconds_per_step),
        lambda log_probs: word_gap(log_probs, transcriber.tokens),
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
        transcripts = transcriber.decode(emissions, decoder, alternatives=alternatives)
        for stretch, transcript in zip(group, transcripts, strict=True):
            if transcript.words:
                yield _later(transcript, stretch.start / rate)


def _emit(transcriber: "Transcriber", windows: Iterator[Window]) -> Iterator[tuple[Window, Tensor]]:
    """Each window with its posteriors `[steps, tokens]`; the transcriber reads some ahead, to make batches."""
    waiting: deque[Window] = deque()

    def samples() -> Iterator[np.ndarray]:
        for window in windows:
            waiting.append(window)
            yield window.samples

    for emission in transcriber.emit_many(samples()):
        yield waiting.popleft(), emission.log_probs


def _later(transcript: Transcript, seconds: float) -> Transcript:
    """The transcript of a piece that begins so many seconds into the recording, with the recording's times."""
    words = (
        replace(word, start=round(word.start + seconds, 3), end=round(word.end + seconds, 3))
        for word in transcript.words
    )
    others = tuple(_later(other, seconds) for other in transcript.alternatives)
    return replace(transcript, words=tuple(words), alternatives=others)
