"""Feed a recurrent stack chunk by chunk, as a stream comes, and get what the whole would give.

python examples/stream_a_stack.py lstm
"""

import argparse

import torch

from sluice_cells import CELLS, Stack

CHUNK_STEPS = 16


def main(arguments: list[str] | None = None) -> None:
    """Compare the outputs of chunks with those of the whole."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cell", nargs="?", default="lstm", choices=sorted(CELLS), help="default: lstm")
    options = parser.parse_args(arguments)

    torch.manual_seed(0)
    stack = Stack(options.cell, input_size=8, hidden_size=32, layers=2, engine="reference").eval()
    inputs = torch.randn(1, 100, 8)
    state, pieces = None, []
    with torch.no_grad():
        for chunk in inputs.split(CHUNK_STEPS, dim=1):
            outputs, state = stack(chunk, state=state)  # the state of one chunk is the start of the next
            pieces.append(outputs)
        whole, _ = stack(inputs)
    difference = (torch.cat(pieces, 1) - whole).abs().max().item()
    print(f"{len(pieces)} chunks, largest difference from the whole {difference:.1e}")


if __name__ == "__main__":
    main()
