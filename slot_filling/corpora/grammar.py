"""Draw labelled sentences from a grammar; nothing is downloaded.

Kind "grammar" draws from any grammar: a file, or the built-in one of travel requests, which a recognizer's corpus of
this kind speaks too. Training has the sentences as a recognizer writes them, and a third as people type them; dev and
test are as a recognizer writes them. Kind "travel" has the requests of `sluice_core.grammar.travel_written`, in spoken
and in written form; half of the names and of the templates in its dev and test are not in training.
"""

from random import Random
from typing import get_args

from slot_filling.corpora.config import SentenceCorpusConfig
from slot_filling.schemes import tags_of
from slot_filling.sentences import Sentence, Span
from slot_filling.tokenizer import tokenize
from sluice_core.corpus_files import CorpusError
from sluice_core.grammar.grammar import Split, divided_sentences
from sluice_core.grammar.reading import BUILT_IN, read_grammar
from sluice_core.grammar.travel_written import as_spoken, written
from sluice_core.grammar.writing_styles import SPOKEN, AnnotatedText, WritingStyle, write

DEV_AND_TEST_SHARE = 0.1  # each
TYPED = (SPOKEN, SPOKEN, WritingStyle(figures=False))


def load(config: SentenceCorpusConfig) -> dict[str, list[Sentence]]:
    """Return the splits "train", "dev" and "test".

    Raises:
        CorpusError: the settings name files for splits, which are drawn here, or no grammar.
        GrammarError: the grammar cannot be read.
    """
    if any(path is not None for path in (config.train, config.dev, config.test)) or (
        config.kind == "travel" and config.data
    ):
        raise CorpusError(
            f"corpus {config.kind} is made, not read: unset corpus.data (but for a grammar), train, dev and test, or "
            "set corpus.kind to the format of those files (conll, jsonl, atis, snips)"
        )
    held_out = round(config.sentences * DEV_AND_TEST_SHARE)
    sizes: dict[Split, int] = {"train": config.sentences - 2 * held_out, "dev": held_out, "test": held_out}
    name = config.kind if config.kind == "travel" else str(config.data)
    return {
        split: [to_sentence(text, f"{name} {split} {number}") for number, text in enumerate(texts, 1)]
        for split, texts in _texts(config, sizes).items()
    }


def _texts(config: SentenceCorpusConfig, sizes: dict[Split, int]) -> dict[Split, list[AnnotatedText]]:
    """Draw the texts of each split."""
    if config.data is None:
        if config.kind == "grammar":
            raise CorpusError("corpus grammar needs a grammar: set corpus.data to its file, or to travel")
        return {split: written(size, config.split_seed, split) for split, size in sizes.items()}
    if str(config.data) in BUILT_IN:  # whose dates, times and amounts are typed in figures too
        return {split: as_spoken(size, config.split_seed, split) for split, size in sizes.items()}
    drawn = divided_sentences(read_grammar(config.data), sizes, config.split_seed)
    texts: dict[Split, list[AnnotatedText]] = {}
    for split in get_args(Split):
        random = Random(f"{config.split_seed} {split} styles")
        styles = TYPED if split == "train" else (SPOKEN,)
        texts[split] = [write(sentence, random, random.choice(styles), {}) for sentence in drawn[split]]
    return texts


def to_sentence(text: AnnotatedText, where: str) -> Sentence:
    """Return the words of a text with their tags; `tokenize` divides it, as it does when a tagger is used."""
    tokens = tokenize(text.text)
    starts = {token.start: number for number, token in enumerate(tokens)}
    ends = {token.end: number + 1 for number, token in enumerate(tokens)}
    spans = [Span(slot.label, starts[slot.start], ends[slot.end]) for slot in text.slots]
    words = tuple(token.text for token in tokens)
    return Sentence(words, tuple(tags_of(spans, len(words))), text.intent, where)
