"""Sluice: small, offline spoken-language understanding that you train yourself.

This package holds what people use: the `sluice` command, the HTTP server, and `Understander`, which joins a recognizer
and a tagger.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.understanding import SpokenSlot, Understander, Understanding

__all__ = ["SpokenSlot", "Understander", "Understanding"]


def __getattr__(name: str) -> Any:
    """Import `sluice.understanding` when one of its names is first used: it imports torch, which `--help` need not."""
    if name not in __all__:
        raise AttributeError(f"module 'sluice' has no attribute {name!r}")
    from sluice import understanding

    return getattr(understanding, name)
