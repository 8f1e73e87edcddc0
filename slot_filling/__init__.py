"""Slot filling: labelled sentences, the tagger's network and its heads, and the `Tagger` that uses them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slot_filling.tagger import Tagger as Tagger
    from slot_filling.tagging import Slot as Slot
    from slot_filling.tagging import Tagging as Tagging

__all__ = ["Slot", "Tagger", "Tagging"]


def __getattr__(name: str) -> Any:
    # Importing slot_filling.schemes alone must not cost the second that torch takes.
    if name == "Tagger":
        from slot_filling.tagger import Tagger

        return Tagger
    if name in __all__:
        from slot_filling import tagging

        return getattr(tagging, name)
    raise AttributeError(f"module 'slot_filling' has no attribute {name!r}")
