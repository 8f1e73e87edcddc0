"""Compare the speed of CTC decoders: `python -m benchmarks.decoding [RUN] [--peers PYTHON]`.

Our decoder, flashlight-text (which is torchaudio's decoder, too), pyctcdecode and fast-ctc-decode decode the same
log-probabilities by turns, with one thread each; figures are medians of CPU time. The emissions are those of the dev
split of RUN, whose corpus is in `cache/`; without RUN, artificial ones of travel requests. The language model is a word
trigram of the training texts, with the same weight for all. flashlight-text and "ours, lexicon" are restricted to the
words of these texts; pyctcdecode and "ours" may write others.

There are two rounds. In the first only the beam prunes. In the second the usual thresholds apply, where a decoder has
them: tokens below a posterior of 1e-5 extend no prefix (flashlight-text takes a number of tokens instead: as many as
are above it in 99 of 100 steps), and prefixes 20 (natural log) below the best are dropped.

The other decoders may be in another environment, because pyctcdecode needs an older NumPy:

    python -m venv peers && peers/bin/pip install 'numpy<2' flashlight-text kenlm pyctcdecode fast-ctc-decode
    python -m benchmarks.decoding RUN --peers peers/bin/python
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from asr import Transcriber
from asr.acoustic.emissions import pad_log_probs
from asr.corpora import load_corpus
from asr.corpora.utterances import read_utterance
from asr.decoding import BeamSearch, Decoder, GreedySearch, Lexicon
from asr.decoding.config import DecodingConfig
from asr.evaluation.error_rates import word_errors
from asr.tokens import BLANK_SYMBOL, Tokens
from sluice_core.devices import describe_machine
from sluice_core.grammar.travel import generate
from sluice_core.language_models.ngram import NGram, kneser_ney, save_ngram
from sluice_core.progress import track

OURS, CLOSED = "ours", "ours, lexicon"
PEERS = ("flashlight-text", "pyctcdecode", "fast-ctc-decode")
LONG_SECONDS, LEAST_SECONDS = 20.0, 0.3
"""A decoder slower than the first is measured once; one faster than the second is repeated until it takes as long."""
NO_THRESHOLDS = {"token_threshold": 0.0, "beam_threshold": math.inf}
THRESHOLDS = {"token_threshold": 1e-5, "beam_threshold": 20.0}


@dataclass(frozen=True)
class DecodingInput:
    """The input of all decoders."""

    what: str
    emissions: list[np.ndarray]
    """`[time, tokens]` of each utterance."""
    references: list[str]
    tokens: Tokens
    words: list[str]
    """The words of the training texts."""
    model: NGram
    weight: float
    bonus: float


@dataclass(frozen=True)
class Setting:
    """The settings of a decoder in one row of the table."""

    beam: int
    language: bool
    thresholds: bool

    @property
    def values(self) -> dict[str, float]:
        """The pruning thresholds."""
        return THRESHOLDS if self.thresholds else NO_THRESHOLDS


SETTINGS = [
    Setting(beam, language, thresholds)
    for thresholds in (False, True)
    for language in (False, True)
    for beam in (16, 100)
]


def from_run(run: Path, count: int) -> tuple[str, list[np.ndarray], list[str], list[str], Tokens]:
    """Return emissions of a run's dev split, their references, the training texts and the tokens."""
    transcriber = Transcriber.load(run)
    rows = load_corpus(transcriber.config.corpus, Path("cache"))
    dev, rate = rows["dev"], transcriber.config.features.sample_rate
    chosen = range(0, len(dev), max(1, len(dev) // count))[:count]
    emissions = []
    for item in track(chosen, "computing emissions"):
        log_probs, lengths = transcriber.emissions([read_utterance(dev[item], rate)])
        emissions.append(log_probs[0, : lengths[0]])
    references = [dev[item]["text"] for item in chosen]
    return f"dev of {run}", emissions, references, list(rows["train"]["text"]), transcriber.tokens


def made_up(count: int) -> tuple[str, list[np.ndarray], list[str], list[str], Tokens]:
    """Return artificial emissions of sentences: some steps for each letter, blanks in between, and noise."""
    train = [sentence.text.lower() for sentence in generate(2000)]
    references = [sentence.text.lower() for sentence in generate(count, split="dev")]
    tokens = Tokens([BLANK_SYMBOL, *sorted({letter for text in [*train, *references] for letter in text})])
    generator = np.random.default_rng(17)
    emissions = []
    for text in references:
        path = [step for letter in tokens.encode(text) for step in [0] * generator.integers(1, 8) + [letter]]
        scores = generator.normal(0, 2, (len(path), len(tokens)))
        scores[np.arange(len(path)), path] += generator.normal(7, 2, len(path))
        emissions.append(torch.tensor(scores, dtype=torch.float32).log_softmax(1).numpy())
    return "made-up emissions of travel requests", emissions, references, train, tokens


def joined(
    emissions: list[np.ndarray], references: list[str], tokens: Tokens, steps: int
) -> tuple[list[np.ndarray], list[str]]:
    """Join utterances until they have this many steps, with one step of a certain space in between."""
    space = np.full((1, len(tokens)), -20.0, np.float32)
    space[0, tokens.encode(" ")[0]] = 0.0
    longer: list[np.ndarray] = []
    texts: list[str] = []
    for emission, text in zip(emissions, references, strict=True):
        if longer and len(longer[-1]) < steps:
            longer[-1] = np.concatenate([longer[-1], space, emission])
            texts[-1] += f" {text}"
        else:
            longer.append(emission)
            texts.append(text)
    return longer, texts


def prepare(arguments: argparse.Namespace) -> DecodingInput:
    """Prepare the input of all decoders."""
    source = from_run(arguments.run, arguments.utterances) if arguments.run else made_up(arguments.utterances)
    what, emissions, references, train, tokens = source
    if arguments.steps:
        emissions, references = joined(emissions, references, tokens, arguments.steps)
    sentences = [text.split() for text in train]
    words = sorted({word for sentence in sentences for word in sentence})
    model = kneser_ney.train(sentences, 3, quiet=True)
    return DecodingInput(what, emissions, references, tokens, words, model, arguments.weight, arguments.bonus)


class Peers:
    """The other decoders, in a separate process."""

    def __init__(self, python: str, task: DecodingInput, folder: Path) -> None:
        """Write their input and start the process."""
        arrays = {f"{number:05}": emission for number, emission in enumerate(task.emissions)}
        np.savez(folder / "emissions.npz", **arrays)  # type: ignore[arg-type]  # its stub takes the names for other arguments
        facts = {
            "symbols": task.tokens.symbols,
            "words": task.words,
            "weight": task.weight,
            "bonus": task.bonus,
        }
        (folder / "task.json").write_text(json.dumps(facts), encoding="utf-8")
        save_ngram(task.model, folder / "words.arpa")
        least = math.log(THRESHOLDS["token_threshold"])
        above = np.concatenate([(emission >= least).sum(axis=1) for emission in task.emissions])
        self.likely_tokens = math.ceil(np.quantile(above, 0.99))
        self.size = len(task.tokens)
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [python, str(Path(__file__).parent / "peers" / "decoders.py"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **one_thread},
        )

    def ask(self, name: str, setting: Setting) -> dict[str, Any]:
        """Return seconds and texts of one decoder, or why it is not available."""
        assert self.process.stdin and self.process.stdout
        asked = {
            "decoder": name,
            "beam": setting.beam,
            "language": setting.language,
            "tokens": self.likely_tokens if setting.thresholds else self.size,
            "least_seconds": LEAST_SECONDS,
            **setting.values,
        }
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"missing": "its process ended"}


def decoder(name: str, task: DecodingInput, setting: Setting) -> Decoder:
    """Return one of our decoders."""
    if name == "greedy":
        return GreedySearch()
    settings = DecodingConfig(
        method="beam", beam=setting.beam, weight=task.weight, word_bonus=task.bonus, **setting.values
    )
    lexicon = Lexicon(task.words) if name == CLOSED else None
    return BeamSearch(task.tokens, settings, task.model if setting.language else None, lexicon)


def ours(name: str, task: DecodingInput, setting: Setting) -> Callable[[], dict[str, Any]]:
    """Return a function that returns seconds and texts of one of our decoders."""
    search = decoder(name, task, setting)
    padded, lengths = pad_log_probs(task.emissions)

    def run() -> dict[str, Any]:
        begun, seconds, passes = time.process_time(), 0.0, 0
        while seconds < LEAST_SECONDS:
            found = search.decode(padded, lengths)
            seconds, passes = time.process_time() - begun, passes + 1
        texts = [" ".join(task.tokens.decode(hypotheses[0].tokens).split()) for hypotheses in found]
        return {"seconds": seconds / passes, "texts": texts}

    run()
    return run


def measure(
    task: DecodingInput, peers: Peers, setting: Setting, rounds: int
) -> Iterator[tuple[str, float, float]]:
    """Yield name, utterances a second and error rate of every decoder that has this setting; they take turns."""
    names = ["greedy", OURS] if not setting.language else [OURS, CLOSED]
    runs: dict[str, Callable[[], dict[str, Any]]] = {name: ours(name, task, setting) for name in names}
    runs |= {name: partial(peers.ask, name, setting) for name in PEERS}
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            if not answers[name] or answers[name][0].get("seconds", math.inf) < LONG_SECONDS:
                answers[name].append(run())
    for name, given in answers.items():
        if "missing" in given[0]:
            if not setting.language or "NotImplemented" not in given[0]["missing"]:
                print(f"{name} is left out: {given[0]['missing']}", file=sys.stderr)
            continue
        seconds = statistics.median(each["seconds"] for each in given)
        texts = [" ".join(text.split()) for text in given[0]["texts"]]
        yield name, len(task.emissions) / seconds, word_errors(task.references, texts).rate


def rows(task: DecodingInput, peers: Peers, setting: Setting, rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield the table's rows of one setting; the ratio is the speed of ours, with a lexicon if the other has one."""
    figures = {name: (speed, error) for name, speed, error in measure(task, peers, setting, rounds)}
    for name, (speed, error) in figures.items():
        against = CLOSED if name == "flashlight-text" and setting.language else OURS
        ratio = f"{figures[against][0] / speed:.1f}" if name in PEERS else ""
        yield (
            "1e-5, 20" if setting.thresholds else "none",
            "trigram" if setting.language else "none",
            str(setting.beam) if name != "greedy" else "",
            name,
            f"{speed:.0f}" if speed >= 20 else f"{speed:.1f}",
            ratio,
            f"{error:.2%}",
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.decoding",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", nargs="?", type=Path, help="run directory; made-up emissions if none")
    parser.add_argument("--peers", default=sys.executable, help="Python that has the other decoders")
    parser.add_argument("--utterances", type=int, default=60)
    parser.add_argument(
        "--steps", type=int, default=0, help="join utterances until they are so long: as they are, if 0"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--weight", type=float, default=0.6, help="of the language model (natural log)")
    parser.add_argument("--bonus", type=float, default=0.0, help="of a word")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = prepare(arguments)
    steps = sum(map(len, task.emissions)) / len(task.emissions)
    with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as folder:
        peers = Peers(arguments.peers, task, Path(folder))
        table = [
            row
            for setting in track(SETTINGS, "measuring")
            for row in rows(task, peers, setting, arguments.rounds)
        ]
        peers.process.kill()
    print(
        f"{describe_machine()}\n{len(task.emissions)} utterances, {task.what}: {steps:.0f} steps on average, ",
        end="",
    )
    print(
        f"{len(task.tokens)} tokens; weight {task.weight}, bonus {task.bonus}; medians of {arguments.rounds}\n"
    )
    header = (
        "thresholds",
        "language",
        "beam",
        "decoder",
        "utterances a CPU second",
        "ours is faster by",
        "WER",
    )
    print(tabulate(table, header, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
