#!/usr/bin/env bash
# contractions 0.1.73: words without an apostrophe are taken apart: the shed becomes "she would".
#
# Expected: fix() expands contractions ("don't", perhaps "dont") and leaves English words alone. "well", "were" and "ill" are left
# alone, so somebody has thought of it; "o'clock" is no contraction for anyone today.
# Seen: "shed" and "shell" are split; "ten o'clock" becomes "ten of the clock", which no reader of times understands; "mar."
# becomes a month; "it's been" has "is". Normalizing references and transcripts with it hides and makes errors.
# Output seen: shed some light -> she would some light | the shell -> the she will | ten o'clock -> ten of the clock | it's been -> it is been | well were ill -> well were ill
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet contractions==0.1.73
cat > run.py <<'PY'
import contractions

said = ["shed some light", "the shell", "ten o'clock", "it's been", "well were ill"]
fixed = [contractions.fix(text) for text in said]
print(" | ".join(f"{text} -> {result}" for text, result in zip(said, fixed)))
assert fixed == [
    "she would some light", "the she will", "ten of the clock", "it is been", "well were ill"
], "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
