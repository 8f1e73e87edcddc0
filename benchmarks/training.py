"""Measure how fast the AN4 model trains, what takes the time, and how fast it trains with torch.nn and torchaudio.

    python -m benchmarks.training [--threads 2] [--utterances 160] [--repeats 3]

Each stage is timed alone, one after another on the same batches, in turns with the peer (`benchmarks.peers`): the same
model, features and kinds of augmentation as they are written without this library. Its recurrent layers get packed
sequences. In the last column they read the padding too, as much code does; what an utterance gives then depends on the
batch that it is in. Only this library exchanges words, here in half of the utterances.

What is compared is CPU time, which others on the machine disturb least. Then the library trains with data workers if
training would use any. Random texts take the place of transcripts, which does not change the speed; each word is as
long in the recording as it is in the text.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from datasets import Dataset
from tabulate import tabulate
from torch import Tensor
from torch.utils.data import DataLoader

from asr.acoustic.network import AcousticModel
from asr.audio.reading import audio_info
from asr.config import RecognizerConfig
from asr.corpora.utterances import read_utterance
from asr.tokens import BLANK_SYMBOL, Tokens
from asr.training.dataset import UtteranceBatch, UtteranceDataset, collate_utterances
from asr.training.task import CTCTask, training_losses
from asr.training.word_exchange import WordSegment, save_words
from benchmarks.common import recordings
from benchmarks.peers.recognizer import PeerTraining
from sluice.recipes import find_recipe
from sluice_core.devices import describe_machine, keep_memory
from sluice_core.training.batching import EpochItem, LengthBatches
from sluice_core.training.gradient_clipping import clip_gradients

RECIPE = "ctc/an4"
READING = "reading (small corpora: in the first epoch only)"
DATA = "augmentation and features"
STAGES = (READING, DATA, "forward", "loss", "backward", "clipping and optimizer")
EPOCH = 100  # any epoch with augmentation
LETTERS = "abcdefgh "
TOKENS = 28  # as many as the recipe's alphabet has


def rows_of_files(count: int = 160) -> tuple[list[dict[str, Any]], str]:
    """Return rows as a corpus has them, with random texts at a usual speaking rate, and what they are."""
    files, what = recordings(count)
    generator = np.random.default_rng(0)
    rows = []
    for path in files:
        seconds = audio_info(path).duration_seconds
        text = "".join(generator.choice(list(LETTERS), max(1, int(6 * seconds))))
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
    """The stages of a training step; adds up the CPU seconds of each."""

    name: str
    """The head of its column."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def timed(self, stage: str, work: Callable[[], Any]) -> Any:
        """Run a stage and add its time."""
        started = time.process_time()
        result = work()
        self.seconds[stage] += time.process_time() - started
        return result

    def step(self, batch: list[EpochItem]) -> None:
        """Read a batch and do one optimizer step on it."""
        raise NotImplementedError


class OurStages(Stages):
    """The stages as the library's training has them."""

    name = "sluice"

    def __init__(self, config: RecognizerConfig, rows: list[dict[str, Any]], folder: Path) -> None:
        """Set up; `folder` is for files that training keeps."""
        super().__init__()
        self.config, self.rows = config, rows
        words = folder / "words.json"
        save_words(words, [spoken_words(row, config.features.sample_rate) for row in rows])
        tokens = Tokens([BLANK_SYMBOL, *sorted(LETTERS)])
        self.model = AcousticModel(config.model, config.features.mels, TOKENS)
        self.dataset = UtteranceDataset(
            Dataset.from_list(rows), config, tokens, self.model.steps, train=True, words=words
        )
        self.task = CTCTask(config, self.model, tokens, [], steps=1)
        optimization: Any = self.task.configure_optimizers()
        self.optimizer = optimization["optimizer"]

    def step(self, batch: list[EpochItem]) -> None:
        """Read a batch and do one optimizer step on it."""
        for _, item in batch:
            self.timed(READING, partial(read_utterance, self.rows[item], self.config.features.sample_rate))
        joined = self.timed(DATA, lambda: collate_utterances([self.dataset[each] for each in batch]))
        self.learn(joined)

    def learn(self, batch: UtteranceBatch) -> None:
        """Do one optimizer step, and time its stages."""
        log_probs, lengths = self.timed("forward", lambda: self.model(batch.features, batch.lengths))
        loss = self.timed("loss", lambda: sum(training_losses(log_probs, lengths, batch)))
        self.timed("backward", loss.backward)
        self.timed("clipping and optimizer", self.update)

    def update(self) -> None:
        """Clip the gradients, do the step, reset the gradients, and average the weights."""
        training = self.config.training
        clip_gradients(self.model.parameters(), norm=training.clip_norm, value=training.clip_value)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.task.averaged:
            self.task.averaged.update_parameters(self.model)


class PeerStages(Stages):
    """The stages as they are written with torch.nn and torchaudio."""

    def __init__(self, config: RecognizerConfig, rows: list[dict[str, Any]], *, packed: bool) -> None:
        super().__init__()
        self.name = "torch, packed" if packed else "torch, padded"
        self.rows = rows
        self.peer = PeerTraining(
            *(config.model, config.features, config.augment, config.training), tokens=TOKENS, packed=packed
        )
        self.kept: dict[int, Tensor] = {}

    def step(self, batch: list[EpochItem]) -> None:
        """Read a batch and do one optimizer step on it."""
        peer, items = self.peer, [item for _, item in batch]
        for item in items:
            self.kept[item] = self.timed(READING, partial(self.read, item))
        targets = [
            torch.tensor([1 + sorted(LETTERS).index(letter) for letter in self.rows[item]["text"]])
            for item in items
        ]
        features, frames = self.timed(DATA, lambda: peer.data([self.kept[item] for item in items]))
        log_probs, lengths = self.timed("forward", lambda: peer.model(features, frames))
        loss = self.timed("loss", lambda: peer.loss(log_probs, lengths, targets))
        self.timed("backward", loss.backward)
        self.timed("clipping and optimizer", peer.update)

    def read(self, item: int) -> Tensor:
        """Return the samples `[samples]` of a row."""
        return torch.from_numpy(soundfile.read(self.rows[item]["audio"], dtype="float32")[0])


def take_turns(sides: Sequence[Stages], batches: LengthBatches) -> list[dict[str, float]]:
    """Return the CPU seconds of each side's stages over all batches; the sides take turns at each batch."""
    for side in sides:
        side.seconds = dict.fromkeys(STAGES, 0.0)
    for batch in batches:
        for side in sides:
            side.step(batch)
    return [side.seconds for side in sides]


def with_workers(ours: OurStages, batches: LengthBatches, repeats: int) -> tuple[int, float]:
    """Return the number of data workers that training would use, and the median seconds of all steps with them."""
    workers = ours.config.training.worker_count
    loader: DataLoader[Any] = DataLoader(
        ours.dataset,
        batch_sampler=batches,
        collate_fn=collate_utterances,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    times = []
    for _ in range(repeats + 1):  # the first warms up
        started = time.perf_counter()
        for batch in loader:
            ours.learn(batch)
        times.append(time.perf_counter() - started)
    return workers, statistics.median(times[1:])


def seconds_of(stages: dict[str, float]) -> float:
    """Return the seconds of an epoch without reading, which a small corpus needs once."""
    return sum(seconds for stage, seconds in stages.items() if stage != READING)


def table(names: Sequence[str], runs: list[list[dict[str, float]]], count: int, audio_seconds: float) -> str:
    """Return the table of stages and of speeds, with a column for each side.

    Args:
        names: of the sides, ours first.
        runs: the seconds by stage of each side in each run.
        count: the number of utterances.
        audio_seconds: of all of them.
    """

    def row(stage: str, values: list[float], digits: int) -> tuple[str, ...]:
        ratios = [f" ({value / values[0]:.1f})" for value in values[1:]]
        return (
            stage,
            *(f"{value:.{digits}f}{ratio}" for value, ratio in zip(values, ["", *ratios], strict=True)),
        )

    rows = []
    for stage in STAGES:
        medians = [statistics.median(run[side][stage] for run in runs) for side in range(len(names))]
        rows.append(row(f"{stage}, ms an utterance", [1000 * median / count for median in medians], 2))
    epochs = [[seconds_of(side) for side in run] for run in runs]
    wholes = [statistics.median(side) for side in zip(*epochs, strict=True)]
    rows.append(
        row("the whole without reading, ms an utterance", [1000 * whole / count for whole in wholes], 2)
    )
    rows.append(("audio seconds a CPU second", *(f"{audio_seconds / whole:.0f}" for whole in wholes)))
    return tabulate(rows, ("stage, alone", *names), tablefmt="github", disable_numparse=True)


def times_as_fast(names: Sequence[str], runs: list[list[dict[str, float]]]) -> str:
    """Return a sentence about the first side's speed in CPU time, by the median of the runs' ratios."""
    ratios = {
        name: statistics.median(seconds_of(run[side]) / seconds_of(run[0]) for run in runs)
        for side, name in enumerate(names)
    }
    others = " and ".join(f"{ratio:.2f} times as fast as {name}" for name, ratio in list(ratios.items())[1:])
    return f"In CPU time {names[0]} trains {others}."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--threads", type=int, default=1, help="of torch, in an operation; default 1")
    parser.add_argument("--utterances", type=int, default=160, help="default 160")
    parser.add_argument("--repeats", type=int, default=3, help="epochs of each; medians are shown; default 3")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_memory()  # as training does; all sides gain by it
    config = RecognizerConfig.read(find_recipe(RECIPE))
    rows, what = rows_of_files(arguments.utterances)
    audio_seconds = sum(row["duration_seconds"] for row in rows)
    batches = batches_of(config, rows)
    with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as folder:
        ours = OurStages(config, rows, Path(folder))
        sides = [ours, *(PeerStages(config, rows, packed=packed) for packed in (True, False))]
        take_turns(sides, batches)  # warm up
        runs = [take_turns(sides, batches) for _ in range(arguments.repeats)]
        workers, seconds = with_workers(ours, batches, arguments.repeats)
    print(describe_machine())
    print(f"{what}, {audio_seconds:.0f} seconds; {RECIPE}, batches of {config.training.batch_size}\n")
    names = [side.name for side in sides]
    print(table(names, runs, len(rows), audio_seconds))
    print(f"\n{times_as_fast(names, runs)}")
    print(f"sluice with {workers} data workers: {audio_seconds / seconds:.0f} audio seconds a second")


def batches_of(config: RecognizerConfig, rows: list[dict[str, Any]]) -> LengthBatches:
    """Return the batches of an epoch with augmentation, as training makes them."""
    batches = LengthBatches(
        [row["duration_seconds"] for row in rows],
        batch_size=config.training.batch_size,
        batch_length=config.training.batch_seconds,
        seed=config.training.seed,
    )
    batches.set_epoch(EPOCH)
    return batches


if __name__ == "__main__":
    main()
