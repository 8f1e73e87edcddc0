#!/usr/bin/env bash
# pedalboard 0.9.26: GSMFullRateCompressor moves sound by a time that depends on the sample rate, 11 ms at 16 kHz.
#
# Expected: an effect of the same length as its input is aligned with it, as MP3Compressor is (whose codec has a longer delay),
# or is late by one time at all rates; word times of the clean recording hold for the telephone one.
# Seen: a pulse is early by 13 samples at 8 kHz, late by 183 at 16 kHz (11.4 ms, more than a frame of features) and by 2 at
# 48 kHz.
# Output seen: gsm -1.6 ms at 8000, 11.4 ms at 16000, 0.0 ms at 48000 Hz; mp3 -0.1 ms, -0.1 ms, -0.0 ms
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet pedalboard==0.9.26 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
from pedalboard import GSMFullRateCompressor, MP3Compressor

pulse = np.zeros(16000, np.float32)
pulse[8000:8100] = np.hanning(100)  # the peak is in the middle
rates = (8000, 16000, 48000)


def delays(effect) -> list[float]:
    return [1000 * (int(np.abs(effect(pulse, rate)).argmax()) - 8050) / rate for rate in rates]


gsm, mp3 = delays(GSMFullRateCompressor()), delays(MP3Compressor())
print("gsm " + ", ".join(f"{delay:.1f} ms at {rate}" for delay, rate in zip(gsm, rates)) + " Hz; mp3 "
      + ", ".join(f"{delay:.1f} ms" for delay in mp3))
assert gsm[1] > 10 and gsm[0] < -1 and abs(gsm[2]) < 0.2 and max(map(abs, mp3)) < 0.2, "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
