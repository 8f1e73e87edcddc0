"""A run's decoding, chosen on its dev split."""

from asr.tuning.grid import Emissions, Trial, Tuning, tune
from asr.tuning.selection import (
    Candidate,
    Choice,
    format_tuning,
    of_transcripts,
    read_candidate,
    save_tuning,
    tune_run,
)

__all__ = [
    "Candidate",
    "Choice",
    "Emissions",
    "Trial",
    "Tuning",
    "format_tuning",
    "of_transcripts",
    "read_candidate",
    "save_tuning",
    "tune",
    "tune_run",
]
