"""Decoding of an uploaded audio file: only what looks like audio is opened, and never under the client's file name."""

import logging
import re
import shutil
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

import numpy as np

from asr.audio.containers import AudioError, AudioTooLong
from asr.audio.reading import audio_info, check_samples, read_audio
from sluice.server.errors import ApiError

log = logging.getLogger(__name__)

MAX_CHANNELS = 6
"""As many as a film has (5.1); recordings of microphone arrays must be mixed before they are sent."""
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1000, 400_000
"""Range of sample rates in Hz; a block of audio at a higher rate would take much memory."""

_AUDIO_SIGNATURE = re.compile(
    rb"RIFF|RIFX|RF64|riff|fLaC|OggS|ID3|FORM|\.snd|dns\.|NIST_1A|caff|\x1aE\xdf\xa3|0&\xb2u|#!AMR|\xff[\xe0-\xff]|"
    rb".{4}(?:ftyp|moov|mdat|wide|free|skip)",
    re.DOTALL,
)
"""First bytes of WAV, W64, FLAC, Ogg, MP3, AIFF, AU, SPHERE, CAF, Matroska, ASF, AMR, MPEG and QuickTime files."""


def decode_upload(
    file: BinaryIO, name: str, folder: Path, sample_rate: int, max_seconds: float
) -> np.ndarray:
    """Decode an uploaded file to samples `[samples]`, float32, mono.

    Args:
        file: the uploaded file.
        name: its name in messages; no file is opened under it.
        folder: where a temporary copy is written.
        sample_rate: wanted sample rate in Hz.
        max_seconds: longest recording; no more is decoded.

    Raises:
        ApiError: 415, it is not audio; 413, it is too long; 400, it is damaged, too short, or has unusual properties.
    """
    head = file.read(32)
    if not head:
        raise ApiError(400, f"{name}: the file is empty (0 bytes)", param="file", code="empty_file")
    if not _AUDIO_SIGNATURE.match(head):
        raise ApiError(
            415,
            f"{name}: is not an audio file of a known format; send WAV, FLAC, Ogg, Opus, MP3, AIFF, SPHERE, M4A or "
            "WebM",
            param="file",
            code="unsupported_media_type",
        )
    file.seek(0)
    with NamedTemporaryFile(dir=folder) as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        try:
            return _read(Path(copy.name), sample_rate, max_seconds)
        except AudioTooLong as error:
            message, status, code = str(error), 413, "audio_too_long"
        except AudioError as error:
            message, status, code = str(error), 400, "invalid_audio"
        except Exception:  # any exception of a decoder means a bad file; its text may tell about this machine
            log.exception("an audio decoder failed")
            message, status, code = f"{copy.name}: cannot be decoded", 400, "invalid_audio"
    raise ApiError(status, message.replace(copy.name, name), param="file", code=code)


def display_name(file_name: str | None) -> str:
    r"""Return the last part of an uploaded file's name, short and printable, for use in messages only.

    Example:
        >>> display_name("../../etc/pass\nwd")
        'passwd'
        >>> display_name(None)
        'the upload'
    """
    last = re.split(r"[\\/]", file_name or "")[-1]
    return "".join(character for character in last if character.isprintable())[:80] or "the upload"


def _read(path: Path, sample_rate: int, max_seconds: float) -> np.ndarray:
    info = audio_info(path, longest_seconds=max_seconds)
    if info.channels > MAX_CHANNELS:
        raise AudioError(f"{path}: has {info.channels} channels; at most {MAX_CHANNELS} are read")
    if not MIN_SAMPLE_RATE <= info.sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{path}: its sample rate of {info.sample_rate} Hz is not between {MIN_SAMPLE_RATE} and "
            f"{MAX_SAMPLE_RATE} Hz"
        )
    samples, _ = read_audio(path, sample_rate, longest_seconds=max_seconds)
    return check_samples(samples, sample_rate, str(path))
