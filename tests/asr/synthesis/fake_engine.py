"""An engine for tests: a tone for each letter, at once and without installation."""

from pathlib import Path
from random import Random

import numpy as np

from asr.synthesis.engines.protocol import NO_VOICES, VoicesBySplit, unsayable_in_ascii
from asr.synthesis.speech import EngineError, Speech

RATE = 8000


class FakeEngine:
    """Says each letter as a tone of its own for `seconds`, at a pace that the seed draws."""

    licence = "none"
    install = "make a wish"
    by_pip = True
    neural = False
    cpu_seconds = 0.001
    voice_suffix = ""

    def __init__(
        self,
        name: str = "fake",
        voices: VoicesBySplit | None = None,
        seconds: float = 0.08,
        reason: str | None = None,
    ) -> None:
        self.name = name
        self.cast = voices or {"train": ("a", "b", "c"), "dev": ("d",), "test": ("e",)}
        self.seconds = seconds
        self.reason = reason
        self.said: list[tuple[str, str, int, float]] = []

    def available(self) -> str | None:
        return self.reason

    def version(self) -> str:
        return "1"

    def files(self) -> list[Path]:
        return []

    def voices(self, language: str) -> VoicesBySplit:
        return self.cast if language == "en" else NO_VOICES

    def unsayable(self, text: str) -> str:
        return unsayable_in_ascii(text)

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        if not any(voice in names for names in self.cast.values()):
            raise EngineError(f"{self.name} has no voice {voice!r}")
        self.said.append((text, voice, seed, pace))
        length = int(RATE * self.seconds * Random(seed).uniform(0.9, 1.1) / pace)
        tones = [
            np.sin(np.arange(length) * (0.2 + ord(letter) % 26 / 30)) for letter in text if letter != " "
        ]
        return Speech(np.concatenate(tones).astype(np.float32), RATE, None)
