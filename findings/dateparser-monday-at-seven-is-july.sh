#!/usr/bin/env bash
# dateparser 1.5.0: an hour without "o'clock" or "p m" is a month, or the time that it is now.
#
# Expected: "tomorrow at 7" is tomorrow at 7:00 (or 19:00), "monday at 7" a Monday, "at five" a time of day, or all are None.
# Seen: a bare number is dropped, or else it is a month: "tomorrow at 7" keeps the present time of day, "monday at 7" is the
# first of July, a Wednesday. "an" alone is the first of January. A duration without "in" lies in the past.
# Output seen: tomorrow at 7: 2026-12-02 12:30 | monday at 7: 2026-07-01 00:00 | at five: 2026-05-01 00:00 | an: 2026-01-01 00:00 | twenty minutes: 2026-12-01 12:10 | in twenty minutes: 2026-12-01 12:50
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet dateparser==1.5.0
cat > run.py <<'PY'
from datetime import datetime

import dateparser

settings = {"RELATIVE_BASE": datetime(2026, 12, 1, 12, 30)}
said = {
    "tomorrow at 7": "2026-12-02 12:30",
    "monday at 7": "2026-07-01 00:00",
    "at five": "2026-05-01 00:00",
    "an": "2026-01-01 00:00",
    "twenty minutes": "2026-12-01 12:10",
    "in twenty minutes": "2026-12-01 12:50",
}
heard = {text: f"{dateparser.parse(text, languages=['en'], settings=settings):%Y-%m-%d %H:%M}" for text in said}
print(" | ".join(f"{text}: {time}" for text, time in heard.items()))
assert heard == said, "the behaviour has changed"
PY
venv/bin/python run.py
