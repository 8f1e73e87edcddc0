"""What every corpus's reader, of speech or of text, does with its folder and its text files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sluice_core.errors import UserError


class CorpusError(UserError):
    """A corpus is not where, or not what, it was said to be; the message names the file and line."""


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 text with their numbers from 1, ends of line kept, a byte order mark dropped.

    Raises:
        CorpusError: the file cannot be read, or a line is not UTF-8; names the line.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}, line {number}: not UTF-8 text (byte {error.start + 1} of the line); "
            "save the file as UTF-8"
        ) from error


def describe_folder(folder: Path) -> str:
    """What is there, for an error message: `"it holds a, b, c and 12 more"`."""
    if not folder.exists():
        return "there is no such folder"
    if not folder.is_dir():
        return "it is a file"
    names = sorted(item.name + "/" * item.is_dir() for item in folder.iterdir())
    if not names:
        return "the folder is empty"
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"it holds {', '.join(names[:6])}{more}"


def corpus_folder(data: Path | None, corpus: str, needed: Sequence[str]) -> Path:
    """The folder of a corpus, once everything `needed` (paths in it) is there.

    Raises:
        CorpusError: no folder was named, or something is missing; says what was looked for and found.
    """
    looked_for = " and ".join(needed)
    if data is None:
        raise CorpusError(f"corpus {corpus} needs its folder (corpus.data), the one with {looked_for}")
    if all((data / path).exists() for path in needed):
        return data
    message = f"{data}: not the {corpus} corpus: looked for {looked_for}; {describe_folder(data)}"
    inside = sorted(path for path in data.glob("*/") if all((path / name).exists() for name in needed))
    raise CorpusError(message + (f"; did you mean {inside[0]}?" if inside else ""))
