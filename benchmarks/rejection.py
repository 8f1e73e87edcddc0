"""Measure what a domain's run accepts: `python -m benchmarks.rejection RUN PLACE…`.

A place is a folder of recordings, or a manifest with a path in `audio` on each line (`.csv`, or `.jsonl` with the slots
of each recording, in which case the answers are compared with them). For each, the program prints how many are accepted
as sentences of the run's grammar; last, for half an hour of noise as `sluice.fitting_rejection` makes it, by another
seed than fitting uses.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from asr.acoustic.emissions import Source
from sluice.fitting_rejection import draw_noise
from sluice.understanding import Understander
from sluice_core.calibration import expected_calibration_error
from sluice_core.devices import describe_machine

SOUNDS = {".wav", ".flac", ".sph", ".ogg", ".mp3"}
NOISE_SECONDS = 1800
SEED = 20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="measure what a domain's run accepts")
    parser.add_argument("run", type=Path)
    parser.add_argument("places", type=Path, nargs="*", metavar="PLACE")
    options = parser.parse_args()
    understander = Understander.load(options.run)
    rows = []
    for place in options.places:
        sources, slots = recordings(place)
        rows.append([place.name, *accepted(understander, sources, slots)])
    noise = make_noise(understander.transcriber.config.features.sample_rate)
    rows.append([f"{NOISE_SECONDS // 60} minutes of noise", *accepted(understander, noise, None)])
    print(describe_machine())
    header = ["recordings", "count", "accepted", "share", "all slots right", "of the accepted", "slots' ECE"]
    print(tabulate(rows, header, tablefmt="github"))


def recordings(place: Path) -> tuple[list[Source], list[dict[str, str]] | None]:
    """Return the recordings of a place, and the slots of each where the place says them."""
    if place.is_dir():
        return [path for path in sorted(place.rglob("*")) if path.suffix in SOUNDS], None
    rows: list[dict[str, Any]]
    with place.open(encoding="utf-8", newline="") as file:
        rows = [json.loads(line) for line in file] if place.suffix == ".jsonl" else list(csv.DictReader(file))
    slots = [row["slots"] for row in rows] if all("slots" in row for row in rows) else None
    return [place.parent / row["audio"] for row in rows], slots


def make_noise(sample_rate: int) -> list[Source]:
    """Return noises of half an hour altogether."""
    random, noise, seconds = np.random.default_rng(SEED), list[Source](), 0.0
    while seconds < NOISE_SECONDS:
        samples = draw_noise(random, sample_rate)
        noise.append(samples)
        seconds += len(samples) / sample_rate
    return noise


def accepted(
    understander: Understander, sources: Sequence[Source], slots: Sequence[dict[str, str]] | None
) -> list[str]:
    """Return the count of recordings, of accepted ones, their share, and where slots are known, how many are right."""
    answers = list(understander.understand_many(sources, mode="grammar", alternatives=1))
    holds = np.array([not each.no_match for each in answers])
    cells = [str(len(answers)), str(holds.sum()), f"{holds.mean():.1%}"]
    if slots is None:
        return cells
    # What was rejected has its best sentence as its first alternative.
    best = [each.alternatives[0] if each.no_match and each.alternatives else each for each in answers]
    wanted = [{label: value.casefold() for label, value in each.items()} for each in slots]
    found = [{slot.label: (slot.value or "").casefold() for slot in each.slots} for each in best]
    right = np.array([one == other for one, other in zip(found, wanted, strict=True)])
    sure = [
        (slot.confidence, truth.get(slot.label) == (slot.value or "").casefold())
        for each, truth, held in zip(best, wanted, holds, strict=True)
        if held
        for slot in each.slots
    ]
    error = expected_calibration_error([share for share, _ in sure], [is_right for _, is_right in sure])
    return [*cells, f"{right.mean():.1%}", f"{right[holds].mean():.1%}", f"{error:.3f}"]


if __name__ == "__main__":
    main()
