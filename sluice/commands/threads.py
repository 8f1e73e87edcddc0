"""How many CPU threads an operation may use."""


def set_threads(count: int) -> None:
    """Set torch's intra-op threads; 0 leaves torch's choice."""
    if count > 0:
        import torch

        torch.set_num_threads(count)
