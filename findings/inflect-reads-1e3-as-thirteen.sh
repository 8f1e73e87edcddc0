#!/usr/bin/env bash
# inflect 7.6.0: number_to_words speaks any text, by what is left of it when all but the digits is gone.
#
# Expected: a text that is no number ("12:30", "1/2", "half past 7") is refused or kept, and "1e3", which is one for
# Python, is a thousand, as float("1e3") is.
# Seen: "1e3" is thirteen, "1/2" twelve, "12:30" one thousand, two hundred and thirty; a text without digits is zero. A
# normalizer that tries every word and catches errors never meets one.
# Output seen: '1e3' thirteen | '1/2' twelve | '12:30' one thousand, two hundred and thirty | 'half past 7' seven | 'lamp' zero
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet inflect==7.6.0
cat > run.py <<'PY'
import inflect

said = {"1e3": "thirteen", "1/2": "twelve", "12:30": "one thousand, two hundred and thirty", "half past 7": "seven", "lamp": "zero"}
words = {text: inflect.engine().number_to_words(text) for text in said}
print(" | ".join(f"{text!r} {spoken}" for text, spoken in words.items()))
assert words == said, "the behaviour has changed"
PY
venv/bin/python run.py
