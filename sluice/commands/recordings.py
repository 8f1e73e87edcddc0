"""Options and files that commands on recordings share: audio files, batch size, hot words."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from sluice.commands.options import whole_number
from sluice_core.errors import UserError

DEFAULT_BOOST = 3.0


class Recordings:
    """The audio files of a command line. A bad file is reported on stderr and does not stop the others."""

    def __init__(self, names: list[str]) -> None:
        """Find the files.

        Args:
            names: files, directories and patterns.
        """
        from asr.audio.reading import AudioError, find_audio

        self.failures: list[object] = []
        """What could not be found or read so far."""
        self.paths: list[Path] = []
        for name in names:  # one by one: a name that matches nothing must not stop the others
            try:
                self.paths += find_audio([name])
            except AudioError as error:
                self.fail(name, error)

    def fail(self, source: object, error: Exception) -> None:
        """Report on stderr what is wrong with a recording, and remember it."""
        self.failures.append(source)
        print(f"sluice: {error}", file=sys.stderr)

    def tracked(self, description: str, *, quiet: bool) -> Iterator[Path]:
        """Yield the files, with a progress bar if there are several."""
        from sluice_core.progress import track

        return track(self.paths, description, quiet=quiet or len(self.paths) < 2)


def add_recordings(parser: argparse.ArgumentParser) -> None:
    """Add the audio files, `--batch-size` and `--hot-word`."""
    parser.add_argument(
        "audio", nargs="+", metavar="FILE", help="audio file, directory, or quoted pattern such as '*.wav'"
    )
    parser.add_argument(
        "--batch-size",
        type=whole_number(1),
        default=16,
        metavar="N",
        help="recordings per batch, at most (default: 16)",
    )
    parser.add_argument(
        "--hot-word",
        action="append",
        default=[],
        metavar="PHRASE[=BOOST]",
        help="contextual biasing: favour this word or phrase; may be repeated (the boost is added to the natural log "
        f"of its score; default: {DEFAULT_BOOST:g})",
    )


def parse_hot_words(given: list[str]) -> dict[str, float]:
    """Convert the values of `--hot-word` to phrases with their boosts.

    Example:
        >>> parse_hot_words(["taipei", "oslo=5"])
        {'taipei': 3.0, 'oslo': 5.0}

    Raises:
        UserError: a boost is not a number.
    """
    found: dict[str, float] = {}
    for item in given:
        phrase, equals, boost = item.partition("=")
        try:
            found[phrase.strip()] = float(boost) if equals else DEFAULT_BOOST
        except ValueError:
            raise UserError(f"--hot-word {item!r}: the boost {boost!r} is not a number") from None
    return found
