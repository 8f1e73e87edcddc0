"""The synthesizers, each in a file of its own behind one protocol (`asr.synthesis.engines.protocol.Engine`)."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

from asr.synthesis.engines.protocol import Engine
from asr.synthesis.speech import EngineError

CLASSES = {
    "espeak": "Espeak",
    "piper": "Piper",
    "kokoro": "Kokoro",
    "pico": "Pico",
    "flite": "Flite",
    "festival": "Festival",
}

Wanted = Literal["auto", "all"] | Sequence[str]
"""Engines by name; or "auto": those installed that pip alone can install; or "all" that are installed."""


def make_engine(name: str, voice_files: Sequence[Path] = ()) -> Engine:
    """Return the engine of a name, whether it is installed or not.

    Args:
        name: A key of `CLASSES`.
        voice_files: Voices by path: ONNX files for Piper.

    Raises:
        EngineError: there is no such engine; lists those that there are.
    """
    if name not in CLASSES:
        raise EngineError(f"there is no synthesizer {name!r}; there are {', '.join(CLASSES)}")
    module = import_module(f"asr.synthesis.engines.{name}")
    engine: Engine = getattr(module, CLASSES[name])(voice_files)
    return engine


def all_engines(voice_files: Sequence[Path] = ()) -> list[Engine]:
    """Return every engine, installed or not."""
    return [make_engine(name, voice_files) for name in CLASSES]


def choose_engines(wanted: Wanted, language: str, voice_files: Sequence[Path] = ()) -> list[Engine]:
    """Return the engines that shall speak a language.

    Raises:
        EngineError: an engine that was named is missing or does not speak the language, or none is left; the message
            says why, and how to install what.
    """
    if wanted == "auto" or wanted == "all":
        engines = [engine for engine in all_engines(voice_files) if engine.by_pip or wanted == "all"]
        reasons = [engine.available() for engine in engines]
        found = [
            engine
            for engine, reason in zip(engines, reasons, strict=True)
            if reason is None and engine.voices(language)["train"]
        ]
        if not found:
            missing = "; ".join(reason for reason in reasons if reason)
            raise EngineError(
                f"no synthesizer speaks {language!r} here"
                + (f": {missing}" if missing else "; see sluice voices")
            )
        return found
    named = [make_engine(name, voice_files) for name in dict.fromkeys(wanted)]
    for engine in named:
        if reason := engine.available():
            raise EngineError(reason)
        if not any(engine.voices(language).values()):
            raise EngineError(f"{engine.name} has no voice for the language {language!r}; see sluice voices")
    return named
