#!/usr/bin/env bash
# pydub 0.25.1: set_frame_rate folds everything above half the new rate into the speech band, at full loudness.
#
# Expected: resampling from 16 to 8 kHz removes what lies above 4 kHz, as every resampler of speech tools does.
# Seen: the samples are interpolated linearly and that is all (audioop.ratecv): a tone of 6 kHz becomes one of 2 kHz that is
# as loud, so that s and f are heard as noise among the vowels. Segments of unlike rates that are joined or overlaid
# are converted likewise, unasked.
# Output seen: 6000 Hz at -9.0 dB becomes 2000 Hz at -9.0 dB
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet pydub==0.25.1 numpy==2.2.6 'audioop-lts==0.2.2; python_version>="3.13"'
cat > run.py <<'PY'
import numpy as np
from pydub import AudioSegment

rate = 16000
tone = (16384 * np.sin(2 * np.pi * 6000 * np.arange(rate) / rate)).astype("<i2")
before = AudioSegment(tone.tobytes(), sample_width=2, frame_rate=rate, channels=1)
after = before.set_frame_rate(8000)
peak = int(np.abs(np.fft.rfft(after.get_array_of_samples())).argmax())
print(f"6000 Hz at {before.dBFS:.1f} dB becomes {peak} Hz at {after.dBFS:.1f} dB")
assert peak == 2000 and abs(before.dBFS - after.dBFS) < 0.1, "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
