"""Transcribe audio files with a trained recognizer."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.commands.options import add_alternatives, add_json, add_model, add_quiet
from sluice.commands.recordings import Recordings, add_recordings, parse_hot_words
from sluice_core.errors import UserError
from sluice_core.surrogates import escape_surrogates

if TYPE_CHECKING:
    from asr.formats import Format
    from asr.transcript import Transcript


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    add_model(parser)
    add_recordings(parser)
    parser.add_argument(
        "--format", choices=("text", "json", "srt", "vtt", "ctm"), help="output format (default: text)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write one file per recording to this folder"
    )
    add_alternatives(parser, "add up to N further transcripts of each recording (with --json)")
    parser.add_argument(
        "--greedy", action="store_true", help="decode greedily, and ignore the run's decoding.yaml"
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print each transcript as it is ready; if a file is bad, name it on stderr and return 1."""
    from asr.decoding.config import DecodingConfig
    from asr.transcriber import Transcriber
    from sluice_core.devices import set_threads

    set_threads(options.threads)
    decoding = DecodingConfig() if options.greedy else None
    transcriber = Transcriber.load(options.model, options.device, decoding)
    recordings = Recordings(options.audio)

    transcripts = transcriber.transcribe_many(
        recordings.tracked("transcribing", quiet=options.quiet),
        batch_size=options.batch_size,
        on_error=recordings.fail,
        hot_words=parse_hot_words(options.hot_word),
        alternatives=options.alternatives,
        quiet=options.quiet,
    )
    if options.output:
        _write(transcripts, options, recordings.paths)
    else:
        _print(transcripts, options, alone=len(recordings.paths) == 1)
    if recordings.failures and recordings.paths:
        print(f"sluice: {len(recordings.failures)} could not be transcribed", file=sys.stderr)
    return 1 if recordings.failures else 0


def _format(options: argparse.Namespace) -> "Format":
    return options.format or ("json" if options.json else "text")


def _print(transcripts: "Iterable[Transcript]", options: argparse.Namespace, *, alone: bool) -> None:
    from asr.formats import format_transcript

    kind = _format(options)
    separator = ""
    for transcript in transcripts:
        if kind == "json":
            print(json.dumps(transcript.to_dict(), ensure_ascii=False), flush=True)
        elif kind == "text":
            print(transcript.text if alone else f"{transcript.source}\t{transcript.text}", flush=True)
        else:
            content = format_transcript(transcript, kind)
            print(separator + content if content else "", end="", flush=True)
            if content and kind in ("srt", "vtt"):
                separator = "\n"  # a cue ends at a blank line


def _write(transcripts: "Iterable[Transcript]", options: argparse.Namespace, paths: list[Path]) -> None:
    """Write one file per recording, named like it."""
    from asr.formats import FORMATS, format_transcript
    from sluice_core.files import write_text

    kind = _format(options)
    names = [path.stem for path in paths]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(
            f"-o {options.output}: several recordings are called {', '.join(repeated[:5])}, and their files would "
            "have the same name; transcribe them to different folders"
        )
    for transcript in transcripts:
        path = options.output / (Path(transcript.source or "").stem + FORMATS[kind])
        content = format_transcript(transcript, kind)
        write_text(path, escape_surrogates(content))  # names of recordings in it may not be UTF-8
