"""Measure what computing a batch in parts saves: `python -m benchmarks.batch_parts [RECIPE] [--threads 2]`.

Loss and gradient of random batches of a recipe's size and model, five seconds of speech each, by turns: the whole,
with torch's threads inside operations, and in as many parts as there are threads (`training.parts`).
"""

import argparse
import statistics
import time

import torch
from tabulate import tabulate

from asr.acoustic.features import Features
from asr.acoustic.network import AcousticModel
from asr.config import RecognizerConfig
from asr.tokens import BLANK_SYMBOL, Tokens
from asr.training.dataset import UtteranceBatch
from asr.training.task import CTCTask
from sluice.recipes import find_recipe
from sluice_core.devices import describe_machine, keep_memory

FRAMES, LETTERS, STEPS = 500, 50, 20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="measure what computing a batch in parts saves")
    parser.add_argument("recipe", nargs="?", default="ctc/domain")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    config = RecognizerConfig.read(find_recipe(options.recipe), [("name", "parts"), ("corpus.data", "x")])
    keep_memory()
    torch.manual_seed(0)
    size, count = Features(config.features).size, config.training.batch_size
    tokens = Tokens([BLANK_SYMBOL, *"abcdefghijklmnopqrstuvwxyz "])
    model = AcousticModel(config.model, size, len(tokens)).train()
    batch = UtteranceBatch(
        items=list(range(count)),
        features=torch.randn(count, FRAMES, size),
        lengths=torch.full((count,), FRAMES),
        targets=torch.randint(1, len(tokens), (count, LETTERS)),
        target_lengths=torch.full((count,), LETTERS),
        errors=[],
    )
    ways = {"whole": 1, f"in {options.threads} parts": options.threads}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for step in range(STEPS + 2):
        for name, parts in ways.items():
            seconds = one_step(config, model, tokens, batch, parts, options.threads)
            if step >= 2:  # the first ones choose products and start threads
                times[name].append(seconds)
    medians = {name: statistics.median(seconds) / count for name, seconds in times.items()}
    whole = medians["whole"]
    rows = [[name, f"{1e3 * each:.1f}", f"{each / whole:.2f}"] for name, each in medians.items()]
    print(f"{describe_machine()}; {options.recipe}, batches of {count}, {options.threads} threads")
    print(tabulate(rows, ["batch", "ms an utterance", "of the whole"], tablefmt="github"))


def one_step(
    config: RecognizerConfig,
    model: AcousticModel,
    tokens: Tokens,
    batch: UtteranceBatch,
    parts: int,
    threads: int,
) -> float:
    """Return the seconds of one loss and its gradient."""
    training = config.training.model_copy(update={"parts": parts})
    torch.set_num_threads(threads)
    task = CTCTask(config.model_copy(update={"training": training}), model, tokens, [], steps=1)
    task.on_fit_start()
    started = time.perf_counter()
    task._losses(batch)[0].backward()
    seconds = time.perf_counter() - started
    model.zero_grad()
    return seconds


if __name__ == "__main__":
    main()
