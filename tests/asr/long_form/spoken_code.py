"""A recognizer that reads a code, and a speaker of it, for tests of long recordings.

A token is a tone of its own loudness, so that what was said is known exactly. The recognizer errs where a real one
would: near the edge of a window that cuts into speech it makes tokens up, and each window places tokens up to a step
later than another.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from asr import long_form
from asr.acoustic.ctc import BLANK
from asr.acoustic.emissions import Source
from asr.config import RecognizerConfig
from asr.decoding import Decoder
from asr.long_form.segmentation import SegmentationSettings
from asr.tokens import Tokens
from asr.transcriber import Transcriber
from asr.transcript import Transcript

RATE = 4000
PERIOD = 20  # samples of the code's tone, 200 Hz
STEP = 160  # samples: frames of 10 ms, every fourth
LETTERS = "abcdefgh"
LEVELS = 0.05 + 0.015 * np.arange(2 * (len(LETTERS) + 1))  # two of each token, for twins
HISS = 3e-4 * np.random.default_rng(0).standard_normal(
    100 * RATE, dtype=np.float32
)  # of which a part is everywhere
NONE, SILENT = -2, -1  # beside the levels' numbers
WAVE = np.sin(2 * np.pi * np.arange(PERIOD) / PERIOD)
TONES = np.append(np.outer(LEVELS, WAVE), np.zeros((1, PERIOD)), axis=0).astype(
    np.float32
)  # the last is silent


class CodeReader(Transcriber):
    """Hears the code, with `edge` steps of made-up tokens where a window cuts into speech."""

    def __init__(self, seed: int = 0, edge: int = 0) -> None:
        tree = {"name": "code", "corpus": {"kind": "travel"}, "model": {"hidden_size": 1, "layers": 1}}
        config = RecognizerConfig.check({**tree, "features": {"sample_rate": RATE, "mels": 4}}, "code")
        super().__init__(config, Tokens(["<blank>", " ", *LETTERS]))
        self.begin(seed, edge)

    def begin(self, seed: int, edge: int) -> None:
        """Be as new; to make a network that is not used takes as long as to read a minute."""
        self.random = np.random.default_rng(seed)
        self.edge = edge
        self.seconds: list[float] = []

    def emissions(self, batch: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        self.seconds += [len(samples) / RATE for samples in batch]
        rows = [self.path(samples) for samples in batch]
        lengths = np.array([len(row) for row in rows])
        paths = np.full((len(rows), lengths.max()), BLANK)
        for path, row in zip(paths, rows, strict=True):
            path[: len(row)] = row
        return log_posteriors(len(self.tokens))[paths], lengths

    def path(self, samples: np.ndarray) -> np.ndarray:
        """The token that each step emits."""
        blocks = samples[: len(samples) // PERIOD * PERIOD].reshape(-1, PERIOD)
        loudness = np.sqrt(2 / PERIOD * np.einsum("bt,bt->b", blocks, blocks))
        nearest = np.rint((loudness - LEVELS[0]) / (LEVELS[1] - LEVELS[0])).clip(0, len(LEVELS) - 1)
        codes = np.where(loudness > 0.03, nearest, SILENT).astype(np.int64)
        path = np.full(-(-(1 + len(samples) // (STEP // 4)) // 4), BLANK)
        late = int(self.random.integers(2))
        edges = np.flatnonzero(np.diff(codes, prepend=NONE, append=NONE))
        places = edges[:-1][np.diff(edges) >= 3]  # less is where one tone changes to the next
        spoken = codes[places]
        told = (spoken != SILENT) & (spoken != np.concatenate([[NONE], spoken])[:-1])
        steps = np.minimum(places[told] * PERIOD // STEP + late, len(path) - 1)
        path[steps] = 1 + spoken[told] // 2
        for part, cut in ((path[: self.edge], codes[0] >= 0), (path[-self.edge :], codes[-1] >= 0)):
            if cut and self.edge:
                part[:] = self.random.integers(1, len(self.tokens), len(part))
        return path


@cache
def log_posteriors(tokens: int) -> np.ndarray:
    """What a step gives `[tokens, tokens]` float32, if it is all but sure of the token that is the row."""
    scores = 9 * np.eye(tokens)
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def transcribe_long(reader: CodeReader, source: Source, **options: Any) -> Transcript:
    return long_form.transcribe_long(source, reader.emitter, reader.emission_decoder(), **options)


def transcribe_pieces(
    reader: CodeReader, source: Source, decoder: Decoder | None = None, **options: Any
) -> Iterator[Transcript]:
    return long_form.transcribe_pieces(source, reader.emitter, reader.emission_decoder(decoder), **options)


class Speaker:
    """Speaks words in the code, with noise over all of it, and keeps account of when."""

    def __init__(self, seed: int, longest: int = 5) -> None:
        self.random = np.random.default_rng(seed)
        self.longest = longest  # letters of a word
        self.codes: list[int] = []  # of each tone or pause
        self.periods: list[int] = []  # its length
        self.words: list[str] = []
        self.starts: list[float] = []
        self.count = 0
        self.twin = 0

    def add(self, code: int, periods: int) -> None:
        self.codes.append(code)
        self.periods.append(periods)
        self.count += periods * PERIOD

    def tone(self, token: int, steps: float) -> None:
        self.twin ^= 1
        self.add(2 * (token - 1) + self.twin, round(steps * STEP / PERIOD))

    def pause(self, seconds: float) -> None:
        self.add(SILENT, round(seconds * RATE / PERIOD))

    def say(self, words: int) -> None:
        """Words without a pause, but as in speech with stops: each letter for two to four steps, the last held."""
        for _ in range(words):
            letters = self.random.integers(
                0, len(LETTERS), self.random.integers(1, self.longest + 1)
            ).tolist()
            self.words.append("".join(LETTERS[letter] for letter in letters))
            self.pause(0.1)
            self.starts.append(self.count / RATE)
            held = [*self.random.uniform(2, 4, len(letters) - 1).tolist(), 8]
            for letter, steps in zip(letters, held, strict=True):
                self.tone(2 + letter, steps)
            self.tone(1, 2)

    def recording(self) -> np.ndarray:
        samples = TONES[np.repeat(np.array(self.codes, np.int64), self.periods)].reshape(-1)
        begin = int(self.random.integers(len(HISS)))
        return samples + np.resize(np.roll(HISS, -begin), len(samples))


def random_speech(seed: int, utterances: int) -> Speaker:
    pauses = [0, 0.04, 0.1, 0.15, 0.2, 0.25, 0.4, 0.7, 1.5, 12]
    return speech(Speaker(seed), utterances, pauses, [1, 2, 5, 10, 40])


def brisk_speech(seed: int, utterances: int) -> Speaker:
    """Short words and short pauses, more of them near the lengths at which pieces end."""
    pauses = [0, 0, 0.04, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 1.5, 12]
    return speech(Speaker(seed, longest=3), utterances, pauses, [1, 2, 5, 10, 20, 40])


def speech(speaker: Speaker, utterances: int, pauses: list[float], words: list[int]) -> Speaker:
    """Let a speaker say utterances of as many words as are drawn, after pauses that are drawn too."""
    speaker.pause(0.05)  # the reader takes a tone at the edge of a window for a cut
    for _ in range(utterances):
        speaker.pause(speaker.random.choice(pauses))
        speaker.say(int(speaker.random.choice(words)))
    speaker.pause(speaker.random.choice([0.05, 0.2, 3]))
    return speaker


def random_settings(random: np.random.Generator) -> SegmentationSettings:
    return drawn_settings(random, shortest=6, longest=12, stretch=30)


def brisk_settings(random: np.random.Generator) -> SegmentationSettings:
    """Windows as short as `brisk_speech` allows: a gap between words must lie in the middle half of every overlap."""
    return drawn_settings(random, shortest=4.4, longest=6, stretch=10)


def drawn_settings(
    random: np.random.Generator, shortest: float, longest: float, stretch: float
) -> SegmentationSettings:
    """Draw windows between two lengths, and stretches longer than the window by up to `stretch`, in seconds."""
    window = random.uniform(shortest, longest)
    return SegmentationSettings(
        window_seconds=window,
        overlap_seconds=random.uniform(0.4, 0.5) * window,
        stretch_seconds=window + random.uniform(0, stretch),
    )
