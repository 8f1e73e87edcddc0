#!/usr/bin/env bash
# pyctcdecode 0.5.0: a hot phrase boosts each of its words wherever it stands, alone too.
#
# Expected: hotwords=["c a"] makes the phrase "c a" likelier, and leaves a recording alone in which no c is heard; decoders
# with contextual biasing (a trie of phrases) take the boost of a phrase back where it is not completed.
# Seen: the phrase is split at its spaces, and every word of it is a hot word of its own: two words, each slightly nearer
# to b, are read as "a a" though nothing of the phrase but its second word was ever near.
# Output seen: without: b b; with the phrase "c a": a a
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet pyctcdecode==0.5.0
cat > run.py <<'PY'
import numpy as np
from pyctcdecode import build_ctcdecoder

decoder = build_ctcdecoder(["", " ", "a", "b", "c"])
probabilities = np.full((3, 5), 1e-4)
probabilities[[0, 2], 2], probabilities[[0, 2], 3], probabilities[1, 1] = 0.45, 0.55, 1
emissions = np.log(probabilities / probabilities.sum(1, keepdims=True))
without, phrase = decoder.decode(emissions), decoder.decode(emissions, hotwords=["c a"])
print(f'without: {without}; with the phrase "c a": {phrase}')
assert (without, phrase) == ("b b", "a a"), "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
