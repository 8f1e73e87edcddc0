"""Measure how accurate word timestamps are: `python -m benchmarks.word_times RUN`.

It measures two errors, in milliseconds, on the corpus that the run was trained on:

- compared with the true times of dev and test, if the corpus has them (the embedded corpus does, because its
  synthesizer reports them): for the words that greedy decoding recognizes correctly, and for the known text by forced
  alignment;
- compared with themselves, on training recordings: the text is aligned with the recording as it is, and with the
  recording played faster or slower by a known factor, whose times are scaled back. A step of the model is 40 ms.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
from tabulate import tabulate

from asr import Transcriber
from asr.acoustic.emissions import Emission
from asr.alignment.text import align_text
from asr.corpora import load_corpus
from asr.corpora.utterances import read_utterance
from asr.decoding import GreedySearch
from asr.evaluation.error_rates import align_texts
from asr.transcript import Word
from sluice_core.progress import track

if TYPE_CHECKING:
    from datasets import Dataset

FACTORS = (0.9, 1.1)
Times = np.ndarray
"""`[words, 2]`: start and end of each word in seconds."""


class TimedRecognizer:
    """The two ways in which a recognizer finds the times of words."""

    def __init__(self, transcriber: Transcriber) -> None:
        self.transcriber = transcriber
        self.rate = transcriber.config.features.sample_rate

    def emit(self, samples: np.ndarray) -> Emission:
        """Return the emission of samples `[samples]`, which both ways need."""
        return next(self.transcriber.emitter.emit_many([samples]))

    def align(self, emission: Emission, text: str) -> Times:
        """Return the times of the words of a known text, by forced alignment."""
        alignment = align_text(
            emission.log_probs,
            text,
            self.transcriber.tokens,
            self.transcriber.seconds_per_step,
            emission.duration_seconds,
            emission.silences,
        )
        return as_times(alignment.words)

    def hear(self, emission: Emission) -> tuple[str, Times]:
        """Return the text of greedy decoding, and the times of its words."""
        (transcript,) = self.transcriber.decode([emission], GreedySearch())
        return transcript.text, as_times(transcript.words)


def as_times(words: Sequence[Word]) -> Times:
    """Return the times of words as an array."""
    return np.array([(word.start, word.end) for word in words]).reshape(-1, 2)


def true_times(row: dict[str, Any]) -> Times:
    """Return the true times of a row's words."""
    return np.array([(word["start_seconds"], word["end_seconds"]) for word in row["words"]]).reshape(-1, 2)


def right_pairs(reference: str, hypothesis: str) -> Iterator[tuple[int, int]]:
    """Yield the positions in both texts of the words that are correct."""
    spoken = heard = 0
    (edits,) = align_texts([reference], [hypothesis], "words")
    for edit in edits:
        if edit.kind == "equal":
            yield from ((spoken + item, heard + item) for item in range(len(edit.reference)))
        spoken, heard = spoken + len(edit.reference), heard + len(edit.hypothesis)


def against_truth(clock: TimedRecognizer, rows: "Dataset", split: str) -> dict[str, Times]:
    """Return the errors of both ways on one split of the corpus."""
    greedy, forced = [], []
    for row in track(rows, f"{split}, true times", total=len(rows)):
        emission, truth = clock.emit(read_utterance(row, clock.rate)), true_times(row)
        forced.append(clock.align(emission, row["text"]) - truth)
        text, times = clock.hear(emission)
        greedy += [times[heard] - truth[spoken] for spoken, heard in right_pairs(row["text"], text)]
    return {
        f"{split}: greedy, words that are right": np.reshape(greedy, (-1, 2)),
        f"{split}: forced alignment": np.concatenate(forced),
    }


def against_speed(clock: TimedRecognizer, rows: "Dataset", utterances: int) -> dict[str, Times]:
    """Return how much the times of some recordings differ when they are played at other speeds."""
    errors: dict[float, list[Times]] = {factor: [] for factor in FACTORS}
    chosen = range(0, len(rows), max(1, len(rows) // utterances))[:utterances]
    for item in track(chosen, "training recordings, speeds", total=len(chosen)):
        row = rows[item]
        samples = read_utterance(row, clock.rate)
        times = clock.align(clock.emit(samples), row["text"])
        for factor, found in errors.items():
            changed = clock.emit(soxr.resample(samples, factor, 1.0, quality="MQ"))
            found.append(clock.align(changed, row["text"]) * factor - times)
    return {
        f"train: speed {factor:g}, scaled back": np.concatenate(found) for factor, found in errors.items()
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.word_times", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run directory")
    parser.add_argument("--data", type=Path, help="the corpus's folder, if not as in the run's settings")
    parser.add_argument(
        "--cache", type=Path, default=Path("cache"), help="folder of corpora (default: %(default)s)"
    )
    parser.add_argument("--utterances", type=int, default=60, help="for the speeds (default: %(default)s)")
    options = parser.parse_args()
    transcriber = Transcriber.load(options.run)
    corpus = transcriber.config.corpus
    splits = load_corpus(corpus.model_copy(update={"data": options.data or corpus.data}), options.cache)
    clock = TimedRecognizer(transcriber)
    errors: dict[str, Times] = {}
    for split in ("dev", "test"):
        if split in splits and splits[split][0]["words"]:
            errors |= against_truth(clock, splits[split], split)
    errors |= against_speed(clock, splits["train"], options.utterances)
    lines = []
    for what, times in errors.items():
        percentiles = np.percentile(np.abs(times), [50, 90, 95], axis=0).T * 1000
        lines.append([what, len(times), *(f"{value:.0f}" for value in percentiles.flatten())])
    shares = [f"{edge}: {share}" for edge in ("start", "end") for share in ("median", "90%", "95%")]
    print(f"{options.run}, {corpus.kind}: absolute errors of words' starts and ends, ms\n")
    print(tabulate(lines, ["", "words", *shares], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
