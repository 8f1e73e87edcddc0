"""Every cell of the library with the options that change what it computes, for tests to go through."""

from typing import Any

from cells import CELLS

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in CELLS},
    "jordan_softmax": ("jordan", {"output": "softmax", "output_size": 5}),
    "projected_to_2": ("projected_lstm", {"projection_size": 2}),
    "clockwork_odd": ("clockwork", {"periods": (1, 3, 5)}),
    "scrn_learned": ("scrn", {"learn_decay": True, "context_size": 3}),
}
"""By a name for the test: the cell's name and its options."""
