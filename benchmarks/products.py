"""Compare the libraries that can multiply matrices: `python -m benchmarks.products [--threads N]`.

The products are those of a training step of the recipes ctc/an4 and slots/atis, in batches of usual length. Libraries
take turns; each round has another number of rows, as batches have in training. A figure is the fastest round of
several measurements, in GFLOP/s, with its ratio to torch's in parentheses; "taken" is what a first use would choose.
"""

import argparse
import sys
from collections import Counter

import torch
from tabulate import tabulate

from sluice_cells.products.candidates import BELOW, FORWARD, TORCH, WEIGHT
from sluice_cells.products.measuring import Kind, Measured, kind_of, measure
from sluice_core.devices import describe_machine

PRODUCTS = (FORWARD, BELOW, WEIGHT)
SHAPES: list[tuple[str, int, int, int, tuple[str, ...]]] = [
    # what, rows, inputs, outputs, which products
    ("an4: first layer", 500, 320, 768, PRODUCTS),
    ("an4: second layer", 500, 384, 768, PRODUCTS),
    ("an4: recurrent", 500, 192, 768, (WEIGHT,)),
    ("an4: output", 500, 384, 28, PRODUCTS),
    ("atis: layer", 360, 150, 800, PRODUCTS),
    ("atis: recurrent", 360, 200, 800, (WEIGHT,)),
    ("atis: output", 360, 400, 127, PRODUCTS),
    ("wide layer, long", 6400, 320, 1280, PRODUCTS),
]
REPEATS = 3


def repeated(kind: Kind) -> Measured:
    """Measure several times; return the fastest rounds of all, and what was taken most often."""
    found = [measure(kind) for _ in range(REPEATS)]
    fastest = {name: max(each.gflops[name] for each in found) for name in found[0].gflops}
    return Measured(Counter(each.taken for each in found).most_common(1)[0][0], fastest)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.products", description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    print(describe_machine())
    rows, names = [], [TORCH]
    for what, count, inputs, outputs, products in SHAPES:
        for product in products:
            kind = kind_of(product, count, inputs, outputs)
            found = repeated(kind)
            names += [name for name in found.gflops if name not in names]
            rows.append((f"{what}, {product}", f"{kind.rows} x {inputs} x {outputs}", found))
    table = [
        (what, size, *(_figure(found, name) for name in names), found.taken) for what, size, found in rows
    ]
    header = ("product", "rows x inputs x outputs", *names, "taken")
    print(tabulate(table, header, tablefmt="github", disable_numparse=True))


def _figure(found: Measured, name: str) -> str:
    if name not in found.gflops:
        return ""
    speed = found.gflops[name]
    return f"{speed:.0f}" if name == TORCH else f"{speed:.0f} ({speed / found.gflops[TORCH]:.2f})"


if __name__ == "__main__":
    main(sys.argv[1:])
