"""Measure decoding along grammars: `python -m benchmarks.along_grammar`.

The grammars are of several sizes, up to millions of sentences and lists of 50,000 names. Emissions are artificial: each
letter of a drawn sentence has one step and two blanks after it, and all scores are blurred by normal noise, a little or
much. Figures are medians of CPU time of one thread.
"""

import os
import resource
import statistics
import time

import numpy as np
from tabulate import tabulate

from asr.decoding.grammar_search import GrammarSearch
from asr.tokens import BLANK_SYMBOL, Tokens
from sluice.along_grammar import COMPARED
from sluice_core.devices import describe_machine
from sluice_core.grammar.grammar import Grammar, distinct_sentences
from sluice_core.grammar.graph import build_graph
from sluice_core.grammar.reading import read_grammar

TOKENS = Tokens([BLANK_SYMBOL, " ", "'", *"abcdefghijklmnopqrstuvwxyz"])
CLEAR, BLURRED = 6.0, 4.0
"""How far the right token's score is above the others, whose standard deviation is 1.5."""
UTTERANCES = 20
NAMES = 50_000


def main() -> None:
    """Print the table."""
    rows = []
    for name, make in (
        ("travel", travel),
        ("six choices of ten words", choices),
        ("two names of 50,000", names),
    ):
        grammar = make()
        started = time.process_time()
        graph = build_graph(grammar)
        built = time.process_time() - started
        started = time.process_time()
        search = GrammarSearch(TOKENS, graph)
        compiled = time.process_time() - started
        sizes = f"{grammar.count():.2g}", f"{len(graph.arc_to):,}"
        rows.append([name, *sizes, f"{built:.2f}", f"{compiled:.2f}", *measure(search, grammar)])
    print(describe_machine())
    header = ["grammar", "sentences", "arcs", "graph, s", "automaton, s"]
    for blur in ("clear", "blurred"):
        header += [f"{blur}, ms", f"{COMPARED} best, {blur}, ms", f"found, {blur}"]
    print(tabulate(rows, header, tablefmt="github"))
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def travel() -> Grammar:
    """Return the built-in grammar of travel requests."""
    return read_grammar("travel")


def choices() -> Grammar:
    """Return a grammar of a million sentences: six of sixty made-up words, ten to choose from for each."""
    random = np.random.default_rng(0)
    words = made_up(60, random)
    rules = {f"choice{place}": words[10 * place : 10 * place + 10] for place in range(6)}
    return Grammar.of({"choose": [" ".join(f"<{rule}>" for rule in rules)]}, rules)


def names() -> Grammar:
    """Return a grammar in which one of 50,000 made-up names may be called, or two put through."""
    rules = {"name": made_up(NAMES, np.random.default_rng(1))}
    return Grammar.of({"call": ["call {name}"], "connect": ["put {name:caller} through to {name}"]}, rules)


def made_up(count: int, random: np.random.Generator) -> list[str]:
    """Return so many different words of consonants and vowels in turn."""
    words: set[str] = set()
    while len(words) < count:
        letters = random.integers(2, 5)
        words.add(
            "".join(
                random.choice(list("bdfgklmnprst")) + random.choice(list("aeiou")) for _ in range(letters)
            )
        )
    return sorted(words)


def measure(search: GrammarSearch, grammar: Grammar) -> list[str]:
    """Return milliseconds an utterance for the best sentence and several, and the share found, clear and blurred."""
    texts = [sentence.text for sentence in distinct_sentences(grammar, UTTERANCES, 0, "dev")]
    cells = []
    for strength in (CLEAR, BLURRED):
        spoken = [emissions(text, strength, number) for number, text in enumerate(texts)]
        one = [search.decode(each[None], np.array([len(each)]))[0] for each in spoken]
        right = sum(
            bool(some) and " ".join(some[0].words) == text for some, text in zip(one, texts, strict=True)
        )
        cells += [f"{milliseconds(search, spoken, n):.1f}" for n in (1, COMPARED)] + [
            f"{right / len(texts):.0%}"
        ]
    return cells


def milliseconds(search: GrammarSearch, spoken: list[np.ndarray], n_best: int) -> float:
    """Return the median time of an utterance after one that compiles."""
    times = []
    for each in [spoken[0], *spoken]:
        started = time.process_time()
        search.decode(each[None], np.array([len(each)]), n_best)
        times.append(1000 * (time.process_time() - started))
    return statistics.median(times[1:])


def emissions(text: str, strength: float, seed: int) -> np.ndarray:
    """Return artificial log-probabilities `[time, tokens]` of a text."""
    random = np.random.default_rng(seed)
    path = [0] * 10 + [step for token in TOKENS.encode(text) for step in (token, 0, 0)] + [0] * 10
    scores = random.normal(0, 1.5, (len(path), len(TOKENS)))
    scores[np.arange(len(path)), path] += strength
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
