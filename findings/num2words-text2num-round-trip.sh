#!/usr/bin/env bash
# num2words 0.5.14 and text2num 3.1.0, English: a number that one writes in words the other reads as several.
#
# Expected: alpha2digit(num2words(n)) is n, as people who make spoken training texts with one and check them with the
# other take for granted.
# Seen: num2words puts a comma behind thousands and millions ("one thousand, one hundred"), at which text2num parts
# numbers: of 1100 it makes "1000, 100". Up to 999, and where "and" follows the thousands (2001), the trip succeeds.
# Output seen: 1000, 100 | 1000, 984 | 2001 | 1000000, 234000, 567; 900 of 1000 from 1000 to 1999 come back as another number
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet num2words==0.5.14 text2num==3.1.0
cat > run.py <<'PY'
from num2words import num2words
from text_to_num import alpha2digit


def trip(number: int) -> str:
    return alpha2digit(num2words(number), "en")


shown = [trip(number) for number in (1100, 1984, 2001, 1234567)]
lost = sum(trip(number) != str(number) for number in range(1000, 2000))
print(" | ".join(shown) + f"; {lost} of 1000 from 1000 to 1999 come back as another number")
assert shown == ["1000, 100", "1000, 984", "2001", "1000000, 234000, 567"], "the behaviour has changed"
assert lost == 900 and all(trip(number) == str(number) for number in range(10, 1000)), "the behaviour has changed"
PY
venv/bin/python run.py
