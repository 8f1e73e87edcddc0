#!/usr/bin/env bash
# word2number 1.1: a year in words becomes a number that nobody said.
#
# Expected: "nineteen eighty four" is 1984, or 103 (added up, as "twenty twenty" is 40), or an error; words that
# make no proper number are refused, as "five thousand thousand" is.
# Seen: of three words the first two are multiplied, 19 * 80 + 4. Digits said one by one are lost or computed with: "one
# two three" is 5, "five five five five" 35, the count from six to ten 6. "minus five" is 5.
# Output seen: nineteen eighty four 1524, twenty twenty 40, one two three 5, five five five five 35, six seven eight nine ten 6, twenty one hundred 120, minus five 5
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet word2number==1.1
cat > run.py <<'PY'
from word2number import w2n

said = {"nineteen eighty four": 1524, "twenty twenty": 40, "one two three": 5, "five five five five": 35,
        "six seven eight nine ten": 6, "twenty one hundred": 120, "minus five": 5}
heard = {text: w2n.word_to_num(text) for text in said}
print(", ".join(f"{text} {number}" for text, number in heard.items()))
assert heard == said, "the behaviour has changed"
PY
venv/bin/python run.py
