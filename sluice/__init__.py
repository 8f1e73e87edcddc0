"""Sluice: your own small, offline spoken-language understanding. This package is what people touch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.understanding import HeardSlot, Understander, Understanding

__all__ = ["HeardSlot", "Understander", "Understanding"]


def __getattr__(name: str) -> Any:
    """What `sluice.understanding` has, read when it is first asked for: it brings torch, which `--help` need not."""
    if name not in __all__:
        raise AttributeError(f"module 'sluice' has no attribute {name!r}")
    from sluice import understanding

    return getattr(understanding, name)
