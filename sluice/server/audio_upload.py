"""An uploaded file as samples: only what looks like sound is opened, under no name of its sender's."""

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

MOST_CHANNELS = 6
"""Those of a film's sound (5.1); what an array of microphones records is to be mixed before it is sent."""
RATES_HZ = 1000, 400_000
"""What no recording goes beyond; a block of more would take much memory."""

_SOUND = re.compile(
    rb"RIFF|RIFX|RF64|riff|fLaC|OggS|ID3|FORM|\.snd|dns\.|NIST_1A|caff|\x1aE\xdf\xa3|0&\xb2u|#!AMR|\xff[\xe0-\xff]|"
    rb".{4}(?:ftyp|moov|mdat|wide|free|skip)",
    re.DOTALL,
)
"""How files begin: WAV, W64, FLAC, Ogg, MP3, AIFF, AU, SPHERE, CAF, Matroska, ASF, AMR, MPEG, QuickTime."""


def decode(file: BinaryIO, name: str, folder: Path, sample_rate: int, longest_seconds: float) -> np.ndarray:
    """Samples `[samples]` float32, mono, at `sample_rate` Hz.

    Args:
        file: what was sent.
        name: how messages call it; nothing is opened under it.
        folder: where a copy lies for as long as this takes.
        sample_rate: in Hz.
        longest_seconds: no more is decoded.

    Raises:
        ApiError: 415, it is no sound; 413, it is too long; 400, it is damaged, too short, or odd beyond use.
    """
    head = file.read(32)
    if not head:
        raise ApiError(400, f"{name}: the file is empty (0 bytes)", param="file", code="empty_file")
    if not _SOUND.match(head):
        raise ApiError(
            415,
            f"{name}: is no sound file of a known kind; send WAV, FLAC, Ogg, Opus, MP3, AIFF, SPHERE, M4A or WebM",
            param="file",
            code="unsupported_media_type",
        )
    file.seek(0)
    with NamedTemporaryFile(dir=folder) as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        try:
            return _read(Path(copy.name), sample_rate, longest_seconds)
        except AudioTooLong as error:
            message, status, code = str(error), 413, "audio_too_long"
        except AudioError as error:
            message, status, code = str(error), 400, "invalid_audio"
        except Exception:  # whatever a decoder stumbles over is the file's fault, and no one else's matter
            log.exception("a decoder failed")
            message, status, code = f"{copy.name}: cannot be decoded", 400, "invalid_audio"
    raise ApiError(status, message.replace(copy.name, name), param="file", code=code)


def shown_name(sent: str | None) -> str:
    """The last part of a name that was sent, short and printable, for messages alone."""
    last = re.split(r"[\\/]", sent or "")[-1]
    return "".join(letter for letter in last if letter.isprintable())[:80] or "the upload"


def _read(path: Path, sample_rate: int, longest_seconds: float) -> np.ndarray:
    info = audio_info(path, longest_seconds=longest_seconds)
    if info.channels > MOST_CHANNELS:
        raise AudioError(f"{path}: has {info.channels} channels; at most {MOST_CHANNELS} are read")
    if not RATES_HZ[0] <= info.sample_rate <= RATES_HZ[1]:
        raise AudioError(
            f"{path}: its rate of {info.sample_rate} Hz is not between {RATES_HZ[0]} and {RATES_HZ[1]} Hz"
        )
    samples, _ = read_audio(path, sample_rate, longest_seconds=longest_seconds)
    return check_samples(samples, sample_rate, str(path))
