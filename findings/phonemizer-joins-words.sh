#!/usr/bin/env bash
# phonemizer 3.4.0 with espeakng-loader 0.2.4, English: there are fewer words in the phonemes than in the text.
#
# Expected: with a separator for words each word of the text has its phonemes between two of them, so that words and
# phonemes can be zipped for a lexicon or an alignment; a list of n texts gives n results.
# Seen: espeak speaks "of the", "in the", "for the", "out of" and "has been" as one word each, and "1984" as three, and the
# separators follow what it speaks: every pair behind that place is off by one. Empty texts are missing from the list of
# results, which shifts it as well.
# Output seen: of the lamp 3 -> 2, out of the way 4 -> 3, he has been there 4 -> 3, set it to 1984 4 -> 6; 3 texts of which one is empty -> 2
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet phonemizer==3.4.0 espeakng-loader==0.2.4
cat > run.py <<'PY'
import espeakng_loader
from phonemizer import phonemize
from phonemizer.backend.espeak.wrapper import EspeakWrapper
from phonemizer.separator import Separator

EspeakWrapper.set_library(espeakng_loader.get_library_path())
EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
separator = Separator(phone=" ", word="|")
counts = {}
for text in ("of the lamp", "out of the way", "he has been there", "set it to 1984"):
    spoken = phonemize(text, language="en-us", separator=separator, strip=True)
    counts[text] = (len(text.split()), len(spoken.split("|")))
texts = len(phonemize(["lamp", "", "door"], language="en-us", separator=separator, strip=True))
print(", ".join(f"{text} {before} -> {after}" for text, (before, after) in counts.items()), end="; ")
print(f"3 texts of which one is empty -> {texts}")
assert list(counts.values()) == [(3, 2), (4, 3), (4, 3), (4, 6)] and texts == 2, "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
