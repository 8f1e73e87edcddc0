"""Transcribe long recordings: `python -m benchmarks.long_form RUN [--minutes 60]` (Linux only).

RUN is a recognizer whose corpus is in `cache/`.
The utterances of the test split (of dev, if there is none) are joined into recordings, repeatedly in random order
and loudness, with noise 60 dB below full scale. Each recording is written to a file and transcribed as a whole in a
separate process, whose peak memory is reported. For comparison the utterances are also transcribed one by one, cut
out at a random place up to 40 ms into the silence around them, because a shift by half a step of the model changes some
15% of the travel recognizer's words, without making them better or worse.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from tabulate import tabulate

from asr import Transcriber
from asr.audio.reading import read_audio, resample
from asr.corpora import load_corpus
from asr.corpora.utterances import read_utterance
from asr.evaluation.error_rates import word_errors
from asr.long_form.transcribe import transcribe_long
from sluice_core.devices import describe_machine

NOISE = 1e-3
SHIFT_SECONDS = 0.04
GAIN_DB = 6.0


@dataclass(frozen=True)
class Layout:
    """How a recording is composed."""

    name: str
    silences: tuple[float, float]
    """The shortest and the longest silence between utterances, in seconds."""
    share: float = 1 / 6
    """The share of the minutes asked for."""
    suffix: str = ".wav"
    sample_rate: int | None = None
    """The sample rate in Hz; None for the model's."""
    channels: int = 1


LAYOUTS = [
    Layout("silences of 0.5 to 5 s", (0.5, 5), share=1),
    Layout("the same, MP3, 44.1 kHz, stereo", (0.5, 5), suffix=".mp3", sample_rate=44100, channels=2),
    Layout("silences of up to a minute", (0, 60), share=1),
    Layout("silences of 0.2 s", (0.2, 0.2)),
    Layout("no silences", (0, 0)),
]


def compose(rows, layout: Layout, seconds: float, rate: int):  # type: ignore[no-untyped-def]
    """Return samples `[samples]` float32 at `rate` Hz, the range of each utterance in them, and the texts."""
    random = np.random.default_rng(0)
    parts: list[np.ndarray] = []
    spans: list[tuple[int, int]] = []
    texts: list[str] = []
    position, before = 0, 0
    order: list[int] = []
    while position < seconds * rate:
        order = order or random.permutation(len(rows)).tolist()
        row = rows[order.pop()]
        utterance = read_utterance(row, rate) * np.float32(10 ** (random.uniform(-GAIN_DB, GAIN_DB) / 20))
        silence = np.zeros(round(random.uniform(*layout.silences) * rate), np.float32)
        shifts = [round(random.uniform(0, SHIFT_SECONDS) * rate) for _ in range(2)]
        end = position + len(utterance)
        spans.append((position - min(shifts[0], before // 2), end + min(shifts[1], len(silence) // 2)))
        texts.append(row["text"])
        parts += [utterance, silence]
        position, before = end + len(silence), len(silence)
    samples = np.concatenate(parts)
    return samples + NOISE * random.standard_normal(len(samples), np.float32), spans, texts


def transcribe_apart_from_this(run: str, path: Path) -> dict[str, float | str]:
    """Transcribe a file in a new process; return the text, the seconds, and the peak memory in MiB."""
    command = [sys.executable, "-m", "benchmarks.long_form", run, "--transcribe", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def transcribe_here(run: str, path: Path) -> None:
    """Transcribe a file in this process, and print the result as JSON."""
    transcriber = Transcriber.load(run)
    started = time.perf_counter()
    text = transcribe_long(path, transcriber.emitter, transcriber.emission_decoder()).text
    seconds = time.perf_counter() - started
    # Not resource.getrusage: that of a new process begins with its parent's.
    peak = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    mebibytes = int(peak[1]) / 1024 if peak else float("nan")
    print(json.dumps({"text": text, "seconds": seconds, "mebibytes": mebibytes}))


def measure(run: str, layout: Layout, minutes: float, rows, folder: Path) -> tuple[str, ...]:  # type: ignore[no-untyped-def]
    """Return a row of the table."""
    transcriber = Transcriber.load(run)
    rate = transcriber.config.features.sample_rate
    samples, spans, texts = compose(rows, layout, 60 * minutes * layout.share, rate)
    written_rate = layout.sample_rate or rate
    written = resample(samples, rate, written_rate)
    path = folder / f"recording{layout.suffix}"
    soundfile.write(path, np.stack([written] * layout.channels, axis=1), written_rate)
    joined = transcribe_apart_from_this(run, path)
    whole, _ = read_audio(path, rate)
    apart = [each.text for each in transcriber.transcribe_many(whole[start:end] for start, end in spans)]
    reference = " ".join(texts)
    seconds = len(whole) / rate
    return (
        layout.name,
        f"{seconds / 60:.1f}",
        f"{joined['mebibytes']:.0f}",
        f"{seconds / float(joined['seconds']):.0f}",
        *(f"{word_errors([reference], [str(text)]).rate:.2%}" for text in (" ".join(apart), joined["text"])),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_form", description=__doc__)
    parser.add_argument("run", help="directory of a trained recognizer")
    parser.add_argument("--minutes", type=float, default=60, help="of the longest recording (default: 60)")
    parser.add_argument("--transcribe", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.transcribe:
        transcribe_here(options.run, options.transcribe)
        return
    splits = load_corpus(Transcriber.load(options.run).config.corpus, Path("cache"))
    split = "test" if "test" in splits else "dev"
    with tempfile.TemporaryDirectory() as folder:
        table = [measure(options.run, each, options.minutes, splits[split], Path(folder)) for each in LAYOUTS]
    print(f"{describe_machine()}\nutterances of {split}, {options.run}\n")
    header = ("recording", "minutes", "peak MiB", "times real time", "WER apart", "WER joined")
    print(tabulate(table, header, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
