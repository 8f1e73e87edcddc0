"""Speech from text by espeak-ng, with the times of its words, through the C interface of its library.

The library and its voices come with the `espeakng-loader` package (GPL-3), an extra of this one.
espeak-ng keeps its state per process. The same text differs a little from call to call; but since the seed of its
breath and flutter is set, the same sequence of calls in a fresh process always gives the same samples.

Interface: `speak_lib.h` of espeak-ng 1.52, https://github.com/espeak-ng/espeak-ng.
"""

import ctypes
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_short, c_size_t, c_ubyte, c_uint, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr.synthesis.speech import EngineError, Speech, SpokenWord

INSTALL = "pip install 'sluice-speech[espeak]'"

# From speak_lib.h.
SYNCHRONOUS = 2
PHONEME_EVENTS, DONT_EXIT = 0x1, 0x8000
RATE, VOLUME, PITCH, PITCH_RANGE = 1, 2, 3, 4
BY_CHARACTER, UTF8, IPA = 1, 1, 2
WORD_EVENT, PHONEME_EVENT = 1, 7
HEADROOM = 40  # the volume; at 100, the usual one, loud variants clip
LONGEST_PATH = 140  # the library truncates the path of its data after 160 bytes


class EspeakError(EngineError):
    """espeak-ng is not installed, does not know a voice, or cannot say a text."""


class _Identity(ctypes.Union):
    _fields_ = [("number", c_int), ("name", c_void_p), ("string", c_ubyte * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", c_int),
        ("unique_identifier", c_uint),
        ("text_position", c_int),  # characters, counted from 1
        ("length", c_int),
        ("audio_position", c_int),  # milliseconds
        ("sample", c_int),
        ("user_data", c_void_p),
        ("id", _Identity),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("languages", c_void_p),  # a byte of priority and a code for each language, then a zero byte
        ("identifier", c_char_p),
        ("gender", c_ubyte),
        ("age", c_ubyte),
        ("variant", c_ubyte),
        ("unused", c_ubyte),
        ("score", c_int),
        ("spare", c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(_Event))


class SpeechMark(NamedTuple):
    """An event that espeak-ng reports while it speaks: at a sample, a word or a phoneme begins."""

    type: int
    """`WORD_EVENT` or `PHONEME_EVENT`."""
    text_position: int
    """The character of the text, counted from 1."""
    sample: int
    silent: bool
    """Whether the phoneme is a pause."""


@dataclass(frozen=True)
class Voice:
    """A voice of espeak-ng, with its pace and pitch."""

    language: str = "en-us"
    """The language or accent."""
    variant: str = ""
    """The variant of the voice; "" is the plain one."""
    rate: int = 160
    """The pace in words a minute, 80 to 450."""
    pitch: int = 50
    """0 to 99, where 50 is the variant's own."""
    pitch_range: int = 50
    """0 (monotone) to 99."""

    @property
    def name(self) -> str:
        """The name of the speaker, as espeak-ng writes it: `en-us+f2`. Pace and pitch are not part of it."""
        return f"{self.language}+{self.variant}" if self.variant else self.language


@cache
def synthesizer() -> "Synthesizer":
    """Return the synthesizer of this process.

    Raises:
        EspeakError: espeak-ng is not installed or does not start; the message says how to install it.
    """
    return Synthesizer()


class Synthesizer:
    """espeak-ng in this process. Take it from `synthesizer()`, since there can be only one."""

    def __init__(self) -> None:
        """Load the library and start it.

        Raises:
            EspeakError: espeak-ng is not installed or does not start; the message says how to install it.
        """
        try:
            import espeakng_loader
        except ImportError as error:
            raise EspeakError(f"espeak-ng is not available: install it with {INSTALL}") from error
        self.data = Path(espeakng_loader.get_data_path())
        library = Path(espeakng_loader.get_library_path())
        for path in (library, self.data / "phontab"):
            if not path.exists():  # without its data, the library would end the process
                raise EspeakError(f"espeak-ng is damaged: {path} is missing; run {INSTALL} --force-reinstall")
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise EspeakError(f"espeak-ng does not load on this machine: {error}") from error
        self.sample_rate = self._start()
        # The seed of breath and flutter, which is the time of day otherwise.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._callback = _Callback(self._hear)  # kept alive: the library knows only its address
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ListVoices.restype = POINTER(POINTER(_Voice))
        self._library.espeak_Synth.argtypes = [
            c_char_p, c_size_t, c_uint, c_int, c_uint, c_uint, c_void_p, c_void_p,
        ]  # fmt: skip
        self._library.espeak_TextToPhonemes.argtypes = [POINTER(c_char_p), c_int, c_int]
        self._library.espeak_TextToPhonemes.restype = c_char_p
        self._identifiers = self._list_voices()
        self._variants = {path.name for path in (self.data / "voices" / "!v").iterdir()}
        self._current = ""
        self._chunks: list[np.ndarray] = []
        self._marks: list[SpeechMark] = []

    def _start(self) -> int:
        """Start the library and return its sample rate in Hz."""
        data = self.data
        if len(bytes(data)) > LONGEST_PATH:
            # Kept, since the library reads voices from there when they are used.
            self._shortcut = tempfile.TemporaryDirectory()
            data = Path(self._shortcut.name) / "espeak-ng-data"
            data.symlink_to(self.data, target_is_directory=True)
        rate = self._library.espeak_Initialize(SYNCHRONOUS, 0, bytes(data), PHONEME_EVENTS | DONT_EXIT)
        if rate <= 0:
            raise EspeakError(f"espeak-ng does not start with its data in {self.data}")
        return int(rate)

    def _list_voices(self) -> dict[str, str]:
        """Map identifiers to themselves, and language codes to the identifier of their best voice."""
        ranked: dict[str, tuple[int, str]] = {}
        voices = self._library.espeak_ListVoices(None)
        for voice in _until_null(voices):
            identifier = voice.identifier.decode()
            ranked[identifier.lower()] = (0, identifier)
            for priority, code in _languages(voice.languages):
                ranked[code] = min(ranked.get(code, (256, "")), (priority, identifier))
        return {name: identifier for name, (_, identifier) in ranked.items()}

    def languages(self) -> list[str]:
        """Return the names that the `language` of a voice may have."""
        return sorted(self._identifiers)

    def variants(self) -> list[str]:
        """Return the names that the `variant` of a voice may have, besides ""."""
        return sorted(self._variants)

    def _use(self, voice: Voice) -> None:
        """Make `voice` the current one. Names are checked here: the library ignores an unknown variant.

        Raises:
            EspeakError: there is no such language or variant.
        """
        identifier = self._identifiers.get(voice.language.lower())
        if identifier is None:
            near = [name for name in self.languages() if name.startswith(voice.language[:2].lower())]
            raise EspeakError(
                f"espeak-ng has no voice {voice.language!r}; known: {', '.join(near or self.languages())}"
            )
        if voice.variant and voice.variant not in self._variants:
            raise EspeakError(
                f"espeak-ng has no voice variant {voice.variant!r}; known: {', '.join(self.variants())}"
            )
        name = f"{identifier}+{voice.variant}" if voice.variant else identifier
        if name != self._current:
            if self._library.espeak_SetVoiceByName(name.encode()) != 0:
                raise EspeakError(f"espeak-ng cannot use the voice {name}")
            self._current = name
        settings = {RATE: voice.rate, PITCH: voice.pitch, PITCH_RANGE: voice.pitch_range, VOLUME: HEADROOM}
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)

    def synthesize(self, text: str, voice: Voice = Voice()) -> Speech:
        """Say `text`.

        The words of the result are those of `text.split()`, one for one. Where espeak-ng runs words together
        ("of the"), it reports the first one only; the time is then divided among them by their letters.

        Raises:
            EspeakError: there is no such voice, or nothing in the text can be said.
        """
        self._use(voice)
        self._chunks, self._marks = [], []
        encoded = text.replace("\0", " ").encode() + b"\0"
        if self._library.espeak_Synth(encoded, len(encoded), 0, BY_CHARACTER, 0, UTF8, None, None) != 0:
            raise EspeakError(f"espeak-ng failed to say {text!r}")
        samples = np.concatenate([np.zeros(0, np.int16), *self._chunks])
        if not np.any(samples):
            raise EspeakError(f"there is nothing to say in {text!r}")
        return Speech(
            samples, self.sample_rate, align_words(text, self._marks, len(samples), self.sample_rate)
        )

    def phonemes(self, text: str, voice: Voice = Voice()) -> str:
        """Return how `text` is pronounced, in the International Phonetic Alphabet, with stress and spaces.

        Raises:
            EspeakError: there is no such voice.
        """
        self._use(voice)
        rest, clauses = c_char_p(text.replace("\0", " ").encode()), []
        while rest.value:
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, IPA).decode())
        return ", ".join(clause for clause in clauses if clause)

    def _hear(
        self, samples: "ctypes._Pointer[c_short]", count: int, events: "ctypes._Pointer[_Event]"
    ) -> int:
        """Take a piece of sound and its events; the library calls this, and goes on after 0."""
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while (event := events[index]).type != 0:
            if event.type in (WORD_EVENT, PHONEME_EVENT):
                silent = event.type == PHONEME_EVENT and event.id.string[0] in (0, ord("_"))
                self._marks.append(SpeechMark(event.type, event.text_position, event.sample, silent))
            index += 1
        return 0


def _until_null(pointers: "ctypes._Pointer[ctypes._Pointer[_Voice]]") -> Iterator[_Voice]:
    """Yield what an array of pointers points to, up to the null pointer that ends it."""
    index = 0
    while pointers[index]:
        yield pointers[index].contents
        index += 1


def _languages(address: int) -> Iterator[tuple[int, str]]:
    """Yield the priority (smaller is better) and the code of each language of a voice."""
    while priority := ctypes.string_at(address, 1)[0]:
        code = ctypes.string_at(address + 1)
        yield priority, code.decode()
        address += len(code) + 2


def align_words(text: str, marks: list[SpeechMark], total_samples: int, sample_rate: int) -> list[SpokenWord]:
    """Find the time of each word of `text.split()` from the marks of the synthesizer.

    A word ends where the next one begins, or at a pause before that. Words without a mark of their own share the
    time of the last word that has one, in proportion to their letters.
    """
    words, begins = text.split(), _word_positions(text)
    starts: dict[int, int] = {0: 0}  # word index -> sample
    for mark in marks:
        index = bisect_right(begins, mark.text_position - 1) - 1
        if mark.type == WORD_EVENT and index >= 0 and index not in starts:
            starts[index] = max(mark.sample, max(starts.values()))
    aligned: list[SpokenWord] = []
    firsts = sorted(starts)
    for first, following in zip(firsts, [*firsts[1:], len(words)], strict=True):
        start = min(starts[first], total_samples)
        end = min(starts.get(following, total_samples), total_samples)
        end = _without_pause(marks, start, end)
        aligned += _share(words[first:following], start / sample_rate, end / sample_rate)
    return aligned


def _without_pause(marks: list[SpeechMark], start: int, end: int) -> int:
    """Return the end of the sound between samples `start` and `end`, which may end in a pause."""
    for mark in sorted((mark for mark in marks if start < mark.sample < end), key=lambda mark: -mark.sample):
        if mark.type == PHONEME_EVENT and not mark.silent:
            break
        if mark.silent:
            end = mark.sample
    return end


def _word_positions(text: str) -> list[int]:
    """Return where each word of `text.split()` begins in the text."""
    positions, position = [], 0
    for word in text.split():
        position = text.index(word, position)
        positions.append(position)
        position += len(word)
    return positions


def _share(words: list[str], start: float, end: float) -> list[SpokenWord]:
    """Divide the time from `start` to `end` (in seconds) among words in proportion to their letters."""
    letters = [len(word) for word in words]
    bounds = [start + (end - start) * sum(letters[:index]) / sum(letters) for index in range(len(words))]
    return [
        SpokenWord(word, left, right)
        for word, left, right in zip(words, bounds, [*bounds[1:], end], strict=True)
    ]
