"""Sentences to read aloud: few, which together have most of the words and sounds of many."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator

GRAM = 3
"""The letters that stand for a sound and its neighbours."""
WORD_WEIGHT = 3.0
"""A word counts as much as so many sequences of letters: it is what must be recognized."""


def choose_sentences(texts: Iterable[str], count: int) -> list[str]:
    """Choose texts that cover much of what all of them say: words, and sequences of three letters within words.

    Each choice is the text that adds most for its length, counted by how frequent each part is in all texts (greedy
    weighted cover, at least 63% of the best one; Nemhauser et al. 1978). What has been covered once counts a third.

    Args:
        texts: what may be said; repeats count for frequency.
        count: how many to choose; fewer are returned if there are no more different texts.

    Example:
        >>> choose_sentences(["to oslo", "to rome", "from oslo to rome", "to to"], 2)
        ['from oslo to rome', 'to rome']
    """
    different = list(dict.fromkeys(texts))
    parts = [tuple(_parts(text)) for text in different]
    frequency = Counter(part for each in parts for part in each)
    covered: Counter[str] = Counter()

    def gain(number: int) -> float:
        """Return what a text adds to those chosen, for each of its letters."""
        gains = (_weight(part, frequency[part]) * 3.0 ** -covered[part] for part in set(parts[number]))
        return sum(gains) / (10 + len(different[number]))

    # Gains only fall, so that a text whose gain was computed last and is still the largest is the best one.
    heap = [(-gain(number), number) for number in range(len(different))]
    heapq.heapify(heap)
    chosen: list[str] = []
    while heap and len(chosen) < count:
        _, number = heapq.heappop(heap)
        now = -gain(number)
        if heap and now > heap[0][0]:
            heapq.heappush(heap, (now, number))
            continue
        chosen.append(different[number])
        covered.update(set(parts[number]))
    return chosen


def _weight(part: str, frequency: int) -> float:
    return frequency**0.5 * (WORD_WEIGHT if part.startswith(" ") and part.endswith(" ") else 1.0)


def _parts(text: str) -> Iterator[str]:
    """Yield the words of a text, with a space on both sides, and the letter sequences of each word."""
    for word in text.split():
        yield f" {word} "
        marked = f"^{word}$"
        yield from (marked[start : start + GRAM] for start in range(max(1, len(marked) - GRAM + 1)))
