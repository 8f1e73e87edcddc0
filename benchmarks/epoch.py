"""Compare an epoch of recipes with that of another build: `python -m benchmarks.epoch --against FOLDER`.

FOLDER is another checkout, as `git worktree add FOLDER COMMIT` makes one. Each build trains in a process of its own,
with everything that belongs to an epoch: reading and augmenting, the steps, dev, checkpoint, history. The builds take
turns, epoch by epoch, so that what else the machine does strikes both; the figures are medians of the turns.
SLUICE_CORPORA names the folder that holds the corpora.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

from benchmarks.common import REPOSITORY
from sluice_core.devices import describe_machine

WARM_UP = 2
"""Epochs that are not counted: in the first recordings are read, in the second the words to exchange are found."""

RECIPES = {"ctc/an4": ["augment.start_epoch=0", "augment.exchange_epoch=1"], "slots/atis": []}
"""Recipes, and the settings with which an early epoch is like most."""

Seconds = dict[str, float]


class Training:
    """A training of one build, which does an epoch whenever it is told to."""

    def __init__(self, build: Path, recipe: str, threads: int, epochs: int, folder: Path) -> None:
        """Start it.

        Args:
            build: the checkout whose code trains.
            recipe: a key of `RECIPES`.
            threads: CPU threads inside an operation.
            epochs: how many there will be.
            folder: for files.
        """
        corpora = Path(os.environ.get("SLUICE_CORPORA", "corpora"))
        settings = [f"training.max_epochs={epochs}", f"training.threads={threads}", *RECIPES[recipe]]
        command = [sys.executable, "-P", str(REPOSITORY / "benchmarks" / "one_epoch.py"), recipe]
        command += ["--data", str(corpora / recipe.partition("/")[2]), "--runs", str(folder / "runs")]
        command += ["--cache", str(folder / "cache"), "--quiet"]
        for setting in settings:
            command += ["--set", setting]
        self.log = folder / "log"
        environment = os.environ | {"PYTHONPATH": str(build), "OMP_NUM_THREADS": str(threads)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
        with self.log.open("w") as errors:
            self.process = subprocess.Popen(command, stderr=errors, cwd=folder, **pipes)  # type: ignore[call-overload]

    def epoch(self) -> Seconds:
        """Do an epoch and return its seconds: "wall" by the clock, "processor" of all threads together."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the training failed:\n{self.log.read_text()}")
        return json.loads(answer)

    def end(self) -> None:
        """End it, finished or not."""
        self.process.kill()
        self.process.communicate()


def compare(builds: list[Path], recipe: str, threads: int, repeats: int) -> list[list[Seconds]]:
    """Return the seconds of epochs in turn: for each repetition those of each build."""
    with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as name:
        folders = [Path(name) / str(number) for number in range(len(builds))]
        trainings = []
        try:
            for build, folder in zip(builds, folders, strict=True):
                folder.mkdir()
                trainings.append(Training(build, recipe, threads, WARM_UP + repeats, folder))
                for _ in range(WARM_UP):
                    trainings[-1].epoch()
            return [[training.epoch() for training in trainings] for _ in range(repeats)]
        finally:
            for training in trainings:
                training.end()


def row(recipe: str, threads: int, turns: list[list[Seconds]]) -> tuple[str, ...]:
    """Return a row of the table."""
    cells = [recipe, str(threads)]
    for what in ("wall", "processor"):
        medians = [statistics.median(turn[build][what] for turn in turns) for build in range(2)]
        ratios = [turn[1][what] / turn[0][what] for turn in turns]
        cells += [f"{medians[1]:.2f}", f"{medians[0]:.2f}", f"{statistics.median(ratios):.2f}"]
    return tuple(cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.epoch", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--against", type=Path, required=True, metavar="FOLDER", help="the other checkout")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5, help="epochs of each build (default: %(default)s)")
    options = parser.parse_args()
    builds = [REPOSITORY, options.against.resolve()]
    rows = [
        row(recipe, threads, compare(builds, recipe, threads, options.repeats))
        for recipe in options.recipes
        for threads in options.threads
    ]
    print(
        f"{describe_machine()}\nseconds of an epoch, medians of {options.repeats} in turn; ratio: then to now\n"
    )
    header = ("recipe", "threads", "then", "now", "ratio", "CPU then", "CPU now", "CPU ratio")
    print(tabulate(rows, header, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
