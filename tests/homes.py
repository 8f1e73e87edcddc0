"""A folder as a person has it who followed the tutorials: runs under their names, and a recording."""

import csv
from pathlib import Path

import soundfile

from tests.tones import RATE, say

OLD_RUNS = Path(__file__).parent / "fixtures" / "old_runs"
RUNS = {
    "ctc-travel": "recognizer-v0",
    "slots-travel": "tagger-v0",
    "understand-travel": "understanding-v0",
}
SAID = "add cab a dab"


def furnish(home: Path) -> None:
    """Put runs in `home/runs`, and `request.wav`, `a.wav` and `b.flac` in which `SAID` is said, with a manifest."""
    (home / "runs").mkdir()
    for name, fixture in RUNS.items():
        (home / "runs" / name).symlink_to(OLD_RUNS / fixture)
    for name in ("request.wav", "a.wav", "b.flac"):
        soundfile.write(home / name, say(SAID), RATE)
    with (home / "other.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("audio", "text"), ("request.wav", SAID)])
