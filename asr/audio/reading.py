"""Read audio files and arrays as mono float32 samples, or say why that is not possible."""

import glob
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio.containers import CONTAINER_SUFFIXES, AudioError, SoundFile, open_sound

__all__ = [
    "AudioError",
    "AudioInfo",
    "audio_blocks",
    "audio_info",
    "check_samples",
    "find_audio",
    "read_audio",
    "resample",
]

MIN_SECONDS = 0.02
"""Shorter audio is refused: it has less than one analysis window."""

SUFFIXES = CONTAINER_SUFFIXES | frozenset(
    [
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
        ".sph",
        ".w64",
    ]
)
"""Suffixes of the files that `find_audio` finds in a directory."""

_LARGEST_SAMPLE = (
    1e6  # far above 16-bit integers; the squares of much larger samples would overflow in float32
)


@dataclass(frozen=True)
class AudioInfo:
    """The format and length of a file; `frames` is its number of samples in one channel."""

    path: Path
    sample_rate: int
    channels: int
    frames: int
    duration_seconds: float


def audio_info(path: str | Path, *, longest_seconds: float | None = None) -> AudioInfo:
    """Return the rate in Hz, the channels and the length of a file, from its header where that is reliable.

    No more than `longest_seconds` of a file is decoded.

    Raises:
        AudioError: the file is missing, empty, not audio, or truncated. What only decoding finds (damage in FLAC
            or MP3, NaN) is not noticed.
        AudioTooLong: the file is longer than `longest_seconds`.
    """
    with closing(open_sound(Path(path), longest_seconds)) as sound:
        seconds = sound.frames / sound.sample_rate
        return AudioInfo(sound.path, sound.sample_rate, sound.channels, sound.frames, seconds)


def read_audio(
    path: str | Path,
    sample_rate: int | None = None,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    longest_seconds: float | None = None,
) -> tuple[np.ndarray, int]:
    """Read a file, or the segment of it between two times, as mono.

    Channels are averaged and the rate is changed (soxr, high quality) block by block, so that memory holds
    the result and little else.

    Args:
        path: A WAV, FLAC, OGG, Opus, MP3, AIFF, AU or NIST SPHERE file; M4A, WebM and other containers with
            the extra `sluice-speech[formats]`.
        sample_rate: The wanted rate in Hz; the file's own if not given.
        start_seconds: Where the segment begins; at the file's beginning if not given.
        end_seconds: Where the segment ends; at the file's end if not given.
        longest_seconds: The longest file that is not refused; no more than this is decoded.

    Returns:
        float32 samples `[samples]`, nominally within ±1, and their rate in Hz.

    Raises:
        AudioError: the file is missing, empty, not audio, truncated, shorter than 20 ms, has NaN or
            infinity, or the segment lies outside it.
        AudioTooLong: the file is longer than `longest_seconds`.
    """
    with closing(open_sound(Path(path), longest_seconds)) as sound:
        first, last = _segment(sound, start_seconds, end_seconds)
        rate = sample_rate or sound.sample_rate
        mono = np.concatenate([np.zeros(0, np.float32), *_mono_blocks(sound, first, last, rate)])
    return check_samples(mono, rate, str(path)), rate


def audio_blocks(path: str | Path, sample_rate: int) -> Iterator[np.ndarray]:
    """Read a whole file a few seconds at a time, for recordings that are too long for memory.

    Yields:
        Blocks of float32 samples `[samples]` at `sample_rate` Hz, of any lengths; together they are the samples
        that `read_audio` returns.

    Raises:
        AudioError: the file is one that `read_audio` refuses; what only decoding finds is found on the way.
    """
    with closing(open_sound(Path(path))) as sound:
        position = 0
        for block in _mono_blocks(sound, 0, sound.frames, sample_rate):
            _check_finite(block, sample_rate, str(path), position)
            position += len(block)
            yield block
    _check_long_enough(position, sample_rate, str(path))


def check_samples(samples: Any, sample_rate: int, what: str) -> np.ndarray:
    """Convert an array, tensor or list to mono float32 samples `[samples]`, or say why that is not possible.

    Args:
        samples: `[samples]`, or two-dimensional, where the shorter axis is taken for the channels
            (`[channels, samples]` as in torch, `[samples, channels]` as in soundfile) and averaged.
            Integers of 8, 16 and 32 bits are scaled to ±1 (unsigned ones of 8 bits are centred on 128).
        sample_rate: The rate in Hz.
        what: How messages name the audio.

    Raises:
        AudioError: the shape or type is wrong, there are no samples, some are NaN or infinite, or they last less
            than 20 ms.
    """
    if not 0 < sample_rate < math.inf:
        raise AudioError(f"{what}: the sample rate must be a positive number of Hz, not {sample_rate}")
    array = _floats(samples, what)
    if array.ndim == 2 and array.size:
        array = array.mean(axis=int(array.shape[0] > array.shape[1]))
    if array.size == 0:
        raise AudioError(f"{what}: holds no samples")
    if array.ndim != 1:
        raise AudioError(
            f"{what}: expected [samples] or [channels, samples], found an array of shape {list(array.shape)}"
        )
    _check_finite(array, sample_rate, what)
    _check_long_enough(len(array), sample_rate, what)
    return np.ascontiguousarray(array)


def resample(samples: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Return samples `[samples]` at another rate, as float32, by the high-quality filter of soxr."""
    samples = np.asarray(samples, dtype=np.float32)
    if from_hz == to_hz:
        return samples
    import soxr

    return soxr.resample(samples, from_hz, to_hz, quality="HQ")


def find_audio(patterns: Iterable[str | Path]) -> list[Path]:
    """Find audio files by their names, by directories and by glob patterns, in which `**` stands for any folders.

    Directories are searched, with all folders in them, for files with the suffix of audio. Each file is returned
    once, at the place where it is first named; the files of a directory or pattern are sorted.

    Raises:
        AudioError: a name, directory or pattern yields no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = _matches(str(pattern))
        if not matches:
            is_folder = os.path.isdir(pattern)  # noqa: PTH112  Path's own raises where a name is too long
            reason = "no audio files in this folder" if is_folder else "no such file"
            raise AudioError(f"{pattern}: {reason}")
        found.update(dict.fromkeys(matches))
    return list(found)


def _matches(pattern: str) -> list[Path]:
    # A file of that very name comes first: "take[1].wav" is also a pattern. Path.glob takes no absolute patterns.
    names = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    files: list[Path] = []
    for path in map(Path, names):
        if path.is_dir():
            inside = (Path(folder, file) for folder, _, within in os.walk(path) for file in within)
            files += sorted(p for p in inside if p.suffix.lower() in SUFFIXES and p.name[0] != ".")
        else:
            files.append(path)
    return files


def _floats(samples: Any, what: str) -> np.ndarray:
    """Convert any array of numbers to float32, and scale integers to ±1."""
    if hasattr(samples, "detach"):  # a torch tensor, on any device, of any float type
        samples = samples.detach().cpu()
        samples = (samples.float() if samples.is_floating_point() else samples).numpy()
    try:
        array = np.asarray(samples)
    except ValueError as error:
        raise AudioError(f"{what}: expected an array of numbers: {error}") from error
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    if array.dtype in (np.int8, np.int16, np.int32):
        return array.astype(np.float32) / -float(np.iinfo(array.dtype).min)
    if array.dtype.kind != "f":
        raise AudioError(
            f"{what}: expected an array of floats within ±1 or of 8-, 16- or 32-bit integers, "
            f"found {array.dtype}"
        )
    with np.errstate(over="ignore"):  # numbers that overflow become infinite and are reported as that
        return array.astype(np.float32, copy=False)


def _check_long_enough(count: int, sample_rate: int, what: str) -> None:
    """Refuse fewer samples than 20 ms have."""
    if count < round(MIN_SECONDS * sample_rate):
        raise AudioError(
            f"{what}: {1000 * count / sample_rate:.1f} ms of audio is too short; "
            f"at least {1000 * MIN_SECONDS:.0f} ms are needed"
        )


def _check_finite(array: np.ndarray, sample_rate: int, what: str, position: int = 0) -> None:
    """Refuse samples that are not finite or far too large; the first one is at `position` in the recording."""
    if not array.size:
        return
    finite = np.isfinite(array)
    if not finite.all():
        raise AudioError(
            f"{what}: {np.count_nonzero(~finite)} of {len(array)} samples are NaN or infinite, the first at "
            f"{(position + np.argmin(finite)) / sample_rate:.3f} s; make it again from its source"
        )
    peak = float(np.abs(array).max())
    if peak > _LARGEST_SAMPLE:
        raise AudioError(f"{what}: samples as large as {peak:.3g} are not audio; expected floats within ±1")


def _segment(sound: SoundFile, start: float | None, end: float | None) -> tuple[int, int]:
    """Return the first frame of a segment, and the one after its last.

    An end that lies past the end of the file only by rounding is brought back to it.
    """
    seconds = sound.frames / sound.sample_rate
    begin, finish = start or 0.0, seconds if end is None else end
    if finish > seconds + MIN_SECONDS or begin >= seconds:
        raise AudioError(
            f"{sound.path}: the segment from {begin:.3f} s to {finish:.3f} s reaches past the end of the file, "
            f"which is {seconds:.3f} s long"
        )
    if begin < 0 or not begin < finish:
        raise AudioError(f"{sound.path}: a segment cannot begin at {begin:.3f} s and end at {finish:.3f} s")
    return round(begin * sound.sample_rate), min(round(finish * sound.sample_rate), sound.frames)


def _mono_blocks(sound: SoundFile, first: int, last: int, rate: int) -> Iterator[np.ndarray]:
    """Yield the frames from `first` up to `last` as mono float32 blocks `[samples]` at `rate` Hz."""
    blocks = (
        block[:, 0] if sound.channels == 1 else block.mean(axis=1) for block in sound.blocks(first, last)
    )
    if rate == sound.sample_rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(sound.sample_rate, rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
