"""SVOX Pico as an engine: small statistical voices in six languages, one person each, as Android had them.

The package `ttspico` (Apache-2.0) is compiled when pip installs it, which needs a C compiler.
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from asr.synthesis.engines.protocol import NO_VOICES, VoicesBySplit, check_request, unsayable_symbols
from asr.synthesis.speech import EngineError, Speech

if TYPE_CHECKING:
    from ttspico import TtsEngine

INSTALL = "pip install 'sluice-speech[pico]'"
SAMPLE_RATE = 16_000
LANGUAGES = {
    "en": ("en-GB", "en-US"),
    "de": ("de-DE",),
    "es": ("es-ES",),
    "fr": ("fr-FR",),
    "it": ("it-IT",),
}
PACE_PERCENT, PITCH_PERCENT = (75, 130), (75, 125)
SLOWEST, FASTEST = 20, 500  # what Pico takes
VOLUME_PERCENT = 40  # at 100, the usual one, it clips


class Pico:
    """SVOX Pico, through the package `ttspico`."""

    name = "pico"
    licence = "Apache-2.0"
    install = INSTALL
    by_pip = True
    neural = False
    cpu_seconds = 0.03
    voice_suffix = ""

    def __init__(self, voice_files: Sequence[Path] = ()) -> None:
        """Take no voices by path: they are for other engines."""

    def available(self) -> str | None:
        """Return None if it can speak here, else the reason why not."""
        if find_spec("ttspico") is None:
            return f"Pico is not available: install it with {INSTALL}, for which pip needs a C compiler"
        return None

    def version(self) -> str:
        """Return the version of its package."""
        return f"ttspico {version('ttspico')}"

    def files(self) -> list[Path]:
        """Return none: its voices come with it."""
        return []

    def voices(self, language: str) -> VoicesBySplit:
        """Return the people that speak a language, who are too few to hold one out."""
        if self.available():
            return NO_VOICES
        family = language.replace("_", "-").split("-")[0].lower()
        return {"train": LANGUAGES.get(family, ()), "dev": (), "test": ()}

    def unsayable(self, text: str) -> str:
        """Return symbols, and letters outside of the alphabets of Western Europe."""
        foreign = {c for c in text if c.isalpha() and ord(c) > 0xFF and c != "œ"}
        return "".join(sorted(foreign | set(unsayable_symbols(text))))

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        """Say a text; the seed draws pace and pitch.

        Raises:
            EngineError: it is not installed, has no such voice, or there is nothing to say in the text.
        """
        if reason := self.available():
            raise EngineError(reason)
        check_request("Pico", text, voice, [name for names in LANGUAGES.values() for name in names])
        random = Random(f"{seed} {voice}")
        speaker = _load(voice)
        speaker.rate = round(min(max(pace * random.uniform(*PACE_PERCENT), SLOWEST), FASTEST))
        speaker.pitch = round(random.uniform(*PITCH_PERCENT))
        speaker.volume = VOLUME_PERCENT
        return Speech(np.frombuffer(speaker.speak(text), np.int16), SAMPLE_RATE, None)


@cache
def _load(voice: str) -> "TtsEngine":
    """Return Pico with a voice."""
    from ttspico import TtsEngine

    return TtsEngine(voice)
