#!/usr/bin/env bash
# parsedatetime 2.6: durations in words become shorter or longer than what was said, without a sign.
#
# Expected: "in half an hour" is 30 minutes from now, "in twenty five minutes" 25; what is not understood gives status 0.
# Seen: it finds a piece that it knows and drops the words before or behind it: "an hour", "five minutes". The status is 2
# (a time was found) in all cases. With digits ("in 25 minutes") all is as expected.
# Output seen: in half an hour 60, in a quarter of an hour 60, in twenty five minutes 5, forty five minutes 5, in an hour and a half 60, in 25 minutes 25
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet parsedatetime==2.6
cat > run.py <<'PY'
from datetime import datetime

import parsedatetime

now = datetime(2026, 12, 1, 12, 30)
said = {"in half an hour": 60, "in a quarter of an hour": 60, "in twenty five minutes": 5, "forty five minutes": 5,
        "in an hour and a half": 60, "in 25 minutes": 25}
heard = {}
for text in said:
    time, status = parsedatetime.Calendar().parseDT(text, now)
    assert int(status) == 2, "the behaviour has changed"
    heard[text] = round((time - now).total_seconds() / 60)
print(", ".join(f"{text} {minutes}" for text, minutes in heard.items()))
assert heard == said, "the behaviour has changed"
PY
venv/bin/python run.py
