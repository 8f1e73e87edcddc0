#!/usr/bin/env bash
# noisereduce 3.0.3: a recording of digital silence is cleaned to samples that are no numbers.
#
# Expected: nothing is taken from nothing: zeros stay zeros.
# Seen: the default (not stationary) divides by the smoothed level, and every sample is NaN; nothing is raised. stationary=True
# gives zeros. In int16 the NaN become zeros, so that a test with such samples passes.
# Output seen: float: 32000 of 32000 NaN; stationary: 0; int16: 0
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet noisereduce==3.0.3 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
from noisereduce import reduce_noise

silence = np.zeros(32000)
count = [
    int(np.isnan(reduce_noise(y=silence, sr=16000)).sum()),
    int(np.isnan(reduce_noise(y=silence, sr=16000, stationary=True)).sum()),
    int(np.count_nonzero(reduce_noise(y=silence.astype(np.int16), sr=16000))),
]
print(f"float: {count[0]} of {len(silence)} NaN; stationary: {count[1]}; int16: {count[2]}")
assert count == [32000, 0, 0], "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
