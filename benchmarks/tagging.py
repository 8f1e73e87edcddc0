"""Measure how fast sentences are tagged: `python -m benchmarks.tagging [RUN]`.

Without RUN, the model of the travel recipe with random weights is used, which is as fast as a trained one. The
sentences are the written requests of the embedded corpus.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from tabulate import tabulate

from benchmarks.common import REPEATS, median_seconds
from slot_filling.config import TaggerConfig
from slot_filling.corpora import load_corpus
from slot_filling.tagger import Tagger
from slot_filling.vocabulary import Vocabulary
from sluice.recipes import find_recipe
from sluice_core.devices import describe_machine
from sluice_core.grammar.travel_written import written

RECIPE = "slots/travel"
MANY = 2000
LONG_WORDS = 10_000


def random_run() -> Path:
    """Return a run directory with an untrained model of the travel recipe."""
    run = Path(tempfile.mkdtemp(prefix="sluice-benchmark-"))
    torch.manual_seed(0)
    config = TaggerConfig.read(find_recipe(RECIPE))
    vocabulary = Vocabulary.learn(
        load_corpus(config.corpus)["train"], least_count=config.vocabulary.min_count
    )
    Tagger(config, vocabulary).save(run)
    return run


def main() -> None:
    """Print the table."""
    run = Path(sys.argv[1]) if len(sys.argv) > 1 else random_run()
    texts = [passage.text for passage in written(MANY, split="dev")]
    tagger = Tagger.load(run)
    words = sum(len(text.split()) for text in texts)
    shell = [sys.executable, "-m", "sluice.cli", "tag", str(run), texts[0]]
    long = " ".join(texts).split()[:LONG_WORDS]
    measured = [
        ("one sentence, model loaded", 1, median_seconds(lambda: tagger.tag(texts[0]))),
        ("100, one by one", 100, median_seconds(lambda: [tagger.tag(text) for text in texts[:100]])),
        (f"{MANY} with tag_many", MANY, median_seconds(lambda: list(tagger.tag_many(texts)))),
        (
            f"{MANY}, 3 alternatives",
            MANY,
            median_seconds(lambda: list(tagger.tag_many(texts, alternatives=3))),
        ),
        (f"one sentence of {len(long)} words", 1, median_seconds(lambda: tagger.tag(long))),
        (
            "one sentence from the shell, loading included",
            1,
            median_seconds(lambda: subprocess.run(shell, check=True, capture_output=True)),
        ),
    ]
    table = [(name, f"{seconds:.4f}", f"{count / seconds:.0f}") for name, count, seconds in measured]
    parameters = sum(parameter.numel() for parameter in tagger.model.parameters())
    print(
        f"{describe_machine()}\n{parameters / 1e6:.2f} million parameters, {len(tagger.vocabulary.tags)} tags; "
        f"requests of {words / len(texts):.1f} words; medians of {REPEATS}\n"
    )
    print(
        tabulate(table, ("what", "seconds", "sentences a second"), tablefmt="github", disable_numparse=True)
    )


if __name__ == "__main__":
    main()
