"""The picture of an utterance: its spectrogram, the posteriors of the model, and the tokens that are emitted."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from asr.acoustic.ctc import BLANK
from asr.acoustic.features import Features, hz_to_mel
from asr.config import FeatureConfig
from asr.decoding import Hypothesis, greedy_decode
from asr.transcriber import Transcriber
from sluice_core.reporting.plots import INK, MUTED, SERIES, draw_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN_SECONDS = 30.0
"""Only the beginning of longer utterances is drawn."""

_RANGE_DB = 80.0  # what is so far below the loudest is drawn black
_LABELLED_HZ = (250, 500, 1000, 2000, 4000, 8000, 16000)
_FAINT = 0.05  # tokens whose posterior never reaches this are not drawn
_CURVES = 60  # most tokens drawn besides the emitted ones: a large alphabet


def picture(transcriber: Transcriber, samples: np.ndarray, words: list[dict[str, Any]]) -> tuple[str, str]:
    """Draw an utterance as SVG.

    Args:
        transcriber: the recognizer whose posteriors to draw.
        samples: `[samples]` float32 at the model's rate; at most `DRAWN_SECONDS` should be given.
        words: what was said, with `text`, `start_seconds` and `end_seconds`, where it is known when.

    Returns:
        The `<svg>` element, and a sentence that says what it shows.
    """
    log_probs, steps = transcriber.emissions([samples])
    hypothesis = greedy_decode(log_probs, steps)[0]
    posteriors = np.exp(log_probs[0, : steps[0]])  # [time, tokens]
    seconds = len(samples) / transcriber.config.features.sample_rate
    width = float(np.clip(max(1.6 * seconds, 0.14 * len(hypothesis.tokens)), 10, 60))

    def draw(figure: "Figure") -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.3, 1])
        _draw_spectrogram(upper, samples, transcriber.config.features)
        _draw_words(upper, words, seconds)
        _draw_posteriors(lower, posteriors, hypothesis, transcriber)
        lower.set_xlim(0, seconds)
        lower.set_xlabel("time (s)")

    blank = posteriors[:, BLANK].mean() if len(posteriors) else 1.0
    alt = (
        f"Mel spectrogram of {seconds:.1f} seconds and under it the posterior of each token over time; the blank has "
        f"{blank:.0%} on average, and {len(hypothesis.tokens)} tokens are emitted"
        + (f": {transcriber.tokens.decode(hypothesis.tokens)}" if hypothesis.tokens else "")
    )
    return draw_svg(draw, width, 4.2), alt


def _draw_spectrogram(axes: "Axes", samples: np.ndarray, config: FeatureConfig) -> None:
    """Draw mel energies in dB, evenly spaced in mel and labelled in Hz."""
    plain = config.model_copy(update={"kind": "log_mel", "deltas": 0, "normalize": "none"})
    features = Features(plain)
    with torch.no_grad():
        batch, lengths = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
        decibels = features(batch, lengths)[0][0].numpy() * (10 / np.log(10))  # [time, mels]
    loudest, hop = float(decibels.max()), features.seconds_per_frame
    low_hz, high_hz = config.low_hz, config.high_hz or config.sample_rate / 2
    extent = (-0.5 * hop, (len(decibels) - 0.5) * hop, hz_to_mel(low_hz), hz_to_mel(high_hz))
    axes.imshow(
        decibels.T,
        cmap="magma",
        vmin=loudest - _RANGE_DB,
        vmax=max(loudest, loudest - _RANGE_DB + 1),
        aspect="auto",
        origin="lower",
        extent=extent,
        interpolation="none",
    )
    labels = [hz for hz in _LABELLED_HZ if low_hz <= hz <= high_hz]
    axes.set_yticks([hz_to_mel(hz) for hz in labels], [f"{hz}" for hz in labels])
    axes.set_ylabel("frequency (Hz)")


def _draw_words(axes: "Axes", words: list[dict[str, Any]], seconds: float) -> None:
    """Write words above the spectrogram where they were said, and mark their beginnings."""
    for word in words:
        start, end = word["start_seconds"], min(word["end_seconds"], seconds)
        if start >= seconds:
            continue
        axes.axvline(start, color="white", alpha=0.7, linewidth=0.8)
        place = axes.get_xaxis_transform()  # seconds, and a share of the height
        axes.text(
            (start + end) / 2, 1.02, word["text"], transform=place, ha="center", va="bottom", fontsize=8
        )


def _draw_posteriors(
    axes: "Axes", posteriors: np.ndarray, hypothesis: Hypothesis, transcriber: Transcriber
) -> None:
    """Draw the blank as a grey area and tokens as lines; write each emitted token over its highest step."""
    times = np.arange(len(posteriors)) * transcriber.seconds_per_step
    axes.fill_between(times, posteriors[:, BLANK], color=MUTED, alpha=0.3, linewidth=0)
    colours = _colours(_visible(posteriors, hypothesis), transcriber)
    for token, colour in colours.items():
        axes.plot(times, posteriors[:, token], color=colour, linewidth=1.3)
    place = axes.get_xaxis_transform()
    for token, start, end in zip(hypothesis.tokens, hypothesis.starts, hypothesis.ends, strict=True):
        peak = start + int(posteriors[start:end, token].argmax())
        symbol = transcriber.tokens.symbols[token].replace(" ", "␣")
        axes.text(
            times[peak], 1.05, symbol, transform=place, ha="center", va="baseline", color=colours[token]
        )
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("posterior")
    axes.grid(True, color=INK)


def _visible(posteriors: np.ndarray, hypothesis: Hypothesis) -> list[int]:
    """Return the tokens worth a line: the emitted ones in their order, then others whose posterior comes high."""
    if not len(posteriors):
        return []
    highest = posteriors.max(axis=0)
    others = [int(token) for token in np.argsort(-highest)[: _CURVES + 1] if highest[token] >= _FAINT]
    return [token for token in dict.fromkeys([*hypothesis.tokens, *others]) if token != BLANK]


def _colours(tokens: list[int], transcriber: Transcriber) -> dict[int, str]:
    """Return a colour for each token, in turn, so that neighbours rarely share one; the space has the text's."""
    coloured = [token for token in tokens if transcriber.tokens.symbols[token] != " "]
    colours = {token: SERIES[place % len(SERIES)] for place, token in enumerate(coloured)}
    return {token: colours.get(token, INK) for token in tokens}
