"""The synthesizers, each in a file of its own behind one protocol (`asr.synthesis.engines.protocol.Engine`)."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from asr.synthesis.engines.protocol import Engine
from asr.synthesis.speech import EngineError

CLASSES = {
    "espeak": "Espeak",
    "hibari": "Hibari",
    "piper": "Piper",
    "kokoro": "Kokoro",
    "pico": "Pico",
    "flite": "Flite",
    "festival": "Festival",
}

VOICE_SUFFIXES = {".onnx": "Piper", ".bin": "Kokoro"}
"""The files of voices that can be named, and the engines that take them."""

Wanted = str | Sequence[str]
"""An engine or several, by name; or "auto": those installed that pip alone can install; or "all" that are installed."""


def make_engine(name: str, voice_files: Sequence[Path] = ()) -> Engine:
    """Return the engine of a name, whether it is installed or not.

    Args:
        name: A key of `CLASSES`.
        voice_files: Files of voices, or folders of them: .onnx for Piper, .bin for Kokoro.

    Raises:
        EngineError: there is no such engine, or no engine takes one of the files.
    """
    if name not in CLASSES:
        raise EngineError(f"there is no synthesizer {name!r}; there are {', '.join(CLASSES)}")
    made: Any = getattr(import_module(f"asr.synthesis.engines.{name}"), CLASSES[name])
    engine: Engine = made(
        [path for path in find_voice_files(voice_files) if path.suffix == made.voice_suffix]
    )
    return engine


def find_voice_files(paths: Sequence[Path]) -> list[Path]:
    """Return files of voices: those that are named, and those in folders that are named.

    Raises:
        EngineError: there is no such file, none in a folder, or no engine takes files of its kind.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        inside = (
            sorted(file for file in path.iterdir() if file.suffix in VOICE_SUFFIXES)
            if path.is_dir()
            else [path]
        )
        if not inside or not path.exists() or inside[0].suffix not in VOICE_SUFFIXES:
            kinds = ", ".join(f"{suffix} for {engine}" for suffix, engine in VOICE_SUFFIXES.items())
            raise EngineError(f"{path}: no file or folder of voices: there are {kinds}")
        files += inside
    return files


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
    names = [wanted] if isinstance(wanted, str) else dict.fromkeys(wanted)
    named = [make_engine(name, voice_files) for name in names]
    for engine in named:
        if reason := engine.available():
            raise EngineError(reason)
        if not any(engine.voices(language).values()):
            raise EngineError(f"{engine.name} has no voice for the language {language!r}; see sluice voices")
    return named
