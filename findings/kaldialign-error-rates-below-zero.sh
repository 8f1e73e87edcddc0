#!/usr/bin/env bash
# kaldialign 0.12.0: the confidence interval of a word error rate reaches below zero.
#
# Expected: a bootstrap gives the percentiles of resampled error rates, which lie between the best and the worst of them;
# the interval of a recognizer with one error in 200 words starts at 0.
# Seen: the bounds are mean and 1.96 standard deviations: symmetrical, and negative for good recognizers and small test sets,
# where one wants the interval most.
# Output seen: 1 error in 200 words: -0.004 to 0.014
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet kaldialign==0.12.0
cat > run.py <<'PY'
import kaldialign

references = [["a"] * 10] * 20
hypotheses = [["a"] * 10] * 19 + [["a"] * 9 + ["b"]]
interval = kaldialign.bootstrap_wer_ci(references, hypotheses)
print(f"1 error in 200 words: {interval['ci95min']:.3f} to {interval['ci95max']:.3f}")
assert interval["ci95min"] < -0.001 and interval["ci95max"] < 0.03, "the behaviour has changed"
PY
venv/bin/python run.py
