"""Measure how fast the AN4 model trains, and what takes the time: `python -m benchmarks.training`.

First each stage is timed alone, one after another on the same batches. Then everything runs as in training, with data
workers if training would use any. Random texts take the place of transcripts, which does not change the speed; each
word is as long in the recording as it is in the text.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tabulate import tabulate
from torch.utils.data import DataLoader

from asr.acoustic.network import AcousticModel
from asr.audio.reading import audio_info
from asr.config import RecognizerConfig
from asr.corpora.utterances import read_utterance
from asr.tokens import BLANK_SYMBOL, Tokens
from asr.training.dataset import UtteranceBatch, UtteranceDataset, collate_utterances
from asr.training.task import training_losses
from asr.training.word_exchange import WordSegment, save_words
from benchmarks.common import recordings
from sluice.recipes import find_recipe
from sluice_core.devices import describe_machine
from sluice_core.training.batching import LengthBatches
from sluice_core.training.gradient_clipping import clip_gradients

RECIPE = "ctc/an4"
REPEATS = 3
READING = "reading (small corpora: in the first epoch only)"
DATA = "augmentation and features"
EPOCH = 100  # any epoch with augmentation


def rows_of_files(count: int = 160) -> tuple[list[dict[str, Any]], str]:
    """Return rows as a corpus has them, with random texts at a usual speaking rate, and what they are."""
    files, what = recordings(count)
    generator = np.random.default_rng(0)
    rows = []
    for path in files:
        seconds = audio_info(path).duration_seconds
        text = "".join(generator.choice(list("abcdefgh "), max(1, int(6 * seconds))))
        text = " ".join(text.split()) or "a"
        times = {"duration_seconds": seconds, "start_seconds": None, "end_seconds": None}
        rows.append({"id": path.stem, "audio": str(path), "speaker": path.parent.name, "text": text, **times})
    return rows, what


def spoken_words(row: dict[str, Any], sample_rate: int) -> list[WordSegment]:
    """Return the words of a text with times as if each letter and each space took equally long."""
    samples = row["duration_seconds"] * sample_rate / (len(row["text"]) + 1)
    words, letters = [], 0
    for word in row["text"].split():
        words.append(WordSegment(word, int(letters * samples), int((letters + len(word) + 1) * samples)))
        letters += len(word) + 1
    return words


class Stages:
    """Runs and times the stages of a training step."""

    def __init__(self, config: RecognizerConfig, rows: list[dict[str, Any]], folder: Path) -> None:
        self.config, self.rows = config, rows
        words = folder / "words.json"  # as training keeps them
        save_words(words, [spoken_words(row, config.features.sample_rate) for row in rows])
        self.tokens = Tokens([BLANK_SYMBOL, *sorted("abcdefgh ")])
        self.model = AcousticModel(config.model, config.features.mels, 28)
        self.dataset = UtteranceDataset(
            Dataset.from_list(rows), config, self.tokens, self.model.steps, train=True, words=words
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.batches = LengthBatches(
            [row["duration_seconds"] for row in rows],
            batch_size=config.training.batch_size,
            batch_length=config.training.batch_seconds,
            seed=0,
        )
        self.batches.set_epoch(EPOCH)
        self.seconds: dict[str, float] = {}

    def timed(self, stage: str, work: Callable[[], Any]) -> Any:
        """Run a stage and add its time."""
        started = time.perf_counter()
        result = work()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
        return result

    def one_by_one(self) -> dict[str, float]:
        """Return the seconds of each stage over all rows, without overlap."""
        self.seconds = {}
        rate = self.config.features.sample_rate
        for batch in self.batches:
            for _, item in batch:
                self.timed(READING, partial(read_utterance, self.rows[item], rate))
            joined = self.timed(DATA, partial(self.read, batch))
            self.step(joined)
        return dict(self.seconds)

    def read(self, batch: list[tuple[int, int]]) -> UtteranceBatch:
        """Return the batch of these items, augmented as in their epoch."""
        return collate_utterances([self.dataset[item] for item in batch])

    def step(self, batch: UtteranceBatch) -> None:
        """Do one optimizer step, and time its stages."""
        log_probs, lengths = self.timed("forward", lambda: self.model(batch.features, batch.lengths))
        loss = self.timed("loss", lambda: sum(training_losses(log_probs, lengths, batch)))
        self.timed("backward", loss.backward)
        self.timed("clipping and optimizer", self.update)

    def update(self) -> None:
        """Clip the gradients, do the step, and reset the gradients."""
        training = self.config.training
        clip_gradients(self.model.parameters(), norm=training.clip_norm, value=training.clip_value)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def overlapping(self, loader: "DataLoader[Any]") -> float:
        """Return the seconds of all steps, with data workers running at the same time."""
        started = time.perf_counter()
        for batch in loader:
            self.step(batch)
        return time.perf_counter() - started


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as folder:
        run(Path(folder))


def run(folder: Path) -> None:
    """Measure and print; `folder` is for files that training keeps."""
    config = RecognizerConfig.read(find_recipe(RECIPE))
    rows, what = rows_of_files()
    audio_seconds = sum(row["duration_seconds"] for row in rows)
    stages = Stages(config, rows, folder)
    workers = config.training.worker_count
    loader: DataLoader[Any] = DataLoader(
        stages.dataset,
        batch_sampler=stages.batches,
        collate_fn=collate_utterances,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    stages.one_by_one()  # warm up
    stages.overlapping(loader)
    alone, together = [], []
    for _ in range(REPEATS):
        alone.append(stages.one_by_one())
        together.append(stages.overlapping(loader))
    medians = {stage: statistics.median(run[stage] for run in alone) for stage in alone[0]}
    total = sum(medians.values())
    order = (READING, DATA, "forward", "loss", "backward", "clipping and optimizer")
    table = [
        (stage, f"{1000 * medians[stage] / len(rows):.2f}", f"{medians[stage] / total:.0%}")
        for stage in order
    ]
    print(describe_machine())
    print(f"{what}, {audio_seconds:.0f} seconds; {RECIPE}, batches of {config.training.batch_size}\n")
    print(
        tabulate(
            table, ("stage, alone", "ms an utterance", "share"), tablefmt="github", disable_numparse=True
        )
    )
    whole = statistics.median(together)
    print(f"\nthe whole, {workers} data workers: {audio_seconds / whole:.0f} audio seconds a second")


if __name__ == "__main__":
    main()
