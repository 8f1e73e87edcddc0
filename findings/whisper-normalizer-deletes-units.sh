#!/usr/bin/env bash
# whisper-normalizer 0.1.15 (the English normalizer published with Whisper): units and interjections change the score.
#
# Expected: normalization before counting word errors removes fillers and spelling variants; what was said stays.
# Seen: "mm" counts as a filler, so millimetres vanish and a recognizer that drops them has no error; "oh" alone is the
# digit zero, so "oh no" and "zero no" are the same; a name's possessive becomes "is"; digits said one by one become one
# number, so that a recognizer that hears one word of four wrong has one word of one wrong.
# Output seen: set it to 10 | 0 no | mister may is | 1234
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet whisper-normalizer==0.1.15
cat > run.py <<'PY'
from whisper_normalizer.english import EnglishTextNormalizer

said = ["Set it to 10 mm", "Oh, no!", "Mr. May's", "one two three four"]
normal = [EnglishTextNormalizer()(text) for text in said]
print(" | ".join(normal))
assert normal == ["set it to 10", "0 no", "mister may is", "1234"], "the behaviour has changed"
PY
venv/bin/python run.py
