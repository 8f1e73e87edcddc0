"""Read labelled sentences from objects of Hugging Face's `datasets` library."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slot_filling.corpora.tag_conversion import RawSentence, to_iob2
from slot_filling.schemes import SchemeName
from slot_filling.sentences import Sentence
from sluice_core.corpus_files import CorpusError
from sluice_core.wording import plural

if TYPE_CHECKING:
    from datasets import Dataset

WORDS = ("words", "tokens")
TAGS = ("tags", "ner_tags", "slots", "labels", "slot_labels")
UNLABELLED = -1
"""The class number that `datasets` writes where there is no class."""


def from_datasets(
    splits: Mapping[str, "Dataset"],
    words: str | None = None,
    tags: str | None = None,
    intent: str | None = None,
    scheme: SchemeName | None = None,
) -> dict[str, list[Sentence]]:
    """Return the sentences of a `DatasetDict`, or of datasets by the names of their splits.

    Args:
        splits: datasets by name, with one row for each sentence.
        words: the column of lists of words; if not given, `words` or `tokens`.
        tags: the column of lists of tags, texts or class labels; if not given, `tags`, `ner_tags`, ….
        intent: the column of intents, texts or class labels, if there is one; a class number of -1 is no intent.
        scheme: of the tags; detected if not given.

    Raises:
        CorpusError: a column is missing or a row is wrong; the message names the split and the row.
    """
    raw = {}
    for split, dataset in splits.items():
        columns = words or _column(dataset, WORDS, split), tags or _column(dataset, TAGS, split)
        raw[split] = _rows(split, dataset, columns, intent)
    return to_iob2(raw, scheme, "dataset")


def _rows(split: str, dataset: "Dataset", columns: tuple[str, str], intent: str | None) -> list[RawSentence]:
    """Return the sentences of one dataset."""
    for column in (*columns, intent):
        if column is not None and column not in dataset.column_names:
            raise CorpusError(f"{split}: no column {column!r}; there are {', '.join(dataset.column_names)}")
    names = {column: _class_names(dataset.features[column]) for column in (*columns, intent) if column}
    rows = []
    for number, row in enumerate(dataset):
        where = f"{split}, row {number}"
        words, tags = (_texts(row[column], names[column], where, column) for column in columns)
        if len(words) != len(tags):
            raise CorpusError(
                f"{where}: {plural(len(words), 'word')} but {plural(len(tags), 'tag')}: each word needs one"
            )
        said = _intent(row[intent], names[intent], where, intent) if intent else None
        rows.append(RawSentence(words, tags, [where] * len(words), said))
    return rows


def _column(dataset: "Dataset", candidates: Iterable[str], split: str) -> str:
    """Return the first of the usual names that the dataset has."""
    for name in candidates:
        if name in dataset.column_names:
            return name
    raise CorpusError(
        f"{split}: no column {' or '.join(candidates)}; name it: there are {', '.join(dataset.column_names)}"
    )


def _class_names(feature: Any) -> list[str] | None:
    """Return the names of a feature's classes, if it is a class label or a sequence of them."""
    feature = getattr(feature, "feature", feature)
    return getattr(feature, "names", None)


def _intent(value: Any, names: list[str] | None, where: str, column: str) -> str | None:
    """Return the intent of a row, if it has one."""
    if names is not None and value == UNLABELLED:
        return None
    return _texts([value], names, where, column)[0]


def _texts(values: Iterable[Any], names: list[str] | None, where: str, column: str) -> tuple[str, ...]:
    """Return values as texts: they are texts themselves, or numbers of classes."""
    try:
        texts = tuple(values if names is None else (_name(names, value) for value in values))
    except (IndexError, TypeError) as error:
        raise CorpusError(f"{where}: {column} has a number that is no class: {values}") from error
    if not all(isinstance(text, str) and text for text in texts):
        raise CorpusError(
            f"{where}: {column} must be texts, or numbers whose feature is a ClassLabel (which names them)"
        )
    return texts


def _name(names: list[str], number: int) -> str:
    """Return the name of a class; a negative number, with which Python counts from the end, is no class."""
    if number < 0:
        raise IndexError(number)
    return names[number]
