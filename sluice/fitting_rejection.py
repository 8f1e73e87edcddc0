"""Fit rejection: utterances of the grammar against other speech and noise, at an operating point."""

import logging
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from asr import Transcriber
from asr.acoustic.emissions import Emission, Source
from sluice.along_grammar import AlongGrammar, Reading, values_of, words_behind
from sluice.rejection import RejectionConfig, slot_features
from sluice.understanding import Understander
from sluice_core.calibration import fit_logistic, predict_logistic
from sluice_core.errors import UserError
from sluice_core.wording import plural

log = logging.getLogger(__name__)

MOST_FALSE_ACCEPTS = 0.005
"""The share of others that the operating point accepts, of those that it is fitted to; unseen ones are accepted a
little more often."""
TRUSTED = round(1 / MOST_FALSE_ACCEPTS)
"""With fewer utterances of either kind than this, single ones decide what is accepted."""
FEWEST = 20
"""Utterances of either kind below which nothing is fitted."""
READ_TOGETHER = 64
NOISE_SECONDS = (1.0, 6.0)
NOISE_DB = (-50.0, -3.0)
SNR_DB = (5.0, 25.0)


def fit_rejection(
    understander: Understander,
    in_grammar: Sequence[tuple[Source, str]],
    out_of_grammar: Sequence[Source],
    noises: Sequence[Source] | None = None,
    *,
    seed: int = 0,
) -> RejectionConfig:
    """Fit weights and operating point of rejection, and the confidences of slots.

    Args:
        understander: the recognizer, with the grammar of its domain.
        in_grammar: utterances with what is said in them, of voices that training has not heard. What is no sentence
            of the grammar is taken for other speech.
        out_of_grammar: other speech: sentences of other domains, the grammar's words in a wrong order. A sentence of
            the grammar among these would be rejected with all that sounds as likely.
        noises: recordings without speech; a hundred are made if none are given.
        seed: decides the noises that are made.

    Raises:
        UserError: there are too few utterances.
    """
    transcriber, along = understander.transcriber, understander.along_grammar
    random = np.random.default_rng(seed)
    rate = transcriber.config.features.sample_rate
    if noises is None:
        noises = [draw_noise(random, rate) for _ in range(100)]
    right, wrong, slots = _read_sentences(transcriber, along, in_grammar, random)
    other = [
        reading for _, reading in _read(transcriber, along, [*out_of_grammar, *noises]) if reading is not None
    ]
    silent = len(out_of_grammar) + len(noises) - len(other)
    others = [reading.evidence.sentence for reading in (*wrong, *other)]
    if len(right) < FEWEST or len(others) < FEWEST:
        raise UserError(
            f"rejection cannot be fitted to {plural(len(right), 'sentence')} of the grammar that the recognizer "
            f"understood and {plural(len(others), 'other')} in which it found one: {FEWEST} of each are needed"
        )
    features = np.array([*(reading.evidence.sentence for reading, _ in right), *others])
    is_right = np.arange(len(features)) < len(right)
    weights = fit_logistic(features, is_right)
    probabilities = predict_logistic(weights, features)
    threshold = operating_point(probabilities[~is_right], silent)
    accepted = float((probabilities[is_right] >= threshold).mean())
    log.info(
        f"rejection: {accepted:.1%} of {plural(len(right), 'sentence')} accepted, "
        f"{(probabilities[~is_right] >= threshold).sum()} of {plural(len(others) + silent, 'other')}"
    )
    config = RejectionConfig(
        weights=_rounded(weights),
        threshold=threshold,
        sentences=len(right),
        others=len(others) + silent,
        accepted=round(accepted, 4),
    )
    return config.model_copy(update={"slot_weights": _fit_slots(config, slots)})


def operating_point(others: np.ndarray, silent: int = 0) -> float:
    """Return the lowest threshold that accepts at most `MOST_FALSE_ACCEPTS` of others.

    Args:
        others: the probabilities of others, `[n]`.
        silent: how many more there were that no sentence fitted at all.

    Example:
        >>> operating_point(np.linspace(0, 1, 1001)) > 0.994
        True
    """
    most = int(MOST_FALSE_ACCEPTS * (len(others) + silent))
    highest = np.sort(others)[::-1][min(most, len(others) - 1)]
    return min(1.0, float(np.ceil(highest * 1e6 + 1) / 1e6))


Truth = frozenset[tuple[str, str | None]]


def _read_sentences(
    transcriber: Transcriber,
    along: AlongGrammar,
    in_grammar: Sequence[tuple[Source, str]],
    random: np.random.Generator,
) -> tuple[list[tuple[Reading, Truth]], list[Reading], list[tuple[Reading, Truth]]]:
    """Read each utterance as it is and in noise.

    Returns:
        The readings that are right, each with what is true; the readings of what is no sentence of the grammar; and
        all readings of sentences, right or not.
    """
    right, wrong, every = [], [], []
    rate = transcriber.config.features.sample_rate
    clean = [(transcriber.emitter.read(source), text) for source, text in in_grammar]
    noisy = [(_in_noise(samples, random, rate), text) for samples, text in clean]
    both = [*clean, *noisy]
    for place, reading in _read(transcriber, along, [samples for samples, _ in both]):
        arcs = along.graph.find(both[place][1].split())
        if reading is None:
            continue
        if arcs is None:
            if place < len(clean):
                wrong.append(reading)
            continue
        truth = values_of(along.graph.meaning(arcs))
        every.append((reading, truth))
        if values_of(reading.meanings[0]) == truth:
            right.append((reading, truth))
    return right, wrong, every


def _read(
    transcriber: Transcriber, along: AlongGrammar, sources: Iterable[Source]
) -> Iterator[tuple[int, Reading | None]]:
    """Yield the number and the reading of each source."""
    waiting: list[Emission] = []
    done = 0
    for emission in transcriber.emitter.emit_many(sources, silences=False):
        waiting.append(emission)
        if len(waiting) == READ_TOGETHER:
            yield from enumerate(along.read(waiting), done)
            done, waiting = done + len(waiting), []
    if waiting:
        yield from enumerate(along.read(waiting), done)


def _fit_slots(config: RejectionConfig, readings: Sequence[tuple[Reading, Truth]]) -> list[float]:
    """Fit the confidences of slots to sentences of the grammar, right or not."""
    features, right = [], []
    for reading, truth in readings:
        probability = config.probability(reading.evidence.sentence)
        for slot in reading.meanings[0].slots:
            words, agreement = words_behind(slot), reading.agreement(slot)
            features.append(slot_features(agreement, words, reading.evidence, probability))
            right.append((slot.label, slot.value) in truth)
    if len(features) < FEWEST:
        return []
    return _rounded(fit_logistic(np.array(features), np.array(right)))


def _rounded(weights: np.ndarray) -> list[float]:
    return [float(f"{weight:.6g}") for weight in weights]


def draw_noise(random: np.random.Generator, sample_rate: int) -> np.ndarray:
    """Make a recording without speech, `[samples]` float32: hiss, rumble, hum, knocks, or nearly nothing.

    Args:
        random: decides all of it.
        sample_rate: in Hz.
    """
    count = int(random.uniform(*NOISE_SECONDS) * sample_rate)
    frequencies = np.fft.rfftfreq(count, 1 / sample_rate)
    shape = np.maximum(frequencies, 50.0) ** -random.uniform(0, 1.5)
    spectrum = random.normal(size=len(shape)) + 1j * random.normal(size=len(shape))
    samples = np.fft.irfft(spectrum * shape, count)
    samples /= np.abs(samples).max()
    knots = random.uniform(-20, 0, max(2, count * 4 // sample_rate))
    samples *= 10 ** (np.interp(np.arange(count), np.linspace(0, count, len(knots)), knots) / 20)
    if random.random() < 0.3:  # a machine
        times, pitch = np.arange(count) / sample_rate, random.uniform(50, 400)
        for harmonic in range(1, 12):
            samples += random.uniform(0, 0.3) / harmonic * np.sin(2 * np.pi * harmonic * pitch * times)
    if random.random() < 0.3:  # knocks
        for start in random.integers(0, count, random.integers(1, 10)):
            length = min(count - start, sample_rate // 10)
            decay = np.exp(-np.arange(length) / (sample_rate * random.uniform(0.002, 0.02)))
            samples[start : start + length] += decay * random.normal(0, 1, length)
    samples *= 10 ** (random.uniform(*NOISE_DB) / 20) / max(1e-9, float(np.abs(samples).max()))
    return samples.astype(np.float32)


def _in_noise(samples: np.ndarray, random: np.random.Generator, sample_rate: int) -> np.ndarray:
    """Return samples in a noise that is some decibels below their loudest tenth of a second."""
    noise = np.resize(draw_noise(random, sample_rate), len(samples))
    size = min(len(samples), sample_rate // 10)
    powers = [
        np.mean(each[: len(each) // size * size].reshape(-1, size) ** 2, axis=1).max()
        for each in (samples, noise)
    ]
    gain = np.sqrt(powers[0] / max(powers[1], 1e-12) / 10 ** (random.uniform(*SNR_DB) / 10))
    mixed = samples + gain * noise
    return (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)
