#!/usr/bin/env bash
# pyloudnorm 0.2.0: a silent recording is normalized to samples that are no numbers.
#
# Expected: silence stays silence, or an error says that it has no loudness.
# Seen: its loudness is -inf, so that the gain to -23 LUFS is infinite, and infinity times zero is NaN in every sample. A
# recording with a faint noise below the gate of -70 LUFS becomes infinite. One such file makes the loss of a batch NaN.
# Output seen: silence [nan nan nan]; noise of 1e-04: [ inf -inf -inf]; noise of 1e-03: peak 0.090
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet pyloudnorm==0.2.0 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
import pyloudnorm

meter = pyloudnorm.Meter(16000)


def normalize(samples: np.ndarray) -> np.ndarray:
    return pyloudnorm.normalize.loudness(samples, meter.integrated_loudness(samples), -23.0)


noise = np.random.default_rng(0).uniform(-1, 1, 16000)
silence, faint, quiet = normalize(np.zeros(16000)), normalize(1e-4 * noise), normalize(1e-3 * noise)
print(f"silence {silence[:3]}; noise of 1e-04: {faint[:3]}; noise of 1e-03: peak {np.abs(quiet).max():.3f}")
assert np.isnan(silence).all() and np.isinf(faint).all() and np.isfinite(quiet).all(), "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
