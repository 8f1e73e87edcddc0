"""Weights of a network as safetensors files."""

from pathlib import Path

from torch import Tensor

from sluice_core.files import CheckpointError, write_atomic, write_bytes


def save_weights(path: Path, weights: dict[str, Tensor], facts: dict[str, str] | None = None) -> None:
    """Write tensors atomically as safetensors, with `facts` as its metadata."""
    from safetensors.torch import save

    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, facts)
    write_atomic(path, lambda temporary: write_bytes(temporary, data))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors from a safetensors file.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise CheckpointError(
            f"{path}: no weights there. Is {path.parent} a run directory, and has its training finished an epoch?"
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a safetensors file, or damaged: {error}") from error
