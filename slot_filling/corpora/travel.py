"""Make the embedded corpora of travel requests; nothing is downloaded.

"travel" has the requests of `sluice_core.grammar.travel_written`, in spoken and in written form; half of the names and
of the templates in dev and in test are not in training. "spoken_travel" has the requests of
`sluice_core.grammar.travel`, which the recognizer's embedded corpus has too; dev and test are as a recognizer writes
them.
"""

from typing import get_args

from slot_filling.corpora.config import SentenceCorpusConfig
from slot_filling.schemes import tags_of
from slot_filling.sentences import Sentence, Span
from slot_filling.tokenizer import tokenize
from sluice_core.corpus_files import CorpusError
from sluice_core.grammar.grammar import Split
from sluice_core.grammar.travel_written import as_spoken, written
from sluice_core.grammar.writing_styles import AnnotatedText

DEV_AND_TEST_SHARE = 0.1  # each


def load(config: SentenceCorpusConfig) -> dict[str, list[Sentence]]:
    """Return the splits "train", "dev" and "test".

    Raises:
        CorpusError: the settings name files, which this corpus does not have.
    """
    if any(path is not None for path in (config.data, config.train, config.dev, config.test)):
        raise CorpusError(
            "corpus travel is made, not read: unset corpus.data, train, dev and test, or set corpus.kind to the format "
            "of those files (conll, jsonl, atis, snips)"
        )
    held_out = round(config.sentences * DEV_AND_TEST_SHARE)
    sizes = {"train": config.sentences - 2 * held_out, "dev": held_out, "test": held_out}
    make = written if config.kind == "travel" else as_spoken
    return {
        split: [
            to_sentence(request, f"travel {split} {number}")
            for number, request in enumerate(make(sizes[split], config.split_seed, split), 1)
        ]
        for split in get_args(Split)
    }


def to_sentence(request: AnnotatedText, where: str) -> Sentence:
    """Return the words of a text with their tags; `tokenize` divides it, as it does when a tagger is used."""
    tokens = tokenize(request.text)
    starts = {token.start: number for number, token in enumerate(tokens)}
    ends = {token.end: number + 1 for number, token in enumerate(tokens)}
    spans = [Span(slot.label, starts[slot.start], ends[slot.end]) for slot in request.slots]
    words = tuple(token.text for token in tokens)
    return Sentence(words, tuple(tags_of(spans, len(words))), request.intent, where)
