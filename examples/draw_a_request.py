"""Draw how a recording becomes words and slots: waveform, spectrogram, posteriors, words with their times, slots.

    python examples/draw_a_request.py runs/ctc-travel runs/slots-travel request.wav request.png

The picture of the README was made so.
"""

import argparse
from typing import Any

import numpy as np

WIDTH_INCHES, HEIGHT_INCHES = 10.0, 5.2
LETTERS_ABOVE = 0.4
"""A token is written where its posterior is above this."""


def main(arguments: list[str] | None = None) -> None:
    """Understand one recording and draw every step of the way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recognizer", help="a recognizer's run directory")
    parser.add_argument("tagger", help="a tagger's run directory")
    parser.add_argument("audio", help="audio file")
    parser.add_argument("picture", help="what to write: .png or .svg")
    options = parser.parse_args(arguments)

    from sluice import Understander

    understander = Understander.load(options.recognizer, tagger=options.tagger)
    understood = understander.understand(options.audio)
    draw(understander.transcriber, understood, options.audio, options.picture)
    print(f"{understood.written_text}  ->  {options.picture}")


def draw(transcriber: Any, understood: Any, audio: str, picture: str) -> None:
    """Draw the five rows over one axis of time."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    rate = transcriber.config.features.sample_rate
    samples = transcriber.emitter.read(audio)
    seconds = len(samples) / rate
    figure, rows = pyplot.subplots(
        4, 1, figsize=(WIDTH_INCHES, HEIGHT_INCHES), sharex=True, height_ratios=(1.0, 1.6, 1.6, 1.3)
    )
    rows[0].plot(np.arange(len(samples)) / rate, samples, linewidth=0.4, color="tab:blue")
    rows[0].set(ylabel="audio", yticks=[], xlim=(0, seconds))
    rows[1].imshow(
        spectrogram(transcriber, samples).T,
        origin="lower",
        aspect="auto",
        extent=(0, seconds, 0, 1),
        cmap="magma",
    )
    rows[1].set(ylabel="log-mel", yticks=[])
    draw_posteriors(rows[2], transcriber, audio)
    draw_words(rows[3], understood)
    for row in rows:
        for side in ("top", "right", "left", "bottom"):
            row.spines[side].set_visible(False)
        row.tick_params(bottom=row is rows[3])
    figure.align_ylabels(rows)
    figure.suptitle(f"{understood.written_text}   ·   {understood.intent}", fontsize=12)
    figure.tight_layout(h_pad=0.3)
    figure.savefig(picture, dpi=100)
    pyplot.close(figure)


def spectrogram(transcriber: Any, samples: np.ndarray) -> np.ndarray:
    """Return what the recognizer sees, `[frames, bands]`."""
    import torch

    features, _ = transcriber.features(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    return features[0].numpy()


def draw_posteriors(row: Any, transcriber: Any, audio: str) -> None:
    """Draw each token's posterior over time; blank is a grey line."""
    (emission,) = transcriber.emitter.emit_many([audio])
    posteriors = np.exp(emission.log_probs)
    times = np.arange(len(posteriors)) * transcriber.seconds_per_step
    row.plot(times, posteriors[:, 0], color="0.6", linewidth=0.8)
    for token in range(1, posteriors.shape[1]):
        name = transcriber.tokens.decode([token]) or "␣"
        row.fill_between(times, posteriors[:, token], linewidth=0, alpha=0.7)
        for step in np.flatnonzero(posteriors[:, token] > LETTERS_ABOVE):
            if posteriors[step, token] >= posteriors[max(0, step - 1) : step + 2, token].max():
                row.text(times[step], 1.04, name, ha="center", fontsize=8)
    row.set(ylabel="posteriors", yticks=[], ylim=(0, 1.2))


def draw_words(row: Any, understood: Any) -> None:
    """Draw words at their times, and under them the slots with what they stand for."""
    for word in understood.words:
        row.add_patch(_box(word.start, word.end, 1.05, "0.92"))
        row.text((word.start + word.end) / 2, 1.45, word.text, ha="center", va="center", fontsize=9)
    for number, slot in enumerate(understood.slots):
        row.add_patch(_box(slot.start_seconds, slot.end_seconds, 0.1, f"C{number}", alpha=0.35))
        value = f" = {slot.value}" if slot.value and slot.value != slot.written else ""
        middle = (slot.start_seconds + slot.end_seconds) / 2
        row.text(middle, 0.5, f"{slot.label}\n{slot.written}{value}", ha="center", va="center", fontsize=9)
    row.set(ylabel="words, slots", yticks=[], ylim=(0, 2), xlabel="seconds")


def _box(start: float, end: float, bottom: float, color: str, alpha: float = 1.0) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (start, bottom), end - start, 0.8, facecolor=color, alpha=alpha, edgecolor="white", linewidth=3
    )


if __name__ == "__main__":
    main()
