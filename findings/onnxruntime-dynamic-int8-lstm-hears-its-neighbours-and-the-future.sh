#!/usr/bin/env bash
# onnxruntime 1.32.0, quantize_dynamic: what one sequence gives depends on its neighbours in the batch, and on its future.
#
# Expected: "dynamic" quantization scales activations while they are computed, each sequence (or row, as PyTorch's and many
# kernels do) by its own range: a sequence has the same result in any batch, and an LSTM that reads forward gives for the
# first half of a sequence what it gives for that half alone.
# Seen: one scale for the whole tensor, batch and time together, in MatMul, Conv and LSTM alike. Beside a neighbour
# thirty times as loud, a quiet sequence's outputs move by 18 to 38 per cent of their largest value; and a loud end moves
# the outputs of the quiet beginning before it. In float32 neither changes anything. Recordings of different levels in one
# server batch, or a chunk with a door slam at its end, are recognized differently from each alone.
# Output seen: float32: MatMul 0.00 Conv 0.00 LSTM 0.00 LSTM before a loud end 0.00; int8: MatMul 0.18 Conv 0.20 LSTM 0.38 LSTM before a loud end 0.38
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6
cat > run.py <<'PY'
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from onnxruntime.quantization import QuantType, quantize_dynamic

random, units = np.random.default_rng(0), 32


def weights(name, *shape):
    return numpy_helper.from_array((0.2 * random.standard_normal(shape)).astype(np.float32), name)


def save(name, node, constants):
    ends = [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in "xy"]
    graph = helper.make_graph([node], name, ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), f"float32-{name}.onnx")
    quantize_dynamic(f"float32-{name}.onnx", f"int8-{name}.onnx", weight_type=QuantType.QInt8)


save("MatMul", helper.make_node("MatMul", ["x", "w"], ["y"]), [weights("w", 40, 30)])
save("Conv", helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1]), [weights("w", 8, 40, 3)])
save("LSTM", helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=units),
     [weights("w", 1, 4 * units, 40), weights("r", 1, 4 * units, units)])

quiet = random.standard_normal((12, 40)).astype(np.float32)
loud = 30 * random.standard_normal((12, 40)).astype(np.float32)


def moved(kind, name, after=False):
    """By how much the quiet sequence's outputs move, beside the loud one or with it after them."""
    network = InferenceSession(f"{kind}-{name}.onnx", providers=["CPUExecutionProvider"])
    shape = (lambda each: each.T) if name == "Conv" else (lambda each: each)
    batch = 1 if name == "LSTM" else 0

    def outputs(*sequences):
        (result,) = network.run(None, {"x": np.stack([shape(each) for each in sequences], batch)})
        return result[:12, 0, 0] if name == "LSTM" else result[0]

    alone = outputs(quiet)
    other = outputs(np.concatenate([quiet, loud])) if after else outputs(quiet, loud)
    return np.abs(other - alone).max() / np.abs(alone).max()


lines = []
for kind in ("float32", "int8"):
    found = {name: moved(kind, name) for name in ("MatMul", "Conv", "LSTM")}
    found["LSTM before a loud end"] = moved(kind, "LSTM", after=True)
    lines.append(f"{kind}: " + " ".join(f"{name} {share:.2f}" for name, share in found.items()))
    changed = [share > 0.1 for share in found.values()]
    assert all(changed) if kind == "int8" else max(found.values()) < 1e-5, "the behaviour has changed"
print("; ".join(lines))
PY
venv/bin/python run.py
