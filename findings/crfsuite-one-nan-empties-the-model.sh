#!/usr/bin/env bash
# python-crfsuite 0.9.12 (sklearn-crfsuite stands on it): one NaN among the features of a training set gives an empty model.
#
# Expected: the trainer refuses a weight that is not a number, or the attribute that it belongs to is spoilt.
# Seen: training ends at once and succeeds, a model is written that has not one feature, and the tagger gives every
# word the first label, whatever it is. One mean of an empty list in a thousand sentences is enough.
# Output seen: clean: 4 features, ['A', 'B']; one NaN in 2000 words: 0 features, ['A', 'A']
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet python-crfsuite==0.9.12
cat > run.py <<'PY'
import pycrfsuite


def train(sentences: list, name: str) -> tuple[int, list[str]]:
    trainer = pycrfsuite.Trainer(verbose=False)
    for words in sentences:
        trainer.append(words, ["A", "B"])
    trainer.train(name)
    tagger = pycrfsuite.Tagger()
    tagger.open(name)
    return len(tagger.info().state_features), tagger.tag([{"word": "a"}, {"word": "b"}])


sentences = [[{"word": "a", "energy": 1.0}, {"word": "b", "energy": 0.5}] for _ in range(1000)]
clean = train(sentences, "clean.crf")
sentences[700][0]["energy"] = float("nan")
spoilt = train(sentences, "spoilt.crf")
print(f"clean: {clean[0]} features, {clean[1]}; one NaN in 2000 words: {spoilt[0]} features, {spoilt[1]}")
assert clean == (4, ["A", "B"]) and spoilt == (0, ["A", "A"]), "the behaviour has changed"
PY
venv/bin/python run.py
