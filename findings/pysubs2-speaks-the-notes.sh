#!/usr/bin/env bash
# pysubs2 1.8.1 and webvtt-py 0.6.0: comments and style sheets of a WebVTT file become words that were spoken.
#
# Expected: NOTE and STYLE blocks, which the format has for people and browsers, are skipped, and character references
# (&amp;) are resolved, by libraries that read the format and offer plain text.
# Seen: pysubs2 appends each block to the cue before it ("first NOTE check this word"). Both libraries leave "&amp;" as it is,
# though both strip tags: a transcript for training gets the words "amp", "lt" and "gt".
# Output seen: pysubs2 'first\n\nNOTE check this word' | 'second\n\nSTYLE\n::cue ' | 'this &amp; that'; webvtt-py 'first' | 'second' | 'this &amp; that'
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet pysubs2==1.8.1 webvtt-py==0.6.0
cat > run.py <<'PY'
import pysubs2
import webvtt

text = """WEBVTT

00:00:01.000 --> 00:00:02.000
first

NOTE check this word

00:00:03.000 --> 00:00:04.000
second

STYLE
::cue { color: red }

00:00:05.000 --> 00:00:06.000
<b>this &amp; that</b>
"""
first = [event.plaintext for event in pysubs2.SSAFile.from_string(text)]
second = [caption.text for caption in webvtt.from_string(text)]
print("pysubs2", " | ".join(map(repr, first)) + "; webvtt-py", " | ".join(map(repr, second)))
assert first == ["first\n\nNOTE check this word", "second\n\nSTYLE\n::cue ", "this &amp; that"], "the behaviour has changed"
assert second == ["first", "second", "this &amp; that"], "the behaviour has changed"
PY
venv/bin/python run.py
