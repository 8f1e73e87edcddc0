"""The decoding settings of a run, chosen on its dev split, and calibrated word confidences."""

from asr.tuning.grid import GridPoint, SplitEmissions, Tuning, tune
from asr.tuning.selection import (
    Candidate,
    Choice,
    candidates_from_transcripts,
    format_tuning,
    read_candidate,
    save_tuning,
    tune_run,
)

__all__ = [
    "Candidate",
    "Choice",
    "GridPoint",
    "SplitEmissions",
    "Tuning",
    "candidates_from_transcripts",
    "format_tuning",
    "read_candidate",
    "save_tuning",
    "tune",
    "tune_run",
]
