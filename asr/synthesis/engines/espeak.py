"""espeak-ng as an engine: formant synthesis in a hundred languages, with the times of words; fast, and robotic."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from random import Random

from asr.synthesis.engines.protocol import NO_VOICES, VoicesBySplit, unsayable_symbols
from asr.synthesis.espeak import INSTALL, synthesizer
from asr.synthesis.espeak_voices import own_voice, vary, voices_of
from asr.synthesis.speech import EngineError, Speech


class Espeak:
    """espeak-ng, through the package `espeakng-loader`."""

    name = "espeak"
    licence = "GPL-3.0-or-later"
    install = INSTALL
    by_pip = True
    neural = False
    cpu_seconds = 0.015
    voice_suffix = ""

    def __init__(self, voice_files: Sequence[Path] = ()) -> None:
        """Take no voices by path: it has its own."""

    def available(self) -> str | None:
        """Return None if it can speak here, else the reason why not."""
        if find_spec("espeakng_loader") is None:
            return f"espeak-ng is not available: install it with {INSTALL}"
        return None

    def version(self) -> str:
        """Return the version of its package."""
        return f"espeakng-loader {version('espeakng-loader')}"

    def files(self) -> list[Path]:
        """Return none: its voices come with it."""
        return []

    def voices(self, language: str) -> VoicesBySplit:
        """Return variants of the accents of a language; dev and test have the same accents and other variants."""
        if self.available():
            return NO_VOICES
        return {
            "train": tuple(voice.name for voice in voices_of("train", language)),
            "dev": tuple(voice.name for voice in voices_of("dev", language)),
            "test": tuple(voice.name for voice in voices_of("test", language)),
        }

    def unsayable(self, text: str) -> str:
        """Return symbols: letters of every script are read or spelled."""
        return unsayable_symbols(text)

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        """Say a text, with the times of its words.

        Raises:
            EngineError: espeak-ng is not installed, has no such voice, or finds nothing to say.
        """
        if reason := self.available():
            raise EngineError(reason)
        return synthesizer().synthesize(text, vary(own_voice(voice), Random(seed), pace))
