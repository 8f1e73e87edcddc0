#!/usr/bin/env bash
# srt 3.5.3 and pysubs2 1.8.1: two readers of SubRip files disagree by half a second about "00:00:01,5".
#
# Expected: what stands behind the comma is a decimal fraction, or the short form is refused; both readers, which are
# lenient on purpose, give 1.5 s.
# Seen: srt takes the digits for a whole number of milliseconds and gives 1.005 s, so that "00:00:01,25" is later than
# "00:00:01,5"; pysubs2 gives 1.5 s. Files with short fractions come from scripts that print seconds with str().
# Output seen: srt 1.005 to 2.025; pysubs2 1.5 to 2.25
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet srt==3.5.3 pysubs2==1.8.1
cat > run.py <<'PY'
import pysubs2
import srt

text = "1\n00:00:01,5 --> 00:00:02,25\nhello\n"
(cue,) = srt.parse(text)
(event,) = pysubs2.SSAFile.from_string(text)
first, second = (cue.start.total_seconds(), cue.end.total_seconds()), (event.start / 1000, event.end / 1000)
print(f"srt {first[0]} to {first[1]}; pysubs2 {second[0]} to {second[1]}")
assert first == (1.005, 2.025) and second == (1.5, 2.25), "the behaviour has changed"
PY
venv/bin/python run.py
