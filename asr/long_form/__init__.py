"""Recordings of any length: segmented at pauses, transcribed in bounded memory, with the recording's times.

`segmentation` divides a recording into pieces at its pauses, and long pieces into overlapping windows; `stitching`
joins the emissions of windows; `transcribe` goes from a recording to its transcript; `fit_segmentation` finds settings
that make pieces like the recordings of training.
"""

from asr.long_form.fit_segmentation import fit_segmentation
from asr.long_form.segmentation import SegmentationSettings
from asr.long_form.transcribe import transcribe_long, transcribe_pieces

__all__ = ["SegmentationSettings", "fit_segmentation", "transcribe_long", "transcribe_pieces"]
