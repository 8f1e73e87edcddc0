#!/usr/bin/env bash
# jiwer 4.0.0: a tab or a line break between words makes one word of two.
#
# Expected: `wer("a\tb", "a b")` is 0: white space parts words, as for sclite and `str.split`, and the default transform
# strips the ends and collapses repeated spaces.
# Seen: words are split at U+0020 alone. References of several lines, or columns of a table, give error rates above 1 for
# perfect transcripts. And SubstituteWords applies its pairs one after the other, so that it cannot swap two words: what
# one pair has put in, the next replaces again.
# Output seen: tab 2.0, line break 2.0, two spaces 0.0; swapped 'a b' -> 'a a'
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet jiwer==4.0.0
cat > run.py <<'PY'
import jiwer

rates = [jiwer.wer(reference, "a b") for reference in ("a\tb", "a\nb", "a  b")]
swapped = jiwer.SubstituteWords({"a": "b", "b": "a"})("a b")
print(f"tab {rates[0]}, line break {rates[1]}, two spaces {rates[2]}; swapped 'a b' -> {swapped!r}")
assert rates == [2, 2, 0] and swapped == "a a", "the behaviour has changed"
PY
venv/bin/python run.py
