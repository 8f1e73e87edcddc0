"""Pictures of audio and its features."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from asr.acoustic.features import Features, hz_to_mel
from asr.audio.reading import audio_info, read_audio
from asr.config import FeatureConfig
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_SECONDS = 600.0
"""Only the beginning of longer files is drawn; a wider picture would show nothing more."""

_COLUMNS = 2000  # of the waveform's outline: about the picture's pixels
_RANGE_DB = 80.0  # darker than this below the loudest is drawn black
_LABELLED_HZ = [100, 200, 500, 1000, 2000, 4000, 8000, 16000]


class PlotError(UserError):
    """A picture that cannot be drawn or written."""


def plot_features(audio: str | Path, config: FeatureConfig, picture: str | Path) -> None:
    """Draw the waveform and the mel spectrogram of an audio file, and its MFCC if these are the features.

    Args:
        audio: any file that `asr.audio.reading.read_audio` reads.
        config: rate, window, hop, mels and frequencies; `kind: mfcc` adds its normalized coefficients.
        picture: PNG file to write; its folder must exist.

    Raises:
        AudioError: the file cannot be read.
        PlotError: the picture cannot be written, or matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError("pictures need matplotlib: pip install 'sluice-speech[train]'") from error

    info = audio_info(audio)
    end_seconds = LONGEST_SECONDS if info.duration_seconds > LONGEST_SECONDS else None
    samples, rate = read_audio(audio, config.sample_rate, end_seconds=end_seconds)
    panels = 3 if config.kind == "mfcc" else 2
    figure = Figure(figsize=(11, 1.2 + 2.4 * panels), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display, and leaves the caller's pyplot alone
    axes = figure.subplots(panels, 1, sharex=True, height_ratios=[1, 2, 1.4][:panels])
    shown = f", the first {LONGEST_SECONDS:.0f} s" if end_seconds else ""
    figure.suptitle(
        f"{Path(audio).name}: {info.duration_seconds:.2f} s, {info.sample_rate} Hz, "
        f"{info.channels} channel{'s' * (info.channels > 1)}{shown}"
    )
    _draw_waveform(axes[0], samples, rate)
    _draw_mel(axes[1], samples, config)
    if config.kind == "mfcc":
        _draw_coefficients(axes[2], samples, config)
    axes[0].set_xlim(0, len(samples) / rate)
    axes[-1].set_xlabel("time (s)")
    try:
        figure.savefig(picture, format="png")
    except OSError as error:
        raise PlotError(f"{picture}: cannot write the picture: {error.strerror}") from error


def _draw_waveform(axes: "Axes", samples: np.ndarray, rate: int) -> None:
    """Draw the highest and lowest sample of each column, so that no peak is lost."""
    edges = np.linspace(0, len(samples), min(_COLUMNS, len(samples)), endpoint=False).astype(int)
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    axes.fill_between(edges / rate, low, high, color="#2c5f8a", linewidth=0.6)
    reach = 1.08 * max(float(np.abs(samples).max()), 1e-4)
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("amplitude")
    axes.grid(alpha=0.3)


def _draw_mel(axes: "Axes", samples: np.ndarray, config: FeatureConfig) -> None:
    """Draw mel energies in dB below the loudest, evenly spaced in mel and labelled in Hz; the floor is black."""
    plain = config.model_copy(update={"kind": "log_mel", "deltas": 0, "normalize": "none"})
    decibels = _features(samples, plain) * float(10 / np.log(10))
    decibels -= max(decibels.max(), 10 * np.log10(config.floor) + 1)  # so that silence is black
    low_hz, high_hz = config.low_hz, config.high_hz or config.sample_rate / 2
    darkest = max(float(decibels.min()), -_RANGE_DB)
    rows = hz_to_mel(low_hz), hz_to_mel(high_hz)
    _draw_image(axes, decibels, plain, rows, "magma", (darkest, 0.0), "dB below the loudest")
    labels = [hz for hz in _LABELLED_HZ if low_hz <= hz <= high_hz]
    axes.set_yticks([hz_to_mel(hz) for hz in labels], [f"{hz}" for hz in labels])
    axes.set_ylabel(f"frequency (Hz), {config.mels} mels")


def _draw_coefficients(axes: "Axes", samples: np.ndarray, config: FeatureConfig) -> None:
    """Draw cepstral coefficients, with their deltas above them, as the model gets them."""
    values = _features(samples, config)
    normalized = config.normalize != "none"
    reach = 3.0 if normalized else float(np.abs(values).max())
    rows = -0.5, values.shape[1] - 0.5
    label = "standard deviations" if normalized else "value"
    _draw_image(axes, values, config, rows, "RdBu_r", (-reach, reach), label)
    axes.set_ylabel("MFCC" + (" and deltas" if config.deltas else ""))


def _draw_image(
    axes: "Axes",
    values: np.ndarray,
    config: FeatureConfig,
    rows: tuple[float, float],
    colours: str,
    limits: tuple[float, float],
    label: str,
) -> None:
    """Draw features `[time, size]` as an image over seconds, each column centred on its frame."""
    hop_seconds = round(config.sample_rate * config.hop_ms / 1000) / config.sample_rate
    extent = (-0.5 * hop_seconds, (len(values) - 0.5) * hop_seconds, *rows)
    image = axes.imshow(values.T, cmap=colours, aspect="auto", origin="lower", extent=extent)
    image.set_clim(*limits)
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.01)


def _features(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    with torch.no_grad():
        batch, lengths = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
        return Features(config)(batch, lengths)[0][0].numpy()
