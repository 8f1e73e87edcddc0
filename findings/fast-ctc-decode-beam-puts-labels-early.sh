#!/usr/bin/env bash
# fast-ctc-decode 0.3.7: with default options the beam search says that a label was heard long before it was.
#
# Expected: beam_search returns, as viterbi_search does, for each label the frame in which it is emitted; on emissions that
# leave no doubt both give the same frames.
# Seen: the frame is the first in which the label was a branch of the winning beam at all, however unlikely it was there. Of
# an "A" in frame 1 and a "B" in frame 52, both at 0.985, in blanks at 0.99, the beam search puts A into frame 0 and B into
# frame 1, at 0.005 each. The text is right, so nobody looks. A beam_cut_threshold of 0.01 (the default is 0) mends this case.
# Output seen: viterbi AB [1, 52]; beam AB [0, 1]; beam with a cut AB [1, 52]
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet fast-ctc-decode==0.3.7 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
from fast_ctc_decode import beam_search, viterbi_search

probabilities = np.full((54, 3), 0.005, np.float32)
probabilities[:, 0] = 0.99
probabilities[1], probabilities[52] = (0.01, 0.985, 0.005), (0.01, 0.005, 0.985)
viterbi, beam = viterbi_search(probabilities, "-AB"), beam_search(probabilities, "-AB")
cut = beam_search(probabilities, "-AB", beam_cut_threshold=0.01)
print("viterbi", *viterbi, end="; ")
print("beam", *beam, end="; ")
print("beam with a cut", *cut)
assert viterbi == cut == ("AB", [1, 52]) and beam == ("AB", [0, 1]), "the behaviour has changed"
PY
venv/bin/python run.py
