"""What the page draws of a recording: waveform, spectrogram and posteriors, as compact JSON."""

from base64 import b64encode
from typing import Any

import numpy as np
import torch

from asr.acoustic.ctc import BLANK
from asr.acoustic.features import Features
from asr.decoding import greedy_decode
from asr.transcriber import Transcriber

DRAWN_SECONDS = 60.0
"""Of longer recordings the beginning is drawn."""

_COLUMNS = 1200  # a page is hardly wider
_RANGE_DB = 80.0  # what is so far below the loudest is drawn as silence
_FAINT = 0.05  # tokens whose posterior never reaches this are not drawn
_CURVES = 40  # most tokens drawn besides the emitted ones


def posteriors(transcriber: Transcriber, samples: np.ndarray) -> dict[str, Any]:
    """What the acoustic model says of a recording over time, and what it was given.

    Args:
        transcriber: whose posteriors.
        samples: `[samples]` float32 at its rate.

    Returns:
        Arrays are `{"shape", "data"}`: base64 of bytes, row by row. `posteriors` `[tokens, steps]` (255 is 1; the
        first row is the blank), their `symbols`, `seconds_per_step`, the `emitted` symbols with start, peak and
        end in seconds; `spectrogram` `[mels, columns]` (255 is the loudest, 0 is 80 dB below); `waveform`
        `[2, columns]`, lowest and highest sample (0 is -1, 255 is 1); `duration_seconds`, `drawn_seconds`.
    """
    rate = transcriber.config.features.sample_rate
    drawn = samples[: int(DRAWN_SECONDS * rate)]
    log_probs, steps = transcriber.emissions([drawn])
    (greedy,) = greedy_decode(log_probs, steps)
    likely = log_probs[0, : int(steps[0])].exp().cpu().numpy()  # [steps, tokens]
    shown = [BLANK, *_visible(likely, greedy.tokens)]
    second = transcriber.seconds_per_step
    return {
        "duration_seconds": len(samples) / rate,
        "drawn_seconds": len(drawn) / rate,
        "seconds_per_step": second,
        "symbols": ["" if token == BLANK else transcriber.tokens.symbols[token] for token in shown],
        "posteriors": _packed(likely[:, shown].T),
        "emitted": [
            {
                "symbol": transcriber.tokens.symbols[token],
                "start": round(start * second, 3),
                "peak": round((start + int(likely[start:end, token].argmax())) * second, 3),
                "end": round(end * second, 3),
            }
            for token, start, end in zip(greedy.tokens, greedy.starts, greedy.ends, strict=True)
        ],
        "spectrogram": _packed(_spectrogram(transcriber, drawn)),
        "waveform": _packed(_outline(drawn) / 2 + 0.5),
    }


def _visible(likely: np.ndarray, emitted: tuple[int, ...]) -> list[int]:
    """Tokens worth a line: the emitted ones in their order, then others that come high."""
    highest = likely.max(axis=0, initial=0.0)
    others = [int(token) for token in np.argsort(-highest)[:_CURVES] if highest[token] >= _FAINT]
    return [token for token in dict.fromkeys([*emitted, *others]) if token != BLANK]


def _spectrogram(transcriber: Transcriber, samples: np.ndarray) -> np.ndarray:
    """Mel energies `[mels, columns]` from 0, silence, to 1, the loudest."""
    plain = transcriber.config.features.model_copy(
        update={"kind": "log_mel", "deltas": 0, "normalize": "none"}
    )
    with torch.inference_mode():
        batch, lengths = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
        decibels = Features(plain)(batch, lengths)[0][0].numpy() * (10 / np.log(10))  # [time, mels]
    columns = np.maximum.reduceat(decibels, _edges(len(decibels)), axis=0).T
    loudest = max(float(columns.max()), 10 * np.log10(plain.floor) + 1)  # so that silence is silence
    return 1 + (columns - loudest) / _RANGE_DB


def _outline(samples: np.ndarray) -> np.ndarray:
    """Lowest and highest sample of each column `[2, columns]`, so that no peak is lost."""
    edges = _edges(len(samples))
    return np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)])


def _edges(count: int) -> np.ndarray:
    """Where columns begin, at most `_COLUMNS` of them."""
    return np.linspace(0, count, min(_COLUMNS, count), endpoint=False).astype(int)


def _packed(values: np.ndarray) -> dict[str, Any]:
    """Values from 0 to 1 as bytes."""
    rounded = (255 * values.clip(0, 1) + 0.5).astype(np.uint8)
    return {"shape": list(values.shape), "data": b64encode(rounded.tobytes()).decode("ascii")}
