"""A run's decoding, chosen on its dev split."""

from asr.tuning.choice import (
    Candidate,
    Choice,
    format_tuning,
    of_transcripts,
    read_candidate,
    save_tuning,
    tune_run,
)
from asr.tuning.trials import Emissions, Trial, Tuning, tune

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
