"""Large float32 products of matrices on a CPU, each by the library that is fastest on this machine.

torch's own product goes to MKL, which gives processors of other makers half of what they can do; oneDNN, which torch
has too, and our own compiled product do not. None is the fastest for all shapes, so it is measured once for each kind
of product, and kept (`sluice_cells.products.choices`).
"""

from sluice_cells.products.choices import MODES, fixed_in
from sluice_cells.products.dispatch import Linear, gradient_of_weight, linear

__all__ = ["MODES", "Linear", "fixed_in", "gradient_of_weight", "linear"]
