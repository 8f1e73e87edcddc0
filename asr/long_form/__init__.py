"""Recordings of any length: cut at pauses, transcribed in bounded memory, joined with the recording's times.

`pauses` finds where somebody speaks, `windows` cuts there, `seams` joins what had to be cut within speech, and
`transcribe` takes all of it from a file to a transcript. `learn` measures how training's recordings are cut.
"""

from asr.long_form.fit_segmentation import learn_cutting
from asr.long_form.segmentation import Cutting
from asr.long_form.transcribe import transcribe_long, transcribe_pieces

__all__ = ["Cutting", "learn_cutting", "transcribe_long", "transcribe_pieces"]
