"""Measure how fast recordings are transcribed: `python -m benchmarks.transcribe [RUN]`.

Without RUN, the AN4 model with random weights is used, which is as fast as a trained one. The real-time factor is the
seconds of work for a second of audio, including reading; lower is faster.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from tabulate import tabulate

from asr import Transcriber
from asr.audio.reading import audio_info
from asr.config import RecognizerConfig
from asr.tokens import Tokens
from benchmarks.common import REPEATS, median_seconds, recordings
from sluice.recipes import find_recipe
from sluice_core.devices import describe_machine

RECIPE = "ctc/an4"


def random_run() -> Path:
    """Return a run directory with an untrained AN4 model."""
    run = Path(tempfile.mkdtemp(prefix="sluice-benchmark-"))
    torch.manual_seed(0)
    config = RecognizerConfig.read(find_recipe(RECIPE))
    Transcriber(config, Tokens.learn(["abcdefghijklmnopqrstuvwxyz "])).save(run)
    return run


def main() -> None:
    """Print the table."""
    run = Path(sys.argv[1]) if len(sys.argv) > 1 else random_run()
    files, what = recordings(100)
    transcriber = Transcriber.load(run)
    lengths = [audio_info(path).duration_seconds for path in files]
    middle = files[sorted(range(len(files)), key=lengths.__getitem__)[len(files) // 2]]
    one, all_seconds = audio_info(middle).duration_seconds, sum(lengths)
    shell = [sys.executable, "-m", "sluice.cli", "transcribe", str(run), str(middle)]
    measured = [
        ("one file, model loaded", one, median_seconds(lambda: transcriber.transcribe(middle))),
        (
            f"{len(files)} files, one by one",
            all_seconds,
            median_seconds(lambda: [transcriber.transcribe(path) for path in files]),
        ),
        (
            f"{len(files)} files, in batches of 16",
            all_seconds,
            median_seconds(lambda: list(transcriber.transcribe_many(files))),
        ),
        (
            "one file from the shell, loading included",
            one,
            median_seconds(lambda: subprocess.run(shell, check=True, capture_output=True)),
        ),
    ]
    table = [
        (name, f"{audio:.1f}", f"{seconds:.3f}", f"{seconds / audio:.4f}", f"{audio / seconds:.0f}")
        for name, audio, seconds in measured
    ]
    print(f"{describe_machine()}\n{what}; medians of {REPEATS}\n")
    header = ("what", "audio seconds", "seconds", "real-time factor", "times real time")
    print(tabulate(table, header, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
