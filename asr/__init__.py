"""From audio to text: features, acoustic model, CTC, decoding, and the `Transcriber` that uses them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asr.transcriber import Transcriber as Transcriber
    from asr.transcript import Transcript as Transcript

__all__ = ["Transcriber", "Transcript"]


def __getattr__(name: str) -> Any:
    # Importing asr.audio.reading alone must not cost the second that torch takes.
    if name in __all__:
        from asr import transcriber

        return getattr(transcriber, name)
    raise AttributeError(f"module 'asr' has no attribute {name!r}")
