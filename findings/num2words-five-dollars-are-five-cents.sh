#!/usr/bin/env bash
# num2words 0.5.14, English: five dollars are five cents where the amount is an int.
#
# Expected: 5 and 5.0 are the same amount of money, as they are the same number for everything else that the function does.
# Seen: with to="currency" an int counts the smallest coin, a float or a text the big one: of amounts whose types are mixed
# (JSON gives 5 and 5.5, a slot filler 20 and 2.50) those without cents are spoken as a hundredth.
# Output seen: 5 -> zero dollars, five cents | 5.0 -> five dollars, zero cents | 100 -> one dollar, zero cents | '5' -> five dollars, zero cents
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet num2words==0.5.14
cat > run.py <<'PY'
from num2words import num2words

amounts = [5, 5.0, 100, "5"]
words = [num2words(amount, to="currency", currency="USD") for amount in amounts]
print(" | ".join(f"{amount!r} -> {text}" for amount, text in zip(amounts, words)))
assert words == [
    "zero dollars, five cents", "five dollars, zero cents", "one dollar, zero cents", "five dollars, zero cents"
], "the behaviour has changed"
PY
venv/bin/python run.py
