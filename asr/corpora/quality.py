"""Measure single utterances, and tell what looks wrong with them."""

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asr.audio.reading import audio_info, read_audio
from asr.corpora.utterances import Utterance, segment_bounds
from sluice_core.wording import plural

LONGEST_READ_SECONDS = 600.0  # longer recordings are measured only so far, to keep memory bounded
SILENCE_DB = -60.0
FULL_SCALE = 0.999  # 16-bit samples end at 0.99997
CLIPPED_SHARE = 1e-3
SHORTEST_SECONDS = 0.1


@dataclass(frozen=True)
class Suspect:
    """An utterance that deserves to be looked at, and why."""

    kind: str
    where: str
    id: str
    reason: str
    severity: float
    """Larger is worse; severities of different kinds cannot be compared."""


@dataclass(frozen=True)
class Limits:
    """The settings of training that decide which utterances fit."""

    subsampling: int = 4
    hop_ms: float = 10.0
    max_seconds: float = 30.0

    def steps(self, seconds: float) -> int:
        """Return the steps of the acoustic model's output for audio of this length."""
        return math.ceil((1 + math.floor(seconds * 1000 / self.hop_ms + 1e-6)) / self.subsampling)


@dataclass(frozen=True)
class UtteranceStatistics:
    """What was measured in one readable utterance."""

    where: str
    id: str
    text: str
    speaker: str
    seconds: float
    sample_rate: int
    channels: int
    rms_db: float
    """The level of the whole utterance relative to full scale; -inf for digital silence."""
    clipped: float
    """The share of samples at full scale."""
    audio_hash: int

    @property
    def characters_per_second(self) -> float:
        """The speaking rate; spaces count."""
        return len(self.text) / self.seconds


def measure_utterance(where: str, utterance: Utterance) -> UtteranceStatistics:
    """Read an utterance and measure it.

    Raises:
        UserError: the audio is missing, unreadable, too short, or shorter than the segment.
    """
    info = audio_info(utterance["audio"])
    start, end = segment_bounds(utterance, info.duration_seconds)
    samples, _ = read_audio(
        utterance["audio"], start_seconds=start, end_seconds=min(end, start + LONGEST_READ_SECONDS)
    )
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return UtteranceStatistics(
        where=where,
        id=utterance["id"],
        text=utterance["text"],
        speaker=utterance.get("speaker", ""),
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
    """Return the kind of suspect that an utterance is whose audio could not be read."""
    there = os.path.exists(audio)  # noqa: PTH110  Path's own raises where a name is too long
    return "unreadable audio" if there else "missing audio"


def suspicions(measured: UtteranceStatistics, limits: Limits) -> Iterator[Suspect]:
    """Yield what looks wrong with one utterance by itself."""

    def suspect(kind: str, reason: str, severity: float) -> Suspect:
        return Suspect(kind, measured.where, measured.id, reason, severity)

    text, seconds = measured.text, measured.seconds
    needed = len(text) + sum(a == b for a, b in pairwise(text))
    steps = limits.steps(seconds)
    if needed > steps:
        yield suspect(
            "text too long",
            f"{plural(len(text), 'character')} need {plural(needed, 'step')} of CTC; {seconds:.2f} s give {steps} "
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
