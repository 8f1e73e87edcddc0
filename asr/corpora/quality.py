"""What can be heard and counted in one utterance, and what of it looks wrong."""

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asr.corpora.utterances import Utterance, segment

LONGEST_READ_SECONDS = 600.0  # of longer recordings only this much is listened to: memory stays bounded
SILENCE_DB = -60.0
FULL_SCALE = 0.999  # 16-bit samples end at 0.99997
CLIPPED_SHARE = 1e-3
SHORTEST_SECONDS = 0.1


@dataclass(frozen=True)
class Suspect:
    """An utterance that deserves a look."""

    kind: str
    where: str
    id: str
    reason: str
    severity: float
    """Larger is worse; compares only with suspects of the same kind."""


@dataclass(frozen=True)
class Limits:
    """What training will be like, which decides what fits."""

    subsampling: int = 4
    hop_ms: float = 10.0
    max_seconds: float = 30.0

    def steps(self, seconds: float) -> int:
        """Steps of the acoustic model's output for so much audio."""
        return math.ceil((1 + math.floor(seconds * 1000 / self.hop_ms + 1e-6)) / self.subsampling)


@dataclass(frozen=True)
class Measurement:
    """Facts of one readable utterance."""

    where: str
    id: str
    text: str
    speaker: str
    seconds: float
    sample_rate: int
    channels: int
    rms_db: float
    """Level of the whole utterance against full scale; -inf for digital silence."""
    clipped: float
    """Share of samples at full scale."""
    audio_hash: int

    @property
    def characters_per_second(self) -> float:
        """Speaking rate, spaces counted."""
        return len(self.text) / self.seconds


def measure_utterance(where: str, row: Utterance) -> Measurement:
    """Listen to an utterance.

    Raises:
        UserError: the audio is missing, unreadable, too short, or shorter than the segment.
    """
    from asr.audio.reading import audio_info, read_audio

    info = audio_info(row["audio"])
    start, end = segment(row, info.duration_seconds)
    samples, _ = read_audio(
        row["audio"], start_seconds=start, end_seconds=min(end, start + LONGEST_READ_SECONDS)
    )
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return Measurement(
        where=where,
        id=row["id"],
        text=row["text"],
        speaker=row.get("speaker", ""),
        seconds=end - start,
        sample_rate=info.sample_rate,
        channels=info.channels,
        rms_db=10 * math.log10(power) if power > 0 else -math.inf,
        clipped=float(np.mean(np.abs(samples) >= FULL_SCALE)),
        audio_hash=_hash(samples.tobytes()),
    )


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def error_kind(audio: str) -> str:
    """What to call an utterance whose audio could not be read."""
    there = os.path.exists(audio)  # noqa: PTH110  Path's own raises where a name is too long
    return "unreadable audio" if there else "missing audio"


def suspicions(measured: Measurement, limits: Limits) -> Iterator[Suspect]:
    """What looks wrong with one utterance by itself."""

    def suspect(kind: str, reason: str, severity: float) -> Suspect:
        return Suspect(kind, measured.where, measured.id, reason, severity)

    text, seconds = measured.text, measured.seconds
    needed = len(text) + sum(a == b for a, b in pairwise(text))
    steps = limits.steps(seconds)
    if needed > steps:
        yield suspect(
            "text too long",
            f"{len(text)} characters need {needed} steps of CTC; {seconds:.2f} s give {steps} "
            f"({limits.hop_ms:g} ms frames, {limits.subsampling}x subsampling)",
            needed / steps,
        )
    if measured.rms_db < SILENCE_DB:
        level = f"{measured.rms_db:.0f} dB" if math.isfinite(measured.rms_db) else "nothing but zeros"
        yield suspect("silence", f"{level} (RMS against full scale)", -measured.rms_db)
    if measured.clipped > CLIPPED_SHARE:
        yield suspect("clipping", f"{measured.clipped:.1%} of the samples at full scale", measured.clipped)
    if seconds < SHORTEST_SECONDS:
        yield suspect("too short", f"{1000 * seconds:.0f} ms", -seconds)
    if seconds > limits.max_seconds:
        yield suspect("too long", f"{seconds:.1f} s, over {limits.max_seconds:g} s", seconds)
