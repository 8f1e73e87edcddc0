"""A tiny spoken language for tests: every letter is a tone, so that seconds of training learn it."""

import csv
from pathlib import Path

import numpy as np
import soundfile

RATE = 8000
TONES_HZ = {"a": 400, "b": 700, "c": 1100, "d": 1700, "e": 2600}
SPACE_HZ = 180  # a hum, where a pause would be hard to tell from the silence around
LETTER_SECONDS = 0.12

SETTINGS = [
    "features.sample_rate=8000",
    "features.mels=24",
    "model.subsampling=2",
    "model.channels=8",
    "model.layers=1",
    "model.hidden_size=32",
    "model.dropout=0",
    "augment.start_epoch=10",
    "training.learning_rate=0.01",
    "training.batch_size=4",
    "training.warmup_steps=5",
    "training.average_decay=0.9",
    "training.workers=0",
    "training.threads=1",
]
"""Overrides that make the recipe ctc/manifest small enough."""


def say(text: str, generator: np.random.Generator | None = None) -> np.ndarray:
    """Samples `[samples]` float32 of a text at `RATE`; letters are parted by short pauses."""
    generator = generator or np.random.default_rng(0)
    pieces = [np.zeros(800)]
    time = np.arange(int(LETTER_SECONDS * RATE)) / RATE
    for letter in text:
        tone = np.sin(2 * np.pi * TONES_HZ.get(letter, SPACE_HZ) * time) * np.hanning(len(time))
        pieces += [generator.uniform(0.2, 0.5) * tone, np.zeros(160)]
    samples = np.concatenate([*pieces, np.zeros(800)])
    return (samples + generator.normal(0, 0.002, len(samples))).astype(np.float32)


def write_corpus(folder: Path, count: int, seed: int = 0) -> Path:
    """Write `count` recordings and a manifest of them; returns the manifest."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["audio", "text", "speaker"])
        for number in range(count):
            words = ["".join(generator.choice(list(TONES_HZ), generator.integers(1, 4))) for _ in range(2)]
            text = " ".join(words[: generator.integers(1, 3)])
            soundfile.write(folder / f"{number}.wav", say(text, generator), RATE)
            writer.writerow([f"{number}.wav", text, f"speaker-{number % 6}"])
    return folder / "manifest.csv"
