#!/usr/bin/env bash
# hassil 3.13.0 (the sentence templates of Home Assistant): a number in digits is a float, the same in words an int.
#
# Expected: a range of whole numbers gives whole numbers, the same for "twenty one" and "21", as recognizers without and
# with inverse text normalization write it.
# Seen: 21 for words, 21.0 for digits. They are equal until they are printed, written to JSON or put into a name.
# Output seen: twenty one -> 21, 21 -> 21.0
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet hassil==3.13.0
cat > run.py <<'PY'
from hassil import Intents, recognize

intents = Intents.from_dict({
    "language": "en",
    "intents": {"Volume": {"data": [{"sentences": ["volume {level}"]}]}},
    "lists": {"level": {"range": {"from": 0, "to": 100}}},
})
values = [recognize(f"volume {text}", intents).entities["level"].value for text in ("twenty one", "21")]
print(f"twenty one -> {values[0]}, 21 -> {values[1]}")
assert [repr(value) for value in values] == ["21", "21.0"], "the behaviour has changed"
PY
venv/bin/python run.py
