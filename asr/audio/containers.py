"""Open and decode sound files block by block: libsndfile reads the formats that it knows, FFmpeg the others."""

import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sluice_core.errors import UserError

if TYPE_CHECKING:
    import av

CONTAINER_SUFFIXES = frozenset(
    [".m4a", ".mp4", ".aac", ".webm", ".mka", ".mkv", ".wma", ".amr", ".3gp", ".mov"]
)
"""Suffixes of files that libsndfile cannot read, and the extra `sluice-speech[formats]` can."""

BLOCK_FRAMES = 1 << 16
"""How many frames are decoded at a time, so that long files with many channels are never whole in memory."""

_LOST_SECONDS = 0.02  # a file may end this much earlier than its header says
_STREAMED_BYTES = (
    0x7FFF0000  # programs that write WAV to a pipe, of unknown length, promise this size or more
)
_ONLY_FILES = {
    # FFmpeg also reads playlists and manifests, and would open the files and addresses that they name.
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,asf,amr,amrnb,amrwb,flac,ogg,mp3,wav,w64,aiff,au,"
    "caf,avi,mpegts,mpeg,flv,ac3,eac3,dts,dtshd,ape,wv,tta,mpc,mpc8,tak,shn,oma,voc,ircam,sox,rm,dsf,loas,gsm,mxf,nut",
    "protocol_whitelist": "file",
}
_UNKNOWN_FRAMES = 1 << 62  # libsndfile gives a FLAC that was written to a pipe more than this


class AudioError(UserError):
    """Audio is missing, unreadable, damaged, too short, or has samples that are not finite numbers."""


class AudioTooLong(AudioError):
    """Audio is longer than was allowed."""


class SoundFile(Protocol):
    """An open sound file; `frames` is its number of samples in one channel."""

    path: Path
    sample_rate: int
    channels: int
    frames: int

    def blocks(self, first: int, last: int) -> Iterator[np.ndarray]:
        """Yield the frames from `first` up to `last` in float32 blocks `[frames, channels]`.

        Raises:
            AudioError: the file ends, or cannot be decoded, before `last`.
        """

    def close(self) -> None:
        """Close the file."""


def open_sound(path: Path, longest_seconds: float | None = None) -> SoundFile:
    """Open a sound file that has at least one frame.

    Args:
        path: The file.
        longest_seconds: The longest file that is not refused. The header tells the length where it can, otherwise
            no more than this is decoded.

    Raises:
        AudioError: the file is missing, empty, not audio, only a header, or visibly truncated.
        AudioTooLong: the file is longer than `longest_seconds`.
    """
    import soundfile

    _check_exists(path)
    try:
        sound: SoundFile = LibsndfileSound(path)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a .raw file, which has no header
        sound = _open_container(path, str(error), longest_seconds)
    if sound.frames > _UNKNOWN_FRAMES:
        sound.close()
        sound = _open_container(path, "its header does not say how long it is", longest_seconds)
    if longest_seconds is not None and sound.frames > longest_seconds * sound.sample_rate:
        sound.close()
        raise _too_long(path, longest_seconds)
    if sound.frames == 0:
        sound.close()
        raise AudioError(
            f"{path}: its header counts no samples, in a file of {path.stat().st_size} bytes; "
            "the recording was probably interrupted"
        )
    return sound


class LibsndfileSound:
    """A WAV, FLAC, OGG, Opus, MP3, AIFF, AU or SPHERE file, read by the libsndfile of the soundfile package."""

    def __init__(self, path: Path):
        import soundfile

        self.path = path
        # soundfile encodes names strictly, so that names that are not UTF-8 must be bytes; Windows has no such names.
        self.file = soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)
        self.sample_rate: int = self.file.samplerate
        self.channels: int = self.file.channels
        self.frames: int = self.file.frames
        try:
            self._check_promise()
        except AudioError:
            self.close()
            raise

    def _check_promise(self) -> None:
        """Compare the length in the header with the size of the file, where the format tells both."""
        promised = self.frames
        if self.file.format == "NIST":  # libsndfile takes the length from the size of the file
            promised = _sphere_frames(self.path) or promised
            self.frames = min(self.frames, promised)
        elif sizes := re.search(
            r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", self.file.extra_info, re.MULTILINE
        ):  # WAV, AIFF and AU: libsndfile corrects a length that is longer than the file, and logs it
            size, actual = int(sizes[1]), int(sizes[2])
            if size < _STREAMED_BYTES and actual > 0:
                promised = round(self.frames * size / actual)
        if self.frames:
            self._check_held(promised, self.frames)

    def _check_held(self, promised: int, held: int) -> None:
        """Refuse a file that holds too few of the frames that its header promises."""
        lost_seconds = (promised - held) / self.sample_rate
        # A VBR MP3's header may count a few codec frames too many.
        allowed = _LOST_SECONDS if self.file.format != "MP3" else 0.1 + 0.01 * promised / self.sample_rate
        if lost_seconds > allowed:
            raise _truncated(self.path, promised / self.sample_rate, held / self.sample_rate)

    def blocks(self, first: int, last: int) -> Iterator[np.ndarray]:
        """See `SoundFile`."""
        import soundfile

        position = first
        try:
            while position < last:
                block = self._read(position, min(BLOCK_FRAMES, last - position))
                if len(block) == 0:
                    break
                yield block
                position += len(block)
        except soundfile.LibsndfileError as error:  # a FLAC that is cut off
            held = max(position, self.file.tell())
            raise _truncated(self.path, self.frames / self.sample_rate, held / self.sample_rate) from error
        if position < last:
            self._check_held(self.frames, position)

    def _read(self, position: int, count: int) -> np.ndarray:
        """Read `count` frames from `position` on, as reading the whole file at once gives them.

        soundfile 0.14.0 seeks after every read, and libsndfile 1.2.2 decodes up to a third of a second wrongly after a
        seek in an MP3, whose frames borrow bits from those before them: there the second before is decoded too.
        """
        lead_in = min(position, self.sample_rate) if self.file.format == "MP3" else 0
        if position - lead_in != self.file.tell():
            self.file.seek(position - lead_in)
        return self.file.read(lead_in + count, dtype="float32", always_2d=True)[lead_in:]

    def close(self) -> None:
        """See `SoundFile`."""
        self.file.close()


class ContainerSound:
    """An M4A, WebM or other container, read by the FFmpeg of the PyAV package.

    The lengths in such files are missing (as in the WebM of browsers) or estimated, so opening a file decodes it
    once to count its frames. Every read decodes from the beginning, since seeking is not exact.
    """

    def __init__(self, path: Path, longest_seconds: float | None = None):
        import av

        self.path = path
        try:
            with _container(path) as container:
                self.sample_rate, self.channels = _rate_and_channels(container, path)
                promised_seconds = (container.duration or 0) / av.time_base
                estimated = container.format.name == "aac"  # FFmpeg guesses from the first bit rates
        except av.FFmpegError as error:
            raise AudioError(f"{path}: is not an audio file that can be read ({error})") from error
        self.frames = 0
        most = _UNKNOWN_FRAMES if longest_seconds is None else int(longest_seconds * self.sample_rate) + 1
        self.frames = sum(len(block) for block in self.blocks(0, most))
        if self.frames == most and longest_seconds is not None:
            raise _too_long(path, longest_seconds)
        held_seconds = self.frames / self.sample_rate
        if not estimated and held_seconds < promised_seconds - 0.2 - 0.01 * promised_seconds:
            raise _truncated(path, promised_seconds, held_seconds)

    def blocks(self, first: int, last: int) -> Iterator[np.ndarray]:
        """See `SoundFile`."""
        import av

        position = 0
        try:
            with _container(self.path) as container:
                decoded = container.decode(container.streams.audio[0])
                for block in _float_blocks(decoded, self.sample_rate, self.channels):
                    wanted = block[max(first - position, 0) : max(last - position, 0)]
                    position += len(block)
                    if len(wanted):
                        yield wanted
                    if position >= last:
                        return
        except av.FFmpegError as error:
            raise AudioError(
                f"{self.path}: damaged: decoding stops after {position / self.sample_rate:.2f} s ({error})"
            ) from error

    def close(self) -> None:
        """See `SoundFile`."""


def _container(path: Path) -> "av.container.InputContainer":
    """Open a container; its tags, which may have any encoding, are ignored."""
    import av

    return av.open(str(path.absolute()), options=_ONLY_FILES, metadata_errors="ignore")


def _rate_and_channels(container: "av.container.InputContainer", path: Path) -> tuple[int, int]:
    """Return the rate in Hz and the number of channels of a container's audio, as its header gives them.

    Raises:
        AudioError: there is no audio, there is no decoder for it, or its rate is not given.
    """
    if not container.streams.audio:
        raise AudioError(f"{path}: holds no audio")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise AudioError(f"{path}: there is no decoder for its audio; convert it to WAV or FLAC")
    if min(stream.rate, stream.channels) < 1:
        raise AudioError(f"{path}: damaged: its header tells no sample rate, or no channels")
    return stream.rate, stream.channels


def _float_blocks(decoded: Iterable["av.AudioFrame"], rate: int, channels: int) -> Iterator[np.ndarray]:
    """Yield decoded frames as float32 `[frames, channels]` at `rate` Hz, even if the format changes on the way.

    Where the number of channels is another one (as in AAC that goes from mono to stereo), each channel is the mean.
    """
    import av

    for _, alike in groupby(decoded, key=lambda frame: (frame.format.name, frame.layout.name, frame.rate)):
        resampler = av.AudioResampler(format="flt", rate=rate)
        for frame in chain.from_iterable(map(resampler.resample, alike)):
            block = frame.to_ndarray().reshape(frame.samples, -1)
            if block.shape[1] != channels:
                block = block.mean(axis=1, keepdims=True).repeat(channels, axis=1)
            yield block


def _check_exists(path: Path) -> None:
    """Refuse what is missing, a directory, empty or unreadable."""
    if "\0" in str(path):
        raise AudioError(f"{str(path)!r}: no file's name holds a NUL character")
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a directory, not an audio file")
        with path.open("rb") as file:
            if not file.read(1):
                raise AudioError(f"{path}: the file is empty (0 bytes)")
    except OSError as error:
        raise AudioError(f"{path}: cannot read the file: {error.strerror}") from error


def _truncated(path: Path, promised_seconds: float, held_seconds: float) -> AudioError:
    return AudioError(
        f"{path}: truncated or damaged: its header promises {promised_seconds:.2f} s of audio, "
        f"{held_seconds:.2f} s can be read; copy or record it again"
    )


def _sphere_frames(path: Path) -> int | None:
    """Read `sample_count` in the header of a NIST SPHERE file."""
    with path.open("rb") as file:
        count = re.search(rb"^sample_count -i (\d+)", file.read(1024), re.MULTILINE)
    return int(count[1]) if count else None


def _too_long(path: Path, longest_seconds: float) -> AudioTooLong:
    return AudioTooLong(f"{path}: is longer than the {longest_seconds:g} s of audio that are allowed")


def _open_container(path: Path, reason: str, longest_seconds: float | None = None) -> ContainerSound:
    """Open with FFmpeg a file that libsndfile refused for `reason`, or say what is wrong with it."""
    with path.open("rb") as file:
        head = file.read(1024)
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        raise AudioError(f"{path}: is SPHERE compressed with shorten; unpack it with sph2pipe first")
    if _is_text(head):  # checked before FFmpeg sees it, which would fetch what a playlist names
        start = head[:40].decode("utf-8", errors="ignore")
        raise AudioError(f"{path}: is a text file, not audio; it begins {start!r}")
    if not _have_av():
        raise AudioError(
            f"{path}: this file cannot be read without the extra 'formats' (pip install 'sluice-speech[formats]'); "
            f"or convert it to WAV or FLAC ({reason})"
        )
    return ContainerSound(path, longest_seconds)


def _is_text(head: bytes) -> bool:
    """Tell whether a file that begins with `head` is text in UTF-8."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # not merely a character that is cut by the end of `head`
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\r\n\t\f\ufeff" for character in text)


@cache
def _have_av() -> bool:
    """Tell whether PyAV is installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True
