"""The built-in grammar of spoken travel requests: "arrive taipei on november second".

The grammar is `travel.yaml`, beside this module. Words are in their spoken form, in lower case: letters, apostrophe and
space only.
"""

from sluice_core.grammar.grammar import AnnotatedSentence, Grammar, Split, distinct_sentences
from sluice_core.grammar.reading import read_grammar

TRAVEL = read_grammar("travel")


def generate(
    count: int, seed: int = 17, split: Split = "train", grammar: Grammar = TRAVEL
) -> list[AnnotatedSentence]:
    """Draw `count` different travel requests of a split; the same seed gives the same requests.

    A sentence belongs to one split whatever the seed and the count: no sentence of dev or test is ever
    among the training sentences. All splits share one vocabulary.

    >>> generate(1, seed=1)[0].text == generate(2, seed=1)[0].text
    True

    Raises:
        GrammarError: the grammar does not have that many sentences, or there is no such split.
    """
    return distinct_sentences(grammar, count, seed, split)
