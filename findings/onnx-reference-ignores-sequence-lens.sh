#!/usr/bin/env bash
# onnx 1.23.2 and onnxruntime 1.32.0: onnx's own reference computes recurrent layers as if sequence_lens were not there.
#
# Expected: `onnx.reference.ReferenceEvaluator`, which exists to check exports and runtimes against, gives what the
# standard says: a sequence of 3 frames in a batch of 5 frames has outputs of zero behind its end, its last state is that of
# frame 3, and a reverse layer starts there. An input that is not implemented is refused.
# Seen: for LSTM, GRU and RNN, forward and reverse, the input is accepted and dropped without a word; the outputs are bit for
# bit those of full lengths. onnxruntime does as the standard says. Tests with one sequence, or equal lengths, show nothing.
# Output seen: 3 frames of 5 computed as 5: reference True True True True True True; onnxruntime False False False False False False, zeros behind the end True
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

generator = np.random.default_rng(0)
batch = generator.normal(size=(5, 2, 2)).astype(np.float32)  # frames, sequences, features


def model(kind: str, gates: int, direction: str):
    shapes = {"W": (1, gates * 3, 2), "R": (1, gates * 3, 3), "B": (1, gates * 6)}
    weights = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    node = helper.make_node(kind, ["X", "W", "R", "B", "lengths"], ["Y", "Y_h"], hidden_size=3, direction=direction)
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, batch.shape),
              helper.make_tensor_value_info("lengths", TensorProto.INT32, [2])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("Y", "Y_h")]
    constants = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph([node], "layer", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


reference_same, runtime_same, zeros = [], [], True
for kind, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    for direction in ("forward", "reverse"):
        layer = model(kind, gates, direction)
        full, part = ({"X": batch, "lengths": np.array(lengths, np.int32)} for lengths in ([5, 5], [5, 3]))
        reference, session = ReferenceEvaluator(layer), onnxruntime.InferenceSession(layer.SerializeToString())
        reference_same.append(all(map(np.array_equal, reference.run(None, full), reference.run(None, part))))
        runtime_same.append(all(map(np.array_equal, session.run(None, full), session.run(None, part))))
        zeros = zeros and not session.run(None, part)[0][3:, :, 1].any()
print("3 frames of 5 computed as 5: reference", *reference_same, end="; ")
print("onnxruntime", *runtime_same, end=", ")
print("zeros behind the end", zeros)
assert all(reference_same) and not any(runtime_same) and zeros, "the behaviour has changed"
PY
venv/bin/python run.py
