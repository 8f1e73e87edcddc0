"""Utterances that have no recordings."""

from typing import Any


def utterances(speakers: str, seconds: float = 1.0) -> list[dict[str, Any]]:
    """Return an utterance of each speaker, a letter each."""
    return [
        {"id": f"u{n}", "audio": f"{n}.wav", "text": "yes", "speaker": name, "duration_seconds": seconds}
        for n, name in enumerate(speakers)
    ]
