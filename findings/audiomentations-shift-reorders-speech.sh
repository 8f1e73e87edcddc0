#!/usr/bin/env bash
# audiomentations 0.43.1: `Shift` moves the end of a recording to its beginning, by default.
#
# Expected: shifting in time pads with silence, so that the transcript still holds, or loses a word at an edge.
# Seen: rollover is on: a word that stood in the last quarter of a second of a recording is heard first, before everything,
# for half of all draws; a recognizer trained on such recordings with their transcripts learns words in a wrong order.
# Output seen: of 200 draws 91 have the last word before the first
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet audiomentations==0.43.1 numpy==2.2.6
cat > run.py <<'PY'
import random

import numpy as np
from audiomentations import Shift

random.seed(0)
np.random.seed(0)
recording = np.zeros(16000, np.float32)
recording[4000:6000], recording[12000:14000] = 0.25, 0.75  # a first word, and a second one
turned = 0
for _ in range(200):
    shifted = Shift(p=1.0)(samples=recording, sample_rate=16000)
    first, second = np.flatnonzero(np.isclose(shifted, 0.25)), np.flatnonzero(np.isclose(shifted, 0.75))
    turned += bool(len(first) and len(second) and second.mean() < first.mean())
print(f"of 200 draws {turned} have the last word before the first")
assert 60 < turned < 140, "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
