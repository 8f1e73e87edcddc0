"""Exchange words, audio and text, between the utterances of a speaker, so that training hears more than was said.

A bidirectional network learns how words sound and in which order they come. Where there are few transcripts, as of
spelt names, it learns their orders by heart, and then hears what it expects. In utterances that are put together
anew, only the sounds can be learned; knowing the order is left to the language model. This is aligned data
augmentation (Lam, Ohta, Schamoni and Riezler 2021) with words of the same speaker, at the places where the model
under training has found them.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr.transcript import Word
from sluice_core.files import write_text

MARGIN_SECONDS = 0.15
"""How much of a long pause belongs to the word beside it."""

SEARCH_SECONDS = 0.08
"""Words without a pause between them are cut at the quietest place, at most this far from where they meet."""

LEAST_SECONDS = 0.05
"""A cut leaves at least this much of a word."""

FADE_SECONDS = 0.005
"""Pieces fade in and out over this long, so that they do not click."""

LEVEL_SECONDS = 0.02  # the window in which levels are measured
DISTANCE_DB = 40.0  # how much quieter a place must be for each second that it is farther away


class WordSegment(NamedTuple):
    """A word, and which samples of its utterance hold it: from `start_samples` up to `end_samples`."""

    text: str
    start_samples: int
    end_samples: int


def cut_words(words: Sequence[Word], samples: np.ndarray, sample_rate: int) -> list[WordSegment]:
    """Cut an utterance into words: segments in their order, which do not overlap.

    Args:
        words: The words with their times, as alignment finds them.
        samples: The utterance `[samples]`.
        sample_rate: The rate of the samples in Hz.
    """
    window = max(round(LEVEL_SECONDS * sample_rate), 1)
    energy = np.convolve(np.square(samples, dtype=np.float64), np.ones(window) / window, "same")
    margin = round(MARGIN_SECONDS * sample_rate)
    starts = [round(word.start * sample_rate) for word in words]
    ends = [min(round(word.end * sample_rate), len(samples)) for word in words]
    pieces = []
    begin = max(starts[0] - margin, 0) if words else 0
    for number, word in enumerate(words):
        if number + 1 == len(words):
            stop = following = min(ends[number] + margin, len(samples))
        elif starts[number + 1] - ends[number] > 2 * margin:
            stop, following = ends[number] + margin, starts[number + 1] - margin
        else:
            bounds = (max(starts[number], begin), ends[number + 1])
            middle = max((ends[number] + starts[number + 1]) // 2, begin)
            stop = following = _quietest(energy, middle, bounds, sample_rate)
        pieces.append(WordSegment(word.text, begin, stop))
        begin = following
    return pieces


def _quietest(energy: np.ndarray, middle: int, bounds: tuple[int, int], sample_rate: int) -> int:
    """Return the sample near the middle at which to cut, so that both words keep what they need."""
    search, least = round(SEARCH_SECONDS * sample_rate), round(LEAST_SECONDS * sample_rate)
    first, last = max(middle - search, bounds[0] + least), min(middle + search, bounds[1] - least)
    if first >= last:
        return middle
    places = np.arange(first, last)
    decibels = 10 * np.log10(energy[first:last] + 1e-10) + DISTANCE_DB / sample_rate * np.abs(places - middle)
    return int(places[decibels.argmin()])


def save_words(file: Path, words: Sequence[list[WordSegment]]) -> None:
    """Write the words of utterances in the order of the utterances, whose ids may repeat."""
    write_text(file, json.dumps(words, ensure_ascii=False) + "\n")


def load_words(file: Path) -> list[list[WordSegment]]:
    """Read what `save_words` wrote."""
    found = json.loads(file.read_text(encoding="utf-8"))
    return [[WordSegment(*word) for word in words] for words in found]


class WordExchange:
    """Replaces words of an utterance by words that its speaker said in other utterances."""

    def __init__(
        self,
        words: Sequence[list[WordSegment]],
        speakers: Sequence[str],
        share: float,
        read: Callable[[int, int, int], np.ndarray],
        sample_rate: int,
    ) -> None:
        """Index the words by their speakers.

        Args:
            words: The words of each utterance; none where they could not be found.
            speakers: The speaker of each utterance.
            share: Which share of an utterance's words to exchange, from 0 to 1.
            read: A function of an utterance's number, a start and an end that reads those samples.
            sample_rate: The rate of the samples in Hz.
        """
        self.words, self.speakers, self.share, self.read = words, speakers, share, read
        self.fade = round(FADE_SECONDS * sample_rate)
        self.said: dict[str, list[tuple[int, WordSegment]]] = {}
        for item, (some, speaker) in enumerate(zip(words, speakers, strict=True)):
            self.said.setdefault(speaker, []).extend((item, word) for word in some)

    def __call__(
        self, item: int, samples: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, str] | None:
        """Exchange words of one utterance.

        Args:
            item: The number of the utterance.
            samples: Its samples `[samples]`, which are kept.
            generator: Decides which words are exchanged for which.

        Returns:
            Samples `[other samples]` and their text, or None if no word was exchanged.
        """
        words = self.words[item]
        exchanged = generator.random(len(words)) < self.share
        if not exchanged.any():
            return None
        choice = self.said[self.speakers[item]]
        pieces, texts, done = [], [], 0
        for word, other in zip(words, exchanged, strict=True):
            text = word.text
            if other:
                source, (text, start, end) = choice[generator.integers(len(choice))]
                pieces += [samples[done : word.start_samples], self.read(source, start, end)]
                done = word.end_samples
            texts.append(text)
        pieces.append(samples[done:])
        return np.concatenate([self._faded(piece) for piece in pieces]), " ".join(texts)

    def _faded(self, piece: np.ndarray) -> np.ndarray:
        """Return a piece that fades in and out."""
        count = min(self.fade, len(piece) // 2)
        if not count:
            return piece
        ramp = (np.arange(count, dtype=np.float32) + 0.5) / count
        piece = piece.copy()
        piece[:count] *= ramp
        piece[-count:] *= ramp[::-1]
        return piece
