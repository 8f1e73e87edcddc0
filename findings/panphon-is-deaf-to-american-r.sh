#!/usr/bin/env bash
# panphon 0.22.2 with phonemizer 3.4.0 (espeakng-loader 0.2.4): "act" and "actor", spoken in American English, sound the same.
#
# Expected: what espeak writes is IPA, and a phonetic distance between two words that differ in a vowel is above zero;
# a letter that the table of features lacks raises an error.
# Seen: the r-coloured vowels of American English (and espeak's barred i) are not in panphon's table, and letters that are
# not there are dropped without a word: the distance of drive and driver, and of "bird" and "bd", is 0.
# Output seen: act ækt, actor æktɚ: 0.0; drive dɹaɪv, driver dɹaɪvɚ: 0.0; bat bæt, bad bæd: 0.25; segments of bɝd: b d
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet panphon==0.22.2 phonemizer==3.4.0 espeakng-loader==0.2.4
cat > run.py <<'PY'
import espeakng_loader
import panphon
import panphon.distance
from phonemizer import phonemize
from phonemizer.backend.espeak.wrapper import EspeakWrapper

EspeakWrapper.set_library(espeakng_loader.get_library_path())
EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
distance = panphon.distance.Distance()
distances, shown = [], []
for words in (("act", "actor"), ("drive", "driver"), ("bat", "bad")):
    first, second = phonemize(list(words), language="en-us", strip=True)
    distances.append(float(distance.weighted_feature_edit_distance(first, second)))
    shown.append(f"{words[0]} {first}, {words[1]} {second}: {distances[-1]}")
segments = panphon.FeatureTable().ipa_segs("b\u025dd")
print("; ".join(shown) + "; segments of b\u025dd: " + " ".join(segments))
assert distances[:2] == [0, 0] and distances[2] > 0 and segments == ["b", "d"], "the behaviour has changed"
PY
venv/bin/python run.py 2>/dev/null
