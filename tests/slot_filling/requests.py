"""A few labelled requests, and taggers small enough for tests."""

from collections.abc import Sequence
from typing import Any

import torch

from slot_filling.config import TaggerConfig
from slot_filling.network.model import TaggerModel
from slot_filling.sentences import Sentence
from slot_filling.training.dataset import EncodedSentence, SentenceBatch, collate_sentences
from slot_filling.vocabulary import Vocabulary

REQUESTS = [
    ("arrive Taipei on November 2nd", "O B-city O B-date I-date", "arrive"),
    ("fly", "O", "leave"),
    (
        "from New York to Taipei at 7:30 in the morning",
        "O B-city I-city O B-city O B-time I-time I-time I-time",
        "leave",
    ),
    ("a seat to Oslo , please", "O O O B-city O O", None),
    ("November 2nd", "B-date I-date", "arrive"),
]


def sentence(words: str, tags: str, intent: str | None = None) -> Sentence:
    """Return a labelled sentence from texts separated by spaces."""
    return Sentence(tuple(words.split()), tuple(tags.split()), intent)


SENTENCES = [sentence(*request) for request in REQUESTS]


def vocabulary() -> Vocabulary:
    """Return the vocabulary of the requests."""
    return Vocabulary.learn(SENTENCES)


def settings(
    head: str = "crf",
    training: dict[str, Any] | None = None,
    ensemble: Sequence[dict[str, Any]] = ({},),
    **encoder: Any,
) -> TaggerConfig:
    """Return the settings of a small tagger; `encoder` changes those of the encoder."""
    small = {"word_size": 6, "character_size": 4, "character_filters": 3, "shape_size": 2, "hidden_size": 5}
    tree = {
        "name": "small",
        "corpus": {"kind": "travel"},
        "encoder": {**small, "engine": "reference", **encoder},
        "ensemble": list(ensemble),
        "head": {"kind": head},
        "training": training or {},
    }
    return TaggerConfig.check(tree, "test")


def model(config: TaggerConfig, seed: int = 0) -> TaggerModel:
    """Return a network with dropout off, and weights of its head that are not zero."""
    torch.manual_seed(seed)
    made = TaggerModel(config, vocabulary())
    for parameter in made.head.parameters():
        torch.nn.init.normal_(parameter)
    return made.eval()


def batch(sentences: list[Sentence]) -> SentenceBatch:
    """Return a batch of sentences."""
    known = vocabulary()
    return collate_sentences(
        [
            EncodedSentence(
                item,
                known.encode(each.words),
                known.encode_tags(each.tags or ()),
                known.encode_intent(each.intent),
            )
            for item, each in enumerate(sentences)
        ]
    )
