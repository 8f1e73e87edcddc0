#!/usr/bin/env bash
# onnx 1.23.2, MelWeightMatrix (the same in onnxruntime 1.32.0): of 80 mel filters several are one and the same.
#
# Expected: 80 bands are 80 different triangles whose corners lie between the bins of the transform, as torchaudio and
# librosa compute them, and the bin of 0 Hz, where there is only offset, has no weight.
# Seen: the operator rounds the corners down to bins. At 16 kHz and 400 bins (Whisper's analysis) 26 bands are one single
# bin of weight 1, and neighbours share it: features that repeat; the first band is 0 Hz. A network exported with its front
# end hears other features than it was trained with, where voices have their pitch.
# Output seen: 80 bands of 400 bins: 75 different, 26 of one bin, weight at 0 Hz 1.0; 40 bands of 512 bins: 40 different, 1 of one bin, weight at 0 Hz 0.0
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def filters(bands: int, bins: int) -> np.ndarray:
    values = {"bands": np.int64(bands), "bins": np.int64(bins), "rate": np.int64(16000), "low": np.float32(0), "high": np.float32(8000)}
    node = helper.make_node("MelWeightMatrix", list(values), ["weights"])
    output = helper.make_tensor_value_info("weights", TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph([node], "mel", [], [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (weights,) = ReferenceEvaluator(model).run(None, {})
    (runtime,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {})
    assert np.allclose(weights, runtime), "the behaviour has changed"
    return weights.T


seen = {}
for bands, bins in ((80, 400), (40, 512)):
    weights = filters(bands, bins)
    seen[f"{bands} bands of {bins} bins"] = (
        len(np.unique(weights, axis=0)), int(((weights > 0).sum(1) == 1).sum()), float(weights[:, 0].max())
    )
print("; ".join(f"{name}: {different} different, {one} of one bin, weight at 0 Hz {first}"
                for name, (different, one, first) in seen.items()))
assert list(seen.values()) == [(75, 26, 1.0), (40, 1, 0.0)], "the behaviour has changed"
PY
venv/bin/python run.py
