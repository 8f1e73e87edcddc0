"""Transcribe audio files, directories and patterns with a trained recognizer."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.commands.options import add_json, add_model, add_quiet
from training.errors import UserError

if TYPE_CHECKING:
    from asr.formats import Format
    from asr.transcript import Transcript

HOT_WORD_BOOST = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "audio", nargs="+", metavar="FILE", help="audio file, directory, or pattern in quotes"
    )
    parser.add_argument("--batch-size", type=int, default=16, help="most recordings at once (default: 16)")
    parser.add_argument(
        "--format", choices=("text", "json", "srt", "vtt", "ctm"), help="what to write (default: text)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write a file for each recording into this folder"
    )
    parser.add_argument(
        "--hot-word",
        action="append",
        default=[],
        metavar="PHRASE[=BOOST]",
        help=f"listen for this; may be given more than once (boost in natural log, default: {HOT_WORD_BOOST:g})",
    )
    parser.add_argument(
        "--alternatives", type=int, default=0, metavar="N", help="so many other readings (with --json)"
    )
    parser.add_argument(
        "--greedy", action="store_true", help="decode greedily, whatever the run's decoding.yaml says"
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print each transcript as it is ready; a bad file is named on stderr, and the exit code is then 1."""
    from asr.audio import AudioError, find_audio
    from asr.config import DecodingConfig
    from asr.transcriber import Transcriber
    from training.machine import set_threads
    from training.progress import track

    set_threads(options.threads)
    decoding = DecodingConfig() if options.greedy else None
    transcriber = Transcriber.load(options.model, options.device, decoding)
    failures: list[object] = []

    def on_error(source: object, error: Exception) -> None:
        failures.append(source)
        print(f"sluice: {error}", file=sys.stderr)

    paths: list[Path] = []
    for name in options.audio:  # one at a time: a name that matches nothing must not stop the others
        try:
            paths += find_audio([name])
        except AudioError as error:
            on_error(name, error)

    transcripts = transcriber.transcribe_many(
        track(paths, "transcribing", quiet=options.quiet or len(paths) < 2),
        batch_size=options.batch_size,
        on_error=on_error,
        hot_words=hot_words(options.hot_word),
        alternatives=options.alternatives,
        quiet=options.quiet,
    )
    if options.output:
        _write(transcripts, options, paths)
    else:
        _print(transcripts, options, alone=len(paths) == 1)
    if failures and paths:
        print(f"sluice: {len(failures)} could not be transcribed", file=sys.stderr)
    return 1 if failures else 0


def hot_words(given: list[str]) -> dict[str, float]:
    """`["taipei", "oslo=5"]` to phrases with their boosts."""
    found: dict[str, float] = {}
    for item in given:
        phrase, equals, boost = item.partition("=")
        try:
            found[phrase.strip()] = float(boost) if equals else HOT_WORD_BOOST
        except ValueError:
            raise UserError(f"--hot-word {item!r}: the boost {boost!r} is not a number") from None
    return found


def _format(options: argparse.Namespace) -> "Format":
    return options.format or ("json" if options.json else "text")


def _print(transcripts: "Iterable[Transcript]", options: argparse.Namespace, *, alone: bool) -> None:
    from asr.formats import format_transcript

    kind = _format(options)
    for transcript in transcripts:
        if kind == "json":
            print(json.dumps(transcript.to_dict(), ensure_ascii=False), flush=True)
        elif kind == "text":
            print(transcript.text if alone else f"{transcript.source}\t{transcript.text}", flush=True)
        else:
            print(format_transcript(transcript, kind), end="", flush=True)


def _write(transcripts: "Iterable[Transcript]", options: argparse.Namespace, paths: list[Path]) -> None:
    """A file for each recording, named as it is."""
    from asr.formats import FORMATS, format_transcript
    from training.checkpoint import write_text

    kind = _format(options)
    names = [path.stem for path in paths]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(
            f"-o {options.output}: more than one recording is called {', '.join(repeated[:5])}; their files would "
            "have the same name: transcribe them into different folders"
        )
    for transcript in transcripts:
        path = options.output / (Path(transcript.source or "").stem + FORMATS[kind])
        write_text(path, format_transcript(transcript, kind))
