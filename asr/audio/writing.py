"""Samples as audio files of 16 bits, on disk or in memory."""

import io
import shutil
from pathlib import Path

import numpy as np

from asr.audio.reading import resample
from sluice_core.errors import UserError

PLAYED_HZ = 16000
"""The highest sample rate of a recording in a page."""


def encode_flac(samples: np.ndarray, sample_rate: int) -> bytes:
    """Return samples `[samples]` as a FLAC file of at most 16 kHz, to be played in a page."""
    import soundfile

    played_hz = min(sample_rate, PLAYED_HZ)
    buffer = io.BytesIO()
    recording = resample(samples, sample_rate, played_hz).clip(-1, 1)
    soundfile.write(buffer, recording, played_hz, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def write_audio(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write float samples `[samples]` within ±1 as FLAC, WAV or another format, by the suffix.

    Raises:
        UserError: there is no such format, or the file cannot be written, of which libsndfile alone says too little.
    """
    import soundfile

    try:
        soundfile.write(path, samples, sample_rate, subtype="PCM_16")
    except (TypeError, ValueError) as error:
        raise UserError(f"cannot write {path}: {error}; name a .flac or .wav file") from error
    except soundfile.LibsndfileError as error:
        free = shutil.disk_usage(path.parent).free / 1e6
        raise UserError(f"cannot write {path}: {error} ({free:.1f} MB are free there)") from error
