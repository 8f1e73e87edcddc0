#!/usr/bin/env bash
# abydos 0.5.0: its Metaphone pronounces the gh of "light", which those of other libraries do not.
#
# Expected: Metaphone, an algorithm of 1990 with published rules, gives the same code in every library for common words:
# gh before a consonant is silent, and "light" and "lite", "right" and "write" have one code each.
# Seen: abydos keeps a K: LKT and LT. A phonetic index of names made with it does not find what jellyfish's code asks for, and
# homophones that recognizers confuse most are no match. Metaphone 0.6 (double) and jellyfish agree with each other.
# Output seen: light LKT LT LT, lite LT LT LT, right RKT RT RT, write RT RT RT, thought 0KT 0T 0T (abydos, jellyfish, double)
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet abydos==0.5.0 jellyfish==1.3.0 Metaphone==0.6
cat > run.py <<'PY'
import jellyfish
from abydos.phonetic import Metaphone
from metaphone import doublemetaphone

words = ("light", "lite", "right", "write", "thought")
codes = {word: (Metaphone().encode(word), jellyfish.metaphone(word), doublemetaphone(word)[0]) for word in words}
print(", ".join(f"{word} {' '.join(code)}" for word, code in codes.items()), "(abydos, jellyfish, double)")
assert [code[0] for code in codes.values()] == ["LKT", "LT", "RKT", "RT", "0KT"], "the behaviour has changed"
assert all(code[1] == code[2] for code in codes.values()), "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
