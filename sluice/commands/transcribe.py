"""Transcribe audio files, directories and patterns with a trained recognizer."""

import argparse
import json
import sys
from pathlib import Path

from sluice.commands.options import add_json, add_model, add_quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "audio", nargs="+", metavar="FILE", help="audio file, directory, or pattern in quotes"
    )
    parser.add_argument("--batch-size", type=int, default=16, help="most recordings at once (default: 16)")
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print each transcript as it is ready; a bad file is named on stderr, and the exit code is then 1."""
    from asr.audio import AudioError, find_audio
    from asr.transcriber import Transcriber
    from training.machine import set_threads
    from training.progress import track

    set_threads(options.threads)
    transcriber = Transcriber.load(options.model, options.device)
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

    shown = track(paths, "transcribing", quiet=options.quiet or len(paths) < 2)
    for transcript in transcriber.transcribe_many(shown, batch_size=options.batch_size, on_error=on_error):
        if options.json:
            print(json.dumps(transcript.to_dict(), ensure_ascii=False), flush=True)
        elif len(paths) == 1:
            print(transcript.text)
        else:
            print(f"{transcript.source}\t{transcript.text}", flush=True)
    if failures and paths:
        print(f"sluice: {len(failures)} could not be transcribed", file=sys.stderr)
    return 1 if failures else 0
