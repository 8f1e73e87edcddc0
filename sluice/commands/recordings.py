"""What commands that listen to recordings share: which files, what goes wrong with them, what to listen for."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from sluice_core.errors import UserError

HOT_WORD_BOOST = 3.0


class Recordings:
    """The files that a person named. A bad one is told on stderr, and stops none of the others."""

    def __init__(self, names: list[str]) -> None:
        """Find them: files, directories, patterns."""
        from asr.audio.reading import AudioError, find_audio

        self.failures: list[object] = []
        """What could not be found or read, so far."""
        self.paths: list[Path] = []
        for name in names:  # one at a time: a name that matches nothing must not stop the others
            try:
                self.paths += find_audio([name])
            except AudioError as error:
                self.fail(name, error)

    def fail(self, source: object, error: Exception) -> None:
        """Tell what is wrong with a recording, and remember it."""
        self.failures.append(source)
        print(f"sluice: {error}", file=sys.stderr)

    def shown(self, what: str, *, quiet: bool) -> Iterator[Path]:
        """The files, showing how far it is if there are several."""
        from sluice_core.progress import track

        return track(self.paths, what, quiet=quiet or len(self.paths) < 2)


def add_recordings(parser: argparse.ArgumentParser) -> None:
    """Declare the files, how many at once, and `--hot-word`."""
    parser.add_argument(
        "audio", nargs="+", metavar="FILE", help="audio file, directory, or pattern in quotes"
    )
    parser.add_argument("--batch-size", type=int, default=16, help="most recordings at once (default: 16)")
    parser.add_argument(
        "--hot-word",
        action="append",
        default=[],
        metavar="PHRASE[=BOOST]",
        help=f"listen for this; may be given more than once (boost in natural log, default: {HOT_WORD_BOOST:g})",
    )


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
