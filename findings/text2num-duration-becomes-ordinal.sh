#!/usr/bin/env bash
# text2num 3.1.0, English: a duration becomes an ordinal number.
#
# Expected: "set a thirty second timer" keeps its words or becomes "set a 30 second timer"; "wait a second" is left alone.
# Seen: a word of tens before "second" makes one ordinal of both, and the seconds are gone.
# Output seen: set a 32nd timer | set a 52nd timer | wait 45 seconds
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet text2num==3.1.0
cat > run.py <<'PY'
from text_to_num import alpha2digit

said = ["set a thirty second timer", "set a fifty second timer", "wait forty five seconds"]
written = [alpha2digit(text, "en") for text in said]
print(" | ".join(written))
assert written == ["set a 32nd timer", "set a 52nd timer", "wait 45 seconds"], "the behaviour has changed"
PY
venv/bin/python run.py
