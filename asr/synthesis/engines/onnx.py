"""Run ONNX models on one thread, so that as many processes as processors can speak beside each other."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

INSTALL = "pip install 'sluice-speech[voices]'"
NOISE_SEED = 17  # of the random numbers that models draw themselves


def missing(*modules: str) -> list[str]:
    """Return the modules that are not installed."""
    return [module for module in modules if find_spec(module) is None]


def make_session(model: Path | bytes) -> "InferenceSession":
    """Return a session for a model, from its file or its bytes; what it draws at random begins anew."""
    import onnxruntime

    onnxruntime.set_seed(NOISE_SEED)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    return onnxruntime.InferenceSession(
        str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
    )
