"""Plan a spoken corpus: which sentences of a grammar are said, by which engines and voices, and how.

What an engine says depends on nothing but the grammar, the seed and the engine: with more engines, or more
utterances, those that were planned before stay the same, so that they need not be spoken again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import get_args

from asr.synthesis.engines.protocol import Engine
from asr.synthesis.speak import SpeechJob, spoken_form
from sluice_core.corpus_files import CorpusError
from sluice_core.grammar.grammar import Grammar, Split, split_of

SHARES = {
    "espeak": 3.0, "hibari": 2.0, "piper": 3.0, "kokoro": 2.0, "pico": 2.0, "flite": 2.0, "festival": 1.0,
}  # fmt: skip
"""Parts of the utterances that each engine says: what is quick and varied says more."""
NEURAL_DEV_SHARE = 0.5
"""Neural engines with held-out voices speak at least this share of dev, for they predict how people are understood."""
PEAK_DB, NOISE_DB, AROUND_SECONDS = (-20.0, -1.0), (-84.0, -66.0), (0.1, 0.2)
MOST_REFUSALS = 5000  # draws in a row without a new sentence before the grammar counts as exhausted
LONGEST_PIECE = 3  # words of a sentence that stay together in random sequences


@dataclass(frozen=True)
class PlanSettings:
    """How many utterances there are, and how they are shared out."""

    counts: Mapping[Split, int]
    """The utterances of each split."""
    seed: int = 17
    shares: Mapping[str, float] = field(default_factory=dict)
    """Parts of the utterances that engines say, for those that differ from `SHARES`."""
    renderings: int = 1
    """How often an engine says each text, by voices in turn."""
    shuffled_share: float = 0.0
    """The share of training texts that are random sequences of the grammar's words and pieces."""


def plan_corpus(
    grammar: Grammar,
    engines: Sequence[Engine],
    held_out: Sequence[Engine],
    settings: PlanSettings,
) -> list[SpeechJob]:
    """Plan every utterance of a corpus.

    Args:
        grammar: The sentences.
        engines: They speak in every split that they have voices for.
        held_out: They speak in test alone, with all of their voices.
        settings: Counts, shares and seed.

    Raises:
        CorpusError: a word cannot be said by any of the engines, or a split has no voices.
    """
    check_words(grammar, [*engines, *held_out])
    language = grammar.language
    jobs: list[SpeechJob] = []
    for split in get_args(Split):
        casts = {engine.name: (engine, engine.voices(language)[split]) for engine in engines}
        if split == "test":
            for engine in held_out:
                voices = engine.voices(language).values()
                casts[engine.name] = engine, tuple(voice for names in voices for voice in names)
        casts = {name: (engine, voices) for name, (engine, voices) in casts.items() if voices}
        if not casts:
            raise CorpusError(
                f"none of the engines has a voice for {split}: name more of them (corpus.engines)"
            )
        shares = {name: settings.shares.get(name, SHARES.get(name, 1.0)) for name in casts}
        if split == "dev":
            shares = _raise_neural({name: engine for name, (engine, _) in casts.items()}, shares)
        counts = share_out(settings.counts[split], shares)
        planned = [
            (position / counts[name], name, job)
            for name, (engine, voices) in casts.items()
            for position, job in enumerate(
                plan_engine(grammar, engine, voices, split, counts[name], settings)
            )
        ]
        jobs += [job for _, _, job in sorted(planned, key=lambda item: item[:2])]
    return jobs


def _raise_neural(engines: Mapping[str, Engine], shares: Mapping[str, float]) -> dict[str, float]:
    """Return shares of which neural engines have at least `NEURAL_DEV_SHARE`, if there are any with a share."""
    total = sum(shares.values())
    neural = sum(share for name, share in shares.items() if engines[name].neural)
    if not 0 < neural < NEURAL_DEV_SHARE * total:
        return dict(shares)
    up, down = NEURAL_DEV_SHARE / neural, (1 - NEURAL_DEV_SHARE) / (total - neural)
    return {name: share * (up if engines[name].neural else down) for name, share in shares.items()}


def share_out(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Return how many of `total` utterances each engine says, by the largest remainders.

    >>> share_out(10, {"espeak": 3, "piper": 3, "kokoro": 2})
    {'espeak': 4, 'piper': 4, 'kokoro': 2}

    Raises:
        CorpusError: a share is negative, or all of them are 0.
    """
    if min(shares.values()) < 0 or sum(shares.values()) == 0:
        raise CorpusError(
            f"the shares of engines must be positive numbers, not {dict(shares)} (corpus.engine_shares)"
        )
    exact = {name: total * share / sum(shares.values()) for name, share in shares.items()}
    counts = {name: int(number) for name, number in exact.items()}
    by_remainder = sorted(shares, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def check_words(grammar: Grammar, engines: Sequence[Engine]) -> None:
    """Check that each word of a grammar can be said by some engine.

    Raises:
        CorpusError: names the first word that cannot, its characters, and what to do.
    """
    for word in sorted(grammar.vocabulary()):
        said = grammar.sounds.get(word, word)
        left_out = [engine.unsayable(said) for engine in engines]
        if left_out and all(left_out):
            raise CorpusError(
                f"no synthesizer can say {min(left_out, key=len)!r} in {said!r}: write it in words, or say in the "
                f"grammar how it sounds (sounds: {{{word}: …}})"
            )


def plan_engine(
    grammar: Grammar,
    engine: Engine,
    voices: Sequence[str],
    split: Split,
    count: int,
    settings: PlanSettings,
) -> list[SpeechJob]:
    """Plan what one engine says in one split."""
    if not count:
        return []
    seed = f"{settings.seed} {engine.name} {split}"

    def sayable(text: str) -> bool:
        return not engine.unsayable(" ".join(spoken_form(text, grammar.sounds)))

    texts = draw_texts(grammar, -(-count // settings.renderings), seed, split, sayable)
    if not texts:
        raise CorpusError(f"{engine.name} can say no sentence of the grammar: leave it out (corpus.engines)")
    if split == "train" and settings.shuffled_share:
        texts = shuffle_some(grammar, texts, settings.shuffled_share, seed, sayable)
    random = Random(f"{seed} voices")
    jobs = []
    for index in range(count):
        text = texts[index // settings.renderings % len(texts)]
        jobs.append(
            SpeechJob(
                id=f"{split}-{engine.name}-{index:04d}",
                text=text,
                said=spoken_form(text, grammar.sounds),
                engine=engine.name,
                voice=voices[index % len(voices)],
                seed=random.getrandbits(32),
                peak_db=round(random.uniform(*PEAK_DB), 1),
                noise_db=round(random.uniform(*NOISE_DB), 1),
                before_seconds=round(random.uniform(*AROUND_SECONDS), 3),
                after_seconds=round(random.uniform(*AROUND_SECONDS), 3),
            )
        )
    return jobs


def draw_texts(
    grammar: Grammar, count: int, seed: str, split: Split, sayable: Callable[[str], bool] = lambda text: True
) -> list[str]:
    """Draw different sentences of a split; a longer list begins with the shorter one.

    There are fewer than `count` if the grammar has no more. A grammar so small that it has no sentence for a split
    gives all of its sentences to it: the voices of splits differ all the same.

    Args:
        grammar: The sentences.
        count: How many.
        seed: Decides which.
        split: The split that they belong to.
        sayable: Which sentences may be drawn.
    """
    for of_split in (True, False):
        random, found, refusals = Random(seed), dict[str, None](), 0
        while len(found) < count and refusals < MOST_REFUSALS:
            text = grammar.draw(random).text
            if text in found or (of_split and split_of(text) != split) or not sayable(text):
                refusals += 1
                continue
            found[text] = None
            refusals = 0
        if found:
            return list(found)
    return []


def shuffle_some(
    grammar: Grammar,
    texts: Sequence[str],
    share: float,
    seed: str,
    sayable: Callable[[str], bool] = lambda text: True,
) -> list[str]:
    """Replace a share of the texts by random sequences of pieces, about as long.

    A network that hears nothing but a grammar's sentences learns the grammar by heart, and then hears what should
    come instead of what is said. In random sequences only sound tells. Half of the pieces are up to three words from
    sentences of the grammar, so that words that belong together meet; the others are any word, so that each comes.

    Args:
        grammar: The grammar of the words.
        texts: The sentences.
        share: The share of them that is replaced.
        seed: Decides which, and by what.
        sayable: Which texts may be made.
    """
    vocabulary = sorted(grammar.vocabulary())
    shuffled = []
    for index, text in enumerate(texts):
        random = Random(f"{seed} shuffled {index}")
        if random.random() >= share:
            shuffled.append(text)
            continue
        length, words = len(text.split()), list[str]()
        while len(words) < length:
            source = grammar.draw(random).words if random.random() < 0.5 else (random.choice(vocabulary),)
            start = random.randrange(len(source))
            words += source[start : start + random.randint(1, LONGEST_PIECE)]
        made = " ".join(words[:length])
        shuffled.append(made if sayable(made) else text)
    return shuffled
