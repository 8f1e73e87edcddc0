#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2 in its wheel): loud Ogg files read as 16-bit samples wrap around instead of clipping.
#
# Expected: where a lossy decoder overshoots full scale, `read(dtype="int16")` saturates at 32767, as it does for MP3 and as
# soundfile does when it writes floats to a 16-bit WAV.
# Seen: of a sine of 0.999 whose Vorbis and Opus files decode to peaks of 1.03 and 1.01, hundreds of samples change their
# sign: clicks of full scale, 65536 steps high. int32 wraps, too. The float32 samples of the same files are fine.
# Output seen: samples of 16000 off by more than 0.5: vorbis 403 (float peak 1.03), opus 148 (float peak 1.01), mp3 0 (float peak 1.02)
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet soundfile==0.14.0 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
import soundfile

rate = 16000
sine = (0.999 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
wrong, shown = {}, []
for name, kind in (("vorbis", {"format": "OGG", "subtype": "VORBIS"}), ("opus", {"format": "OGG", "subtype": "OPUS"}),
                   ("mp3", {"format": "MP3"})):
    soundfile.write(name, sine, rate, **kind)
    floats, integers = soundfile.read(name, dtype="float32")[0], soundfile.read(name, dtype="int16")[0] / 32768
    wrong[name] = int((np.abs(floats - integers) > 0.5).sum())
    shown.append(f"{name} {wrong[name]} (float peak {np.abs(floats).max():.2f})")
print(f"samples of {rate} off by more than 0.5: {', '.join(shown)}")
assert wrong["vorbis"] > 100 and wrong["opus"] > 50 and wrong["mp3"] == 0, "the behaviour has changed"
PY
venv/bin/python run.py
