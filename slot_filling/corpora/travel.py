"""The embedded corpora: travel requests. Nothing is downloaded.

"travel" has those of `sluice_core.grammar.travel_written`, in spoken and in written form; half of the names and of
the templates in dev and in test are not in training. "spoken_travel" has those of `sluice_core.grammar.travel`, which
are also what the recognizer's embedded corpus says; dev and test are as a recognizer writes them.
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
    """The parts "train", "dev" and "test".

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
        part: [
            to_sentence(request, f"travel {part} {number}")
            for number, request in enumerate(make(sizes[part], config.split_seed, part), 1)
        ]
        for part in get_args(Split)
    }


def to_sentence(request: AnnotatedText, where: str) -> Sentence:
    """The words of a text, as `tokenize` finds them in use too, with their tags."""
    tokens = tokenize(request.text)
    starts = {token.start: number for number, token in enumerate(tokens)}
    ends = {token.end: number + 1 for number, token in enumerate(tokens)}
    spans = [Span(slot.label, starts[slot.start], ends[slot.end]) for slot in request.slots]
    words = tuple(token.text for token in tokens)
    return Sentence(words, tuple(tags_of(spans, len(words))), request.intent, where)
