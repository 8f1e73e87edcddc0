"""What a synthesizer is to the rest of the package: voices by split, and a text said by one of them.

A voice is a name. The name, the text and a seed decide everything else, such as pace, pitch and liveliness, which are
drawn around what is the voice's own. Some engines keep a state, so that a text differs a little from call to call;
but the same sequence of calls in a fresh process always gives the same samples.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from asr.synthesis.speech import EngineError, Speech
from sluice_core.grammar.grammar import Split

VoicesBySplit = Mapping[Split, tuple[str, ...]]
"""The voices of train, dev and test: no voice is in two of them, and dev and test may have none."""


class Engine(Protocol):
    """A synthesizer. Making one costs nothing: what is slow is loaded when it first speaks."""

    name: str
    """What settings and speakers call it, as in `flite:slt`."""
    licence: str
    """The licence of the program; voices may have one of their own."""
    install: str
    """The command that installs it."""
    by_pip: bool
    """Whether pip alone can install it on every system."""
    neural: bool
    """Whether it is a neural network: held-out voices of those predict how well people are understood."""
    cpu_seconds: float
    """About what an utterance of three seconds costs on one core: for planning, and for sizing chunks."""

    voice_suffix: str
    """The suffix of the files of voices that it can be given; "" if it takes none."""

    def available(self) -> str | None:
        """Return None if it can speak here, else the reason why not."""
        ...

    def version(self) -> str:
        """Return what, besides text, voice and seed, decides how it sounds, such as the versions of its packages."""
        ...

    def files(self) -> list[Path]:
        """Return the files of voices that it speaks with, besides those of its packages: their content is part of how
        it sounds.
        """
        ...

    def voices(self, language: str) -> VoicesBySplit:
        """Return its voices for a language ("en", "de"), none if it does not speak that.

        Raises:
            EngineError: a file of voices that it was given is damaged or incomplete.
        """
        ...

    def unsayable(self, text: str) -> str:
        """Return the characters of a text that it would leave out or misread; "" if it can say everything."""
        ...

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        """Say a text.

        Args:
            text: what to say, in words.
            voice: one of its voices.
            seed: decides how the voice says it this time.
            pace: multiplies the pace that the seed draws; below 1 is slower.

        Raises:
            EngineError: it is not available, there is no such voice, or there is nothing to say in the text.
        """
        ...


NO_VOICES: VoicesBySplit = {"train": (), "dev": (), "test": ()}


def check_request(title: str, text: str, voice: str, known: Collection[str]) -> None:
    """Check that an engine, which messages call by its title, knows a voice, and that there are words to say.

    Raises:
        EngineError: it has no such voice, or there is nothing to say in the text.
    """
    if voice not in known:
        raise EngineError(f"{title} has no voice {voice!r}; it has {', '.join(known)}")
    if not re.search(r"\w", text):
        raise EngineError(f"there is nothing to say in {text!r}")


def among(voices: VoicesBySplit, there: Collection[str]) -> VoicesBySplit:
    """Return the voices of each split that are there."""
    return {split: tuple(name for name in names if name in there) for split, names in voices.items()}


def is_english(language: str) -> bool:
    """Return whether a language tag is English of some kind.

    >>> is_english("en"), is_english("en-gb"), is_english("de")
    (True, True, False)
    """
    return language.lower().replace("_", "-").split("-")[0] == "en"


def without_accents(text: str) -> str:
    """Return a text with its letters' accents taken off, for engines that read ASCII.

    >>> without_accents("café")
    'cafe'
    """
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def unsayable_symbols(text: str) -> str:
    """Return the characters that are neither letters, digits, spaces nor marks within words, each once.

    >>> unsayable_symbols("rock 'n' roll ☕ 24/7 ☕")
    '/☕'
    """
    return "".join(
        sorted({c for c in text if not (c.isalnum() or unicodedata.category(c)[0] == "M")} - set(" '’-.,"))
    )


def unsayable_in_ascii(text: str) -> str:
    """Return the characters that an engine for ASCII cannot say, accents aside.

    >>> unsayable_in_ascii("café ☕ ß")
    'ß☕'
    """
    foreign = {c for c in text if not without_accents(c).isascii()}
    return "".join(sorted(foreign | set(unsayable_symbols(text))))
