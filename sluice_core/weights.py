"""Weights of a network as safetensors files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from sluice_core.errors import UserError
from sluice_core.files import CheckpointError, write_atomic, write_bytes


def save_weights(path: Path, weights: dict[str, Tensor], facts: dict[str, str] | None = None) -> None:
    """Write tensors atomically as safetensors, with `facts` as its metadata.

    Raises:
        CheckpointError: the file cannot be written.
    """
    from safetensors.torch import save

    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, facts)
    write_atomic(path, lambda temporary: write_bytes(temporary, data))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors from a safetensors file.

    Raises:
        CheckpointError: the file is missing or damaged, or a value in it is not finite; names the tensor.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise CheckpointError(
            f"{path}: no weights there. Is {path.parent} a run directory, and has its training finished an epoch?"
        )
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a safetensors file, or damaged: {error}") from error
    for name, tensor in weights.items():
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"{path} is damaged: the tensor {name} holds values that are not finite numbers"
            )
    return weights


@contextmanager
def refuse_mismatch(path: Path, described_by: str) -> Iterator[None]:
    """Say in words that weights do not fit, while a model is made and takes them.

    Args:
        path: the file of the weights.
        described_by: the other files of the run directory that say what the model is, as in "config.yaml".

    Raises:
        CheckpointError: what is done within raised a UserError or a RuntimeError.
    """
    try:
        yield
    except UserError as error:
        raise CheckpointError(f"{path.parent}: {described_by}: damaged: {error}") from error
    except RuntimeError as error:  # other names or sizes; or sizes beyond all memory
        raise CheckpointError(
            f"{path.parent}: {path.name} does not fit {described_by}; they come from different runs. {error}"
        ) from error
