"""What corpora of speech and of text share: their settings, their folders and their text files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from sluice_core.config import Settings
from sluice_core.errors import UserError


class CorpusConfig(Settings):
    """Where a corpus lies and how it is divided into train, dev and test."""

    kind: str
    data: Path | None = Field(
        None,
        description="the corpus's folder, or one file to divide; a grammar's file, or travel, the built-in one",
    )
    train: Path | None = Field(None, description="file (or folder) of the training split")
    dev: Path | None = Field(
        None, description="file (or folder) of the dev split; taken from train if not given"
    )
    test: Path | None = Field(None, description="file (or folder) of the test split, optional")
    dev_fraction: float = Field(
        0.1, gt=0, lt=1, description="share of the training speakers, utterances or sentences for dev"
    )
    split_seed: int = Field(
        17, description="decides the division and the embedded sentences, apart from training.seed"
    )


class CorpusError(UserError):
    """A corpus is not where, or not what, it was said to be; the message names the file and line."""


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 text with their numbers from 1, ends of line kept, a byte order mark dropped.

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
    """Return what is at a folder's path, for an error message: "it holds a, b, c and 12 more"."""
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
    """Return the folder of a corpus, if everything that is needed is there.

    Args:
        data: the folder, if one was named.
        corpus: the corpus's name, for the message.
        needed: paths in the folder.

    Raises:
        CorpusError: no folder was named, or something is missing; says what was looked for and found.
    """
    looked_for = " and ".join(needed)
    if data is None:
        raise CorpusError(
            f"corpus {corpus} needs its folder (corpus.data; --data FOLDER), the one with {looked_for}"
        )
    if all((data / path).exists() for path in needed):
        return data
    message = f"{data}: not the {corpus} corpus: looked for {looked_for}; {describe_folder(data)}"
    inside = sorted(path for path in data.glob("*/") if all((path / name).exists() for name in needed))
    raise CorpusError(message + (f"; did you mean {inside[0]}?" if inside else ""))
