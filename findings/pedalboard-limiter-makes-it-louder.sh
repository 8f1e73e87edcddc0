#!/usr/bin/env bash
# pedalboard 0.9.26: `Limiter` makes quiet sound five times louder, and clips.
#
# Expected: a limiter with a threshold of -10 dB (the default) leaves a tone of -20 dB alone and holds a loud one at -10 dB.
# Seen: the tone of 0.1 comes out at 0.49 (+13.8 dB), one of 0.3 at full scale. Behind the limiter stands a make-up gain
# that the threshold decides and no argument turns off; even a threshold of 0 dB adds 4 dB. A noise floor rises with it.
# Output seen: threshold -10 dB: 0.01 -> 0.049, 0.1 -> 0.487, 0.3 -> 1.000; threshold 0 dB: 0.01 -> 0.015, 0.1 -> 0.154, 0.3 -> 0.462
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet pedalboard==0.9.26 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
from pedalboard import Limiter

rate = 16000
tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
peaks = {}
for threshold in (-10, 0):
    for level in (0.01, 0.1, 0.3):
        limited = Limiter(threshold_db=threshold)(np.float32(level) * tone, rate)
        peaks[threshold, level] = float(np.abs(limited[rate // 2:]).max())  # behind the attack
print("; ".join(
    f"threshold {threshold} dB: " + ", ".join(f"{level} -> {peaks[threshold, level]:.3f}" for level in (0.01, 0.1, 0.3))
    for threshold in (-10, 0)
))
assert peaks[-10, 0.1] > 0.4 and peaks[-10, 0.3] > 0.99 and peaks[0, 0.1] > 0.14, "the behaviour has changed"
assert all(peaks[threshold, 0.01] > 0.014 for threshold in (-10, 0)), "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
