"""Who is understood and who is not: requests by engine and voice, the values that are confused, and what to do."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from asr.evaluation.error_rates import word_errors
from sluice.domain.metrics import Meaning, is_right

FEWEST_REQUESTS = 10
"""A share of fewer requests says nothing."""
MUCH_WORSE = 0.15
"""An engine is told of whose share of requests understood lies so far below that of all."""
OFTEN = 3
"""A confusion that happens more seldom is chance."""


@dataclass(frozen=True)
class Heard:
    """A request: who said it, what it means, and what was understood."""

    speaker: str
    """`engine:voice`."""
    gold: Meaning
    understood: Meaning


@dataclass
class VoiceCounts:
    """How many requests of an engine or of one of its voices are understood."""

    name: str
    requests: int = 0
    right: int = 0
    texts: list[tuple[str, str]] = field(default_factory=list)
    """What was said and what was heard."""

    @property
    def share(self) -> float:
        """The share of requests that are understood."""
        return self.right / max(1, self.requests)

    @property
    def word_error_rate(self) -> float:
        """Errors over words."""
        return word_errors(*map(list, zip(*self.texts, strict=True))).rate if self.texts else 0.0


@dataclass(frozen=True)
class Confusion:
    """A slot's value that was understood as another of the same slot; None stands for no such slot."""

    label: str
    said: str | None
    understood: str | None
    count: int
    of: int
    """How often the value was said."""
    voices: int
    """How many different voices said it so that it was confused."""
    words: str = ""
    """The words for the value that were most often confused; "" where no words stand for it."""


def engine_of(speaker: str) -> str:
    """Return the engine of a speaker.

    >>> engine_of("kokoro:mix-07"), engine_of("ann")
    ('kokoro', 'ann')
    """
    return speaker.partition(":")[0]


def count_engines(heard: Iterable[Heard]) -> list[VoiceCounts]:
    """Return the counts of each engine, the one understood worst first."""
    return _count((engine_of(each.speaker), each) for each in heard)


def count_voices(heard: Iterable[Heard]) -> list[VoiceCounts]:
    """Return the counts of each voice, the one understood worst first."""
    return _count((each.speaker, each) for each in heard)


def _count(named: Iterable[tuple[str, Heard]]) -> list[VoiceCounts]:
    counts: dict[str, VoiceCounts] = {}
    for name, each in named:
        voice = counts.setdefault(name, VoiceCounts(name))
        voice.requests += 1
        voice.right += is_right(each.gold, each.understood)
        voice.texts.append((each.gold.text, each.understood.text))
    return sorted(counts.values(), key=lambda voice: (voice.share, -voice.requests, voice.name))


def find_confusions(heard: Iterable[Heard]) -> list[Confusion]:
    """Return what values were taken for what, the most frequent first.

    A slot that was said and not understood is paired with one of its label that was understood and not said.
    """
    confused: dict[tuple[str, str | None, str | None], list[tuple[str, str]]] = defaultdict(list)
    said: Counter[tuple[str, str | None]] = Counter()
    for each in heard:
        said.update((slot.label, slot.value) for slot in each.gold.slots)
        missed = list((Counter(each.gold.slots) - Counter(each.understood.slots)).elements())
        invented = list((Counter(each.understood.slots) - Counter(each.gold.slots)).elements())
        for slot in missed:
            other = next((found for found in invented if found.label == slot.label), None)
            if other:
                invented.remove(other)
            confusion = slot.label, slot.value, other.value if other else None
            confused[confusion].append((each.speaker, slot.words))
        for slot in invented:
            confused[slot.label, None, slot.value].append((each.speaker, slot.words))
    confusions = [
        Confusion(
            label,
            value,
            other,
            len(times),
            said[label, value],
            len({speaker for speaker, _ in times}),
            Counter(words for _, words in times).most_common(1)[0][0],
        )
        for (label, value, other), times in confused.items()
    ]
    return sorted(
        confusions, key=lambda each: (-each.count, each.label, each.said or "", each.understood or "")
    )


def advise(heard: Sequence[Heard], run: str) -> list[str]:
    """Return what to do for those who are not understood, each as a sentence."""
    advice = _advise_on_engines(count_engines(heard))
    values: dict[tuple[str, str], list[Confusion]] = defaultdict(list)
    for each in find_confusions(heard):
        if each.said is not None and each.words:
            values[each.label, each.said].append(each)
    for confusions in sorted(values.values(), key=_times, reverse=True):
        if _times(confusions) >= OFTEN and 3 * _times(confusions) >= confusions[0].of:
            advice.append(_advise_on_value(confusions))
    advice.append(
        f"A voice that is not understood can be learned in two minutes: sluice adapt {run} --sentences 20 > "
        f"recordings.csv; read them; sluice adapt {run} recordings.csv."
    )
    return advice


def _advise_on_engines(engines: Sequence[VoiceCounts]) -> list[str]:
    every = sum(each.right for each in engines) / max(1, sum(each.requests for each in engines))
    return [
        f"{each.name}: {each.right} of {each.requests} requests are understood, of all voices {every:.0%}. Training "
        "heard too few voices like these: add engines or voices to it (`sluice voices` lists them; corpus.engines)."
        for each in engines
        if each.requests >= FEWEST_REQUESTS and each.share < every - MUCH_WORSE
    ]


def _times(confusions: Iterable[Confusion]) -> int:
    return sum(each.count for each in confusions)


def _advise_on_value(confusions: Sequence[Confusion]) -> str:
    """Return what to do about a value that is often confused, the most frequent confusion first."""
    most = confusions[0]
    heard = ", ".join(f"{each.understood!r}" for each in confusions if each.understood is not None)
    said = "" if most.words == most.said else f" (most often as {most.words!r})"
    begun = f"{most.label} {most.said!r} is missed in {_times(confusions)} of {most.of} requests{said}"
    spoken = f"say how it is meant in the grammar (sounds: {{{most.words.split()[0]}: …}})."
    if heard:
        return (
            f"{begun}, understood as {heard}. If they sound alike, let people say one of them in longer words; if not, "
            f"listen to how it is spoken, and {spoken}"
        )
    return f"{begun}. Listen to how it is spoken, and {spoken}"
