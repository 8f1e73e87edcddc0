"""Any audio file or array as mono float32 samples, checked so that what is wrong is said where it is wrong."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import UserError

MIN_SECONDS = 0.02
"""Shorter audio holds less than one analysis window and is refused."""

SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .sph .nist .w64 .caf "
    ".m4a .mp4 .aac .webm .mka .mkv .wma .amr .3gp .mov".split()
)
"""File names that `find_audio` takes for audio when it walks a directory."""

_CONTAINERS = frozenset(".m4a .mp4 .aac .webm .mka .mkv .wma .amr .3gp .mov".split())  # what libsndfile lacks
_BLOCK = 1 << 16  # frames held at once while channels are mixed: long files are never whole in memory
_STREAMED_BYTES = 0x7FFF0000  # programs that write WAV to a pipe promise this much or more: length unknown
_UNKNOWN_FRAMES = 1 << 62  # libsndfile's answer for FLAC written to a pipe is larger than this


class AudioError(UserError):
    """Audio that is missing, unreadable, damaged, too short or not made of finite numbers."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says; `frames` counts samples of one channel."""

    path: Path
    sample_rate: int
    channels: int
    frames: int
    duration_seconds: float


def audio_info(path: str | Path) -> AudioInfo:
    """Rate (Hz), channels and length of a file, from its header, without decoding it.

    Raises:
        AudioError: as `read_audio`, except for damage that only decoding finds (FLAC, MP3, NaN).
    """
    path = _existing(path)
    with closing(_open(path)) as sound:
        seconds = sound.frames / sound.sample_rate
        return AudioInfo(path, sound.sample_rate, sound.channels, sound.frames, seconds)


def read_audio(
    path: str | Path,
    sample_rate: int | None = None,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> tuple[np.ndarray, int]:
    """Read a file, or the part of it between two times, as mono.

    Channels are averaged and the rate is changed block by block, so memory holds the result and
    little else.

    Args:
        path: WAV, FLAC, OGG, Opus, MP3, AIFF, AU or NIST SPHERE; M4A, WebM and other containers
            with the extra `sluice[formats]`.
        sample_rate: wanted rate in Hz; the file's own if not given.
        start_seconds: where the part begins; the file's beginning if not given.
        end_seconds: where the part ends; the file's end if not given.

    Returns:
        float32 samples `[samples]`, nominally within ±1, and their rate in Hz.

    Raises:
        AudioError: the file is missing, empty, not audio, truncated, shorter than 20 ms, holds NaN
            or infinity, or the wanted part lies outside it.
    """
    path = _existing(path)
    with closing(_open(path)) as sound:
        first, last = _part(sound, start_seconds, end_seconds)
        rate = sample_rate or sound.sample_rate
        mono = _mono(sound, first, last, rate)
    return check_samples(mono, rate, str(path)), rate


def check_samples(samples: Any, sample_rate: int, what: str) -> np.ndarray:
    """Make mono float32 samples of an array, tensor or list, or say why it cannot be done.

    Args:
        samples: `[samples]`, or two-dimensional, where the shorter axis is taken for the channels
            (`[channels, samples]` as in torch, `[samples, channels]` as in soundfile) and averaged.
            Integers are scaled to ±1 by the range of their type (unsigned 8 bits are centred on 128).
        sample_rate: in Hz.
        what: how messages name the audio.

    Raises:
        AudioError: wrong shape or type, no samples, NaN or infinity, shorter than 20 ms.
    """
    if sample_rate <= 0:
        raise AudioError(f"{what}: the sample rate must be a positive number of Hz, not {sample_rate}")
    array = _floats(samples, what)
    if array.ndim == 2:
        array = array.mean(axis=int(array.shape[0] > array.shape[1]))
    if array.ndim != 1:
        raise AudioError(f"{what}: expected samples of one or two dimensions, found shape {array.shape}")
    if len(array) == 0:
        raise AudioError(f"{what}: holds no samples")
    finite = np.isfinite(array)
    if not finite.all():
        raise AudioError(
            f"{what}: {np.count_nonzero(~finite)} of {len(array)} samples are NaN or infinite, the first at "
            f"{np.argmin(finite) / sample_rate:.3f} s; write the file again from its source"
        )
    if len(array) < round(MIN_SECONDS * sample_rate):
        raise AudioError(
            f"{what}: {1000 * len(array) / sample_rate:.1f} ms of audio is too short, at least "
            f"{1000 * MIN_SECONDS:.0f} ms are needed"
        )
    return np.ascontiguousarray(array, dtype=np.float32)


def resample(samples: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Change the rate of samples `[samples]` with soxr's high-quality filter; float32."""
    if from_hz == to_hz:
        return np.asarray(samples, dtype=np.float32)
    import soxr

    return soxr.resample(np.asarray(samples, dtype=np.float32), from_hz, to_hz, quality="HQ")


def find_audio(patterns: Iterable[str | Path]) -> list[Path]:
    """Audio files named by files, directories (walked, by suffix) and glob patterns (`**` too).

    Each file comes once, where it was first named; what a directory or pattern yields is sorted.

    Raises:
        AudioError: something named yields no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = _matches(str(pattern))
        if not matches:
            reason = "no audio files in this folder" if Path(pattern).is_dir() else "no such file"
            raise AudioError(f"{pattern}: {reason}")
        found.update(dict.fromkeys(matches))
    return list(found)


def _matches(pattern: str) -> list[Path]:
    if os.path.lexists(pattern):  # a real name wins over its reading as a pattern: "take[1].wav"
        names = [pattern]
    else:
        names = sorted(glob.glob(pattern, recursive=True))
    files: list[Path] = []
    for name in map(Path, names):
        if name.is_dir():
            inside = (Path(folder) / file for folder, _, within in os.walk(name) for file in within)
            files += sorted(p for p in inside if p.suffix.lower() in SUFFIXES and p.name[0] != ".")
        else:
            files.append(name)
    return files


def _floats(samples: Any, what: str) -> np.ndarray:
    """Any array as float32 (a float64 stays until checked: it may overflow), integers scaled to ±1."""
    if hasattr(samples, "detach"):  # a torch tensor, on any device, of any float type
        samples = samples.detach().cpu()
        samples = (samples.float() if samples.is_floating_point() else samples).numpy()
    try:
        array = np.asarray(samples)
    except ValueError as error:
        raise AudioError(f"{what}: expected an array of numbers: {error}") from error
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    if array.dtype.kind == "i":
        return (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    if array.dtype.kind != "f":
        raise AudioError(f"{what}: expected an array of numbers, found {array.dtype}")
    return array.astype(np.float32, copy=False)


def _existing(path: str | Path) -> Path:
    path = Path(path)
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a directory, not an audio file")
        if path.stat().st_size == 0:
            raise AudioError(f"{path}: the file is empty (0 bytes)")
    except OSError as error:
        raise AudioError(f"{path}: cannot read the file: {error.strerror}") from error
    return path


def _part(sound: "_Sound", start: float | None, end: float | None) -> tuple[int, int]:
    """First and last frame of the wanted part; an end that only rounding put past the file is brought back."""
    seconds = sound.frames / sound.sample_rate
    begin, finish = start or 0.0, seconds if end is None else end
    if begin < 0 or not begin < finish:
        raise AudioError(f"{sound.path}: cannot read from {begin:g} s to {finish:g} s of {seconds:.3f} s")
    if finish > seconds + MIN_SECONDS:
        raise AudioError(
            f"{sound.path}: the part from {begin:g} s to {finish:g} s ends past the file, "
            f"which is {seconds:.3f} s long"
        )
    return round(begin * sound.sample_rate), min(round(finish * sound.sample_rate), sound.frames)


def _mono(sound: "_Sound", first: int, last: int, rate: int) -> np.ndarray:
    """Frames `first` to `last` with their channels averaged, at `rate` Hz: float32 `[samples]`."""
    stream = None
    if rate != sound.sample_rate:
        import soxr

        stream = soxr.ResampleStream(sound.sample_rate, rate, 1, dtype="float32", quality="HQ")
    parts, held = [], 0
    for block in sound.blocks(first, last):
        mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        held += len(mono)
        parts.append(stream.resample_chunk(np.ascontiguousarray(mono)) if stream else mono)
    if held < last - first - sound.tolerance_frames:
        raise _truncated(sound.path, sound.frames / sound.sample_rate, (first + held) / sound.sample_rate)
    if stream:
        parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _truncated(path: Path, promised_seconds: float, held_seconds: float) -> AudioError:
    return AudioError(
        f"{path}: truncated or damaged: its header promises {promised_seconds:.2f} s of audio, "
        f"{held_seconds:.2f} s can be read; copy or record it again"
    )


class _Sound:
    """An open file: its rate, channels and length, and its samples block by block."""

    path: Path
    sample_rate: int
    channels: int
    frames: int
    tolerance_frames: int = 0  # how far below `frames` decoding may end: headers of some codecs estimate

    def blocks(self, first: int, last: int) -> Iterator[np.ndarray]:
        """Frames `first` to `last` as float32 blocks `[frames, channels]`; fewer if the file ends."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def _open(path: Path) -> _Sound:
    """Open with libsndfile, or with FFmpeg what libsndfile does not know."""
    import soundfile

    try:
        sound: _Sound = _SndFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a .raw file, which has no header
        sound = _open_container(path, str(error))
    if sound.frames == 0:
        sound.close()
        raise AudioError(
            f"{path}: the header is there but no samples follow "
            f"({path.stat().st_size} bytes in all); the recording was probably interrupted"
        )
    return sound


class _SndFile(_Sound):
    def __init__(self, path: Path):
        import soundfile

        self.path = path
        self.file = soundfile.SoundFile(path)
        self.sample_rate, self.channels = self.file.samplerate, self.file.channels
        self.frames = self.file.frames
        # MP3 headers may count a few codec frames more than there are.
        slack = 0.02 if self.file.format != "MPEG" else 0.1 + 0.01 * self.frames / self.sample_rate
        self.tolerance_frames = round(slack * self.sample_rate)
        try:
            self._check_promise()
        except AudioError:
            self.close()
            raise

    def _check_promise(self) -> None:
        """Compare the length in the header with the length of the file, where the format tells both."""
        if self.frames > _UNKNOWN_FRAMES:
            raise AudioError(
                f"{self.path}: its header does not say how long it is (written to a pipe?); "
                "re-encode it, for instance to WAV"
            )
        promised = self.frames
        if self.file.format == "NIST":
            promised = _sphere_frames(self.path) or self.frames
            self.frames = min(self.frames, promised)
        elif sizes := re.search(
            r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", self.file.extra_info, re.MULTILINE
        ):
            # WAV, AIFF and AU: libsndfile shortens a length that the file does not hold, and logs it.
            size, actual = int(sizes[1]), int(sizes[2])
            if size < _STREAMED_BYTES and actual > 0:
                promised = round(self.frames * size / actual)
        if self.frames > 0 and promised > self.frames + self.tolerance_frames:
            raise _truncated(self.path, promised / self.sample_rate, self.frames / self.sample_rate)

    def blocks(self, first: int, last: int) -> Iterator[np.ndarray]:
        import soundfile

        position = first
        try:
            if first:
                self.file.seek(first)
            while position < last:
                block = self.file.read(min(_BLOCK, last - position), dtype="float32", always_2d=True)
                if len(block) == 0:
                    return
                yield block
                position += len(block)
        except soundfile.LibsndfileError as error:  # FLAC cut in the middle
            held = max(position, self.file.tell()) / self.sample_rate
            raise _truncated(self.path, self.frames / self.sample_rate, held) from error

    def close(self) -> None:
        self.file.close()


def _sphere_frames(path: Path) -> int | None:
    """`sample_count` of a NIST SPHERE header, which libsndfile does not compare with the data."""
    with path.open("rb") as file:
        count = re.search(rb"^sample_count -i (\d+)", file.read(1024), re.MULTILINE)
    return int(count[1]) if count else None


def _open_container(path: Path, reason: str) -> _Sound:
    """Open what libsndfile refused, with FFmpeg through PyAV; or say what the file is instead."""
    with path.open("rb") as file:
        head = file.read(1024)
    if _is_text(head):
        raise AudioError(f"{path}: is a text file, not audio; it begins {head[:40].decode(errors='ignore')!r}")
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        raise AudioError(f"{path}: is SPHERE compressed with shorten; unpack it with sph2pipe first")
    if not _have_av():
        hint = "needs" if path.suffix.lower() in _CONTAINERS else "is not readable without"
        raise AudioError(
            f"{path}: this format {hint} the extra 'formats' (pip install 'sluice[formats]'), "
            f"or convert it to WAV or FLAC ({reason})"
        )
    return _Container(path)


def _is_text(head: bytes) -> bool:
    try:
        text = head[: len(head) - 3].decode("utf-8") if len(head) == 1024 else head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 6:  # not merely a character cut by the end of `head`
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\r\n\t\f\ufeff" for character in text)


@cache
def _have_av() -> bool:
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


class _Container(_Sound):
    """A file that FFmpeg decodes; its length comes from the container and may be off by a codec frame."""

    def __init__(self, path: Path):
        import av

        self.path = path
        try:
            self.container = av.open(str(path))
        except (av.FFmpegError, ValueError) as error:
            raise AudioError(f"{path}: is not an audio file that can be read ({error})") from error
        if not self.container.streams.audio:
            self.close()
            raise AudioError(f"{path}: holds no audio")
        self.stream = self.container.streams.audio[0]
        self.sample_rate, self.channels = self.stream.rate, self.stream.channels
        if self.stream.duration is not None and self.stream.time_base is not None:
            seconds = float(self.stream.duration * self.stream.time_base)
        else:
            seconds = (self.container.duration or 0) / av.time_base
        self.frames = round(seconds * self.sample_rate)
        self.tolerance_frames = round((0.2 + 0.01 * seconds) * self.sample_rate)

    def blocks(self, first: int, last: int) -> Iterator[np.ndarray]:
        """Decoded from the beginning, since seeking in these containers is not exact."""
        import av

        resampler = av.AudioResampler(format="flt", rate=self.sample_rate)
        position = 0
        try:
            for decoded in self.container.decode(self.stream):
                for frame in resampler.resample(decoded):
                    block = frame.to_ndarray().reshape(-1, self.channels)
                    wanted = block[max(first - position, 0) : max(last - position, 0)]
                    position += len(block)
                    if len(wanted):
                        yield wanted
                if position >= last:
                    return
        except av.FFmpegError as error:
            raise _truncated(self.path, self.frames / self.sample_rate, position / self.sample_rate) from error

    def close(self) -> None:
        self.container.close()
