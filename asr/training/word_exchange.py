"""Words exchanged between a speaker's utterances, audio and text, so that training hears more than was said.

A bidirectional network learns in which order words come as well as how they sound. Where transcripts are few and
their order is much of what there is to learn by heart, as in spelt names, it then hears what it expects. Utterances
put together anew leave it the sounds alone; the order is the language model's to know. This is aligned data
augmentation (Lam, Ohta, Schamoni and Riezler 2021), with words of the same speaker, at places that the model under
training has found itself.
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
"""Words that follow each other are cut at the quietest place at most so far from where they meet."""

LEAST_SECONDS = 0.05
"""What a cut leaves of a word."""

FADE_SECONDS = 0.005
"""Pieces begin and end softly, so that they do not click."""

LEVEL_SECONDS = 0.02  # over which quiet is judged
DISTANCE_DB = 40.0  # a place a second away must be so much quieter


class SpokenWord(NamedTuple):
    """A word and the samples that hold it, `[start, end)`."""

    text: str
    start: int
    end: int


def cut_words(words: Sequence[Word], samples: np.ndarray, sample_rate: int) -> list[SpokenWord]:
    """The pieces of one utterance `[samples]`, a word each, in order and apart.

    Args:
        words: with their times, as alignment finds them.
        samples: of the utterance.
        sample_rate: in Hz.
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
        pieces.append(SpokenWord(word.text, begin, stop))
        begin = following
    return pieces


def _quietest(energy: np.ndarray, middle: int, bounds: tuple[int, int], sample_rate: int) -> int:
    """A sample near the middle at which to cut, neither word being left with less than it needs."""
    search, least = round(SEARCH_SECONDS * sample_rate), round(LEAST_SECONDS * sample_rate)
    first, last = max(middle - search, bounds[0] + least), min(middle + search, bounds[1] - least)
    if first >= last:
        return middle
    places = np.arange(first, last)
    decibels = 10 * np.log10(energy[first:last] + 1e-10) + DISTANCE_DB / sample_rate * np.abs(places - middle)
    return int(places[decibels.argmin()])


def save_words(file: Path, words: Sequence[list[SpokenWord]]) -> None:
    """Write the words of utterances in their order; ids need not tell utterances apart."""
    write_text(file, json.dumps(words, ensure_ascii=False) + "\n")


def load_words(file: Path) -> list[list[SpokenWord]]:
    """What `save_words` wrote."""
    found = json.loads(file.read_text(encoding="utf-8"))
    return [[SpokenWord(*word) for word in words] for words in found]


class WordExchange:
    """Puts words of a speaker's other utterances in the place of an utterance's own."""

    def __init__(
        self,
        words: Sequence[list[SpokenWord]],
        speakers: Sequence[str],
        share: float,
        read: Callable[[int, int, int], np.ndarray],
        sample_rate: int,
    ) -> None:
        """Set up.

        Args:
            words: of each utterance; none where they could not be found.
            speakers: of each utterance.
            share: of an utterance's words to exchange, 0 to 1.
            read: samples of an utterance from a start to an end.
            sample_rate: in Hz.
        """
        self.words, self.speakers, self.share, self.read = words, speakers, share, read
        self.fade = round(FADE_SECONDS * sample_rate)
        self.said: dict[str, list[tuple[int, SpokenWord]]] = {}
        for item, (some, speaker) in enumerate(zip(words, speakers, strict=True)):
            self.said.setdefault(speaker, []).extend((item, word) for word in some)

    def __call__(
        self, item: int, samples: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, str] | None:
        """Other samples `[other samples]` and their text; None where nothing is exchanged."""
        words = self.words[item]
        exchanged = generator.random(len(words)) < self.share
        if not exchanged.any():
            return None
        choice = self.said[self.speakers[item]]
        parts, texts, done = [], [], 0
        for word, other in zip(words, exchanged, strict=True):
            text = word.text
            if other:
                source, (text, start, end) = choice[generator.integers(len(choice))]
                parts += [samples[done : word.start], self.read(source, start, end)]
                done = word.end
            texts.append(text)
        parts.append(samples[done:])
        return np.concatenate([self._softly(part) for part in parts]), " ".join(texts)

    def _softly(self, part: np.ndarray) -> np.ndarray:
        count = min(self.fade, len(part) // 2)
        if not count:
            return part
        ramp = (np.arange(count, dtype=np.float32) + 0.5) / count
        part = part.copy()
        part[:count] *= ramp
        part[-count:] *= ramp[::-1]
        return part
