#!/usr/bin/env bash
# samplerate 0.2.4 (a binding of libsamplerate): a stream that is resampled in blocks loses its last milliseconds.
#
# Expected: with end_of_input=True the resampler hands out what its filter still holds; the blocks then give as many samples
# as one call of `resample`, as soxr's ResampleStream does.
# Seen: a call returns no more samples than its own block has, so that what the filter held back from the first block stays
# inside for ever: 143 of 8000 samples (18 ms) for sinc_best, whether the last block is marked or an empty one follows it.
# Output seen: sinc_best 7857, sinc_medium 7954, sinc_fastest 7981, linear 8000; with an empty last block 7857, 7954, 7981, 8000; in one call 8000
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet samplerate==0.2.4 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
import samplerate

kinds = ("sinc_best", "sinc_medium", "sinc_fastest", "linear")
blocks = np.split(np.random.default_rng(0).normal(size=16000).astype(np.float32), 10)


def streamed(kind: str, blocks: list[np.ndarray]) -> int:
    resampler = samplerate.Resampler(kind, 1)
    return sum(len(resampler.process(block, 0.5, index == len(blocks) - 1)) for index, block in enumerate(blocks))


marked = [streamed(kind, blocks) for kind in kinds]
empty = [streamed(kind, [*blocks, np.zeros(0, np.float32)]) for kind in kinds]
whole = len(samplerate.resample(np.concatenate(blocks), 0.5, "sinc_best"))
print(", ".join(f"{kind} {count}" for kind, count in zip(kinds, marked)), end="; ")
print(f"with an empty last block {', '.join(map(str, empty))}; in one call {whole}")
assert marked == empty == [7857, 7954, 7981, 8000] and whole == 8000, "the behaviour has changed"
PY
venv/bin/python run.py
