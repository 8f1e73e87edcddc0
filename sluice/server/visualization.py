"""Visualization of a recording for the web page: waveform, spectrogram and posteriors, as compact JSON."""

from base64 import b64encode
from typing import Any

import numpy as np
import torch

from asr.acoustic.ctc import BLANK
from asr.acoustic.features import Features
from asr.decoding import greedy_decode
from asr.transcriber import Transcriber

MAX_DRAWN_SECONDS = 60.0
"""How much of a recording is drawn, from its beginning."""

_MAX_COLUMNS = 1200  # a page is rarely wider
_DYNAMIC_RANGE_DB = 80.0  # what is so far below the loudest is drawn as silence
_MIN_POSTERIOR = 0.05  # tokens whose posterior never reaches this are not drawn
_MAX_FURTHER_TOKENS = 40  # most tokens drawn besides the emitted ones


def posteriors(transcriber: Transcriber, samples: np.ndarray) -> dict[str, Any]:
    """Return what the acoustic model computes for a recording, and the waveform and spectrogram that it is given.

    Args:
        transcriber: the recognizer.
        samples: `[samples]`, float32, at the recognizer's sample rate.

    Returns:
        A dictionary for JSON. Arrays are `{"shape", "data"}`, where data is base64 of bytes in row-major order:
        `posteriors` `[tokens, steps]` (255 is probability 1; the first row is the blank), `spectrogram`
        `[mels, columns]` (255 is the loudest, 0 is 80 dB below), and `waveform` `[2, columns]` with the lowest and
        the highest sample (0 is -1, 255 is 1). Further fields: `symbols` of the posteriors' rows;
        `seconds_per_step`; `emitted` symbols with start, peak and end in seconds; `duration_seconds`;
        `drawn_seconds`.
    """
    rate = transcriber.config.features.sample_rate
    drawn = samples[: int(MAX_DRAWN_SECONDS * rate)]
    log_probs, steps = transcriber.emissions([drawn])
    (greedy,) = greedy_decode(log_probs, steps)
    probabilities = np.exp(log_probs[0, : steps[0]])  # [time, tokens]
    shown = [BLANK, *_visible_tokens(probabilities, greedy.tokens)]
    seconds_per_step = transcriber.seconds_per_step
    return {
        "duration_seconds": len(samples) / rate,
        "drawn_seconds": len(drawn) / rate,
        "seconds_per_step": seconds_per_step,
        "symbols": ["" if token == BLANK else transcriber.tokens.symbols[token] for token in shown],
        "posteriors": _pack(probabilities[:, shown].T),
        "emitted": [
            {
                "symbol": transcriber.tokens.symbols[token],
                "start": round(start * seconds_per_step, 3),
                "peak": round((start + int(probabilities[start:end, token].argmax())) * seconds_per_step, 3),
                "end": round(end * seconds_per_step, 3),
            }
            for token, start, end in zip(greedy.tokens, greedy.starts, greedy.ends, strict=True)
        ],
        "spectrogram": _pack(_spectrogram(transcriber, drawn)),
        "waveform": _pack(_envelope(drawn) / 2 + 0.5),
    }


def _visible_tokens(probabilities: np.ndarray, emitted: tuple[int, ...]) -> list[int]:
    """Return the tokens to draw: the emitted ones in their order, then others with a high posterior."""
    highest = probabilities.max(axis=0, initial=0.0)
    others = [
        int(token) for token in np.argsort(-highest)[:_MAX_FURTHER_TOKENS] if highest[token] >= _MIN_POSTERIOR
    ]
    return [token for token in dict.fromkeys([*emitted, *others]) if token != BLANK]


def _spectrogram(transcriber: Transcriber, samples: np.ndarray) -> np.ndarray:
    """Return mel energies `[mels, columns]`, from 0 (silence) to 1 (the loudest)."""
    plain = transcriber.config.features.model_copy(
        update={"kind": "log_mel", "deltas": 0, "normalize": "none"}
    )
    with torch.inference_mode():
        batch, lengths = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
        decibels = Features(plain)(batch, lengths)[0][0].numpy() * (10 / np.log(10))  # [time, mels]
    columns = np.maximum.reduceat(decibels, _column_starts(len(decibels)), axis=0).T
    loudest = max(
        float(columns.max()), 10 * np.log10(plain.floor) + 1
    )  # so that a silent recording is drawn as silence
    return 1 + (columns - loudest) / _DYNAMIC_RANGE_DB


def _envelope(samples: np.ndarray) -> np.ndarray:
    """Return the lowest and highest sample of each column, `[2, columns]`, so that no peak is lost."""
    starts = _column_starts(len(samples))
    return np.stack([np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)])


def _column_starts(count: int) -> np.ndarray:
    """Return where columns begin, at most `_MAX_COLUMNS` of them."""
    return np.linspace(0, count, min(_MAX_COLUMNS, count), endpoint=False).astype(int)


def _pack(values: np.ndarray) -> dict[str, Any]:
    """Convert values from 0 to 1 to bytes, in base64."""
    rounded = (255 * values.clip(0, 1) + 0.5).astype(np.uint8)
    return {"shape": list(values.shape), "data": b64encode(rounded.tobytes()).decode("ascii")}
