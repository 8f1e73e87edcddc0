#!/usr/bin/env bash
# soxr 1.1.0: digital silence in 16-bit samples is no longer silent when resampled.
#
# Expected: zeros at 48 kHz are zeros at 16 kHz, as they are for float32 samples.
# Seen: for int16 the result is dithered: zeros become -1, 0 and 1, so that looking for exact zeros (where a file was padded,
# where a stream dropped out) finds none, and a lossless file of silence grows from nothing to hundreds of bytes.
# The noise is the same in every call.
# Output seen: int16 -1 0 1, the same twice: True; float32 0
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet soxr==1.1.0 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
import soxr

silence = np.zeros(48000, np.int16)
first, second = (soxr.resample(silence, 48000, 16000) for _ in range(2))
floats = np.unique(soxr.resample(silence.astype(np.float32), 48000, 16000))
same = np.array_equal(first, second)
print("int16", *np.unique(first), f", the same twice: {same}; float32", *(f"{value:g}" for value in floats))
assert list(np.unique(first)) == [-1, 0, 1] and same and list(floats) == [0], "the behaviour has changed"
PY
venv/bin/python run.py
