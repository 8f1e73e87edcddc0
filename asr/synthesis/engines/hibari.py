"""Hibari as an engine: one American voice, a small network distilled from one of Kokoro's; as quick as espeak-ng.

Model and reader of English come with the package `hibari-tts` (Apache-2.0). Its other voices would be downloaded when
they first speak, and are not used.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from asr.synthesis.engines.onnx import INSTALL, missing
from asr.synthesis.engines.protocol import (
    NO_VOICES,
    VoicesBySplit,
    check_request,
    is_english,
    unsayable_symbols,
)
from asr.synthesis.speech import EngineError, Speech

if TYPE_CHECKING:
    from hibari import Hibari as Network

VOICES: VoicesBySplit = {"train": ("heart",), "dev": (), "test": ()}
PACE = (0.75, 1.25)


class Hibari:
    """The package `hibari-tts`, on ONNX Runtime."""

    name = "hibari"
    licence = "Apache-2.0"
    install = INSTALL
    by_pip = True
    neural = True
    cpu_seconds = 0.05
    voice_suffix = ""

    def __init__(self, voice_files: Sequence[Path] = ()) -> None:
        """Take no voices by path: they are for other engines."""

    def available(self) -> str | None:
        """Return None if it can speak here, else the reason why not."""
        if names := missing("hibari", "onnxruntime"):
            return f"Hibari is not available ({', '.join(names)} missing): install it with {INSTALL}"
        return None

    def version(self) -> str:
        """Return the versions of its packages."""
        return ", ".join(f"{package} {version(package)}" for package in ("hibari-tts", "onnxruntime"))

    def files(self) -> list[Path]:
        """Return none: its voices come with it."""
        return []

    def voices(self, language: str) -> VoicesBySplit:
        """Return its voice, for English; training has it."""
        return VOICES if is_english(language) and not self.available() else NO_VOICES

    def unsayable(self, text: str) -> str:
        """Return symbols: it reads letters."""
        return unsayable_symbols(text)

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        """Say a text; the seed draws the pace, and breath.

        Raises:
            EngineError: it is not installed, has no such voice, or there is nothing to say in the text.
        """
        if reason := self.available():
            raise EngineError(reason)
        check_request("Hibari", text, voice, VOICES["train"])
        speed = pace * Random(f"{seed} {voice}").uniform(*PACE)
        samples = self._network(text, speed=speed, seed=seed)
        if not samples.size:
            raise EngineError(f"there is nothing to say in {text!r}")
        return Speech(samples, self._network.sample_rate, None)

    @cached_property
    def _network(self) -> "Network":
        from hibari import Hibari as Network

        return Network()  # the voice in the package; on one thread
