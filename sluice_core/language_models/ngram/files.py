"""N-gram files: read in either format, told apart by their content, and written in the one that the name says."""

from pathlib import Path

from sluice_core.language_models.ngram.arpa import read_arpa, write_arpa
from sluice_core.language_models.ngram.binary import read_binary, write_binary
from sluice_core.language_models.ngram.model import NGram
from sluice_core.language_models.units import LanguageModelError


def load_ngram(path: str | Path) -> NGram:
    """Read a model from Sluice's binary, which opens at once, or from ARPA, plain or gzip; the content tells which.

    Raises:
        LanguageModelError: the file cannot be read, or is no language model; an ARPA file's line is named.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise LanguageModelError(f"{path}: cannot read: {error.strerror or error}") from error
    if head.startswith(b"mmap lm "):
        raise LanguageModelError(f"{path}: KenLM's own binary; give the ARPA file that it was made of")
    return read_binary(path) if head[8:] == b"{" else read_arpa(path)  # safetensors: a length, then JSON


def save_ngram(model: NGram, path: str | Path) -> None:
    """Write a model: as ARPA if the name ends in `.arpa` or `.arpa.gz`, else as Sluice's binary."""
    from sluice_core.files import write_atomic

    path = Path(path)

    def write(temporary: Path) -> None:
        if path.name.endswith((".arpa", ".arpa.gz")):
            write_arpa(temporary, model, packed=path.suffix == ".gz")
        else:
            write_binary(temporary, model)

    write_atomic(path, write)
