#!/usr/bin/env bash
# kaldi-native-fbank 1.23.0: features of the same samples differ from call to call, with default options.
#
# Expected: a library for inference computes features without dither, as torchaudio.compliance.kaldi does by default; the
# same file gives the same features, and digital silence gives the floor in every bin.
# Seen: frame_opts.dither is 3e-05 of full scale, and the generator is not seeded anew: two calls differ, and digital
# silence has bins 5 (natural log) above the floor of log(1.19e-7) = -15.94. With dither 0 both are as expected.
# Output seen: same twice: False; silence from -15.9 to -10.6; without dither: True, -15.9 to -15.9
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet kaldi-native-fbank==1.23.0 numpy==2.2.6
cat > run.py <<'PY'
import kaldi_native_fbank
import numpy as np


def features(samples: np.ndarray, dither: float | None = None) -> np.ndarray:
    options = kaldi_native_fbank.FbankOptions()
    if dither is not None:
        options.frame_opts.dither = dither
    online = kaldi_native_fbank.OnlineFbank(options)
    online.accept_waveform(16000, samples.tolist())
    online.input_finished()
    return np.array([online.get_frame(index) for index in range(online.num_frames_ready)])


noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
silence = np.zeros(16000, np.float32)
same = np.array_equal(features(noise), features(noise))
same_without = np.array_equal(features(noise, 0.0), features(noise, 0.0))
dithered, still = features(silence), features(silence, 0.0)
print(f"same twice: {same}; silence from {dithered.min():.1f} to {dithered.max():.1f}; "
      f"without dither: {same_without}, {still.min():.1f} to {still.max():.1f}")
assert not same and dithered.max() > -13, "the behaviour has changed"
assert same_without and still.min() == still.max(), "the behaviour has changed"
PY
venv/bin/python run.py
