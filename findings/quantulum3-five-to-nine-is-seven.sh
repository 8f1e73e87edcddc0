#!/usr/bin/env bash
# quantulum3 0.10.0 (without its classifier): times of day become their mean, or a wave number.
#
# Expected: "at five to nine" is a time, two numbers, or nothing; "at ten a m" is ten, with or without a unit of time.
# Seen: "five to nine" is taken for a range and given as 7 (with an uncertainty of 2), though "ten to nine" is nothing; and
# "ten a m", as recognizers write it, is 10 per metre.
# Output seen: wake me at five to nine -> 7.0 dimensionless; wake me at ten to nine -> ; at ten a m -> 10.0 per metre
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet quantulum3==0.10.0
cat > run.py <<'PY'
from quantulum3 import parser

said = ["wake me at five to nine", "wake me at ten to nine", "at ten a m"]
heard = [[f"{quantity.value} {quantity.unit.name}" for quantity in parser.parse(text)] for text in said]
print("; ".join(f"{text} -> {', '.join(quantities)}" for text, quantities in zip(said, heard)))
assert heard == [["7.0 dimensionless"], [], ["10.0 per metre"]], "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
