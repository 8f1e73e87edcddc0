#!/usr/bin/env bash
# ctc-segmentation 1.7.5: an utterance of one letter that was heard well is scored lower than one that was never said.
#
# Expected: the score is the worst mean log probability in the segment: -0.03 for a letter at 0.97, and far below for one
# that is not there; utterances below a threshold are thrown away.
# Seen: a letter that falls into a single frame (words like "a" and "I") keeps the start value,
# -10000000000. Where the same letter is not in the recording at all, the score is -2.32: a threshold keeps what was not
# said and drops what was.
# Output seen: said: -0.03 -10000000000.00 -0.03; not said: -0.03 -2.32 -0.03
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet ctc-segmentation==1.7.5 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
from ctc_segmentation import CtcSegmentationParameters, ctc_segmentation, determine_utterance_segments, prepare_text


def scores(heard: dict[int, int]) -> list[float]:
    probabilities = np.full((90, 4), 0.01)
    probabilities[:, 0] = 0.97
    for frame, letter in heard.items():
        probabilities[frame] = 0.01
        probabilities[frame, letter] = 0.97
    parameters = CtcSegmentationParameters(char_list=["_", "a", "b", " "])
    parameters.index_duration = 1.0
    text = ["ab", "b", "ab"]
    truth, begins = prepare_text(parameters, text)
    timings, letters, _ = ctc_segmentation(parameters, np.log(probabilities), truth)
    return [float(segment[2]) for segment in determine_utterance_segments(parameters, begins, letters, timings, text)]


said = scores({10: 1, 14: 2, 30: 2, 50: 1, 54: 2})
not_said = scores({10: 1, 14: 2, 30: 1, 34: 2})
print("said:", *(f"{score:.2f}" for score in said), end="; ")
print("not said:", *(f"{score:.2f}" for score in not_said))
assert said[1] < -1e9 and -3 < not_said[1] < -2 and min(said[0], said[2]) > -0.1, "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
