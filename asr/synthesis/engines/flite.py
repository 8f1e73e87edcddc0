"""flite as an engine: small voices of Carnegie Mellon University, four people of which it has recorded."""

import shutil
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random

from asr.synthesis.engines.programs import read_wave, run_program
from asr.synthesis.engines.protocol import (
    NO_VOICES,
    VoicesBySplit,
    among,
    check_request,
    is_english,
    unsayable_in_ascii,
    without_accents,
)
from asr.synthesis.speech import EngineError, Speech

INSTALL = "apt install flite"
# A person is in one split, whether flite or festival speaks with that voice; kal and kal16 are one person.
VOICES: VoicesBySplit = {"train": ("kal", "kal16", "slt"), "dev": ("rms",), "test": ("awb",)}
PITCH_HZ = {"kal": (80, 150), "kal16": (80, 150), "rms": (75, 130), "awb": (90, 150), "slt": (140, 230)}
PITCH_DEVIATION_HZ = (6, 25)
STRETCH = (0.8, 1.35)


class Flite:
    """The program `flite`."""

    name = "flite"
    licence = "a licence like BSD (Carnegie Mellon University)"
    install = INSTALL
    by_pip = False
    neural = False
    cpu_seconds = 0.04
    voice_suffix = ""

    def __init__(self, voice_files: Sequence[Path] = ()) -> None:
        """Take no voices by path: they are for other engines."""

    def available(self) -> str | None:
        """Return None if it can speak here, else the reason why not."""
        return None if shutil.which("flite") else f"flite is not available: install it with {INSTALL}"

    def version(self) -> str:
        """Return what the program says of itself."""
        printed = run_program(["flite", "--version"], check=False)  # it exits with 1 all the same
        return next(
            line.strip() for line in [*printed.splitlines(), "flite"] if "flite-" in line or line == "flite"
        )

    @cached_property
    def _installed(self) -> set[str]:
        return set(run_program(["flite", "-lv"]).partition(":")[2].split())

    def files(self) -> list[Path]:
        """Return none: its voices come with it."""
        return []

    def voices(self, language: str) -> VoicesBySplit:
        """Return its voices, which are English."""
        if self.available() or not is_english(language):
            return NO_VOICES
        return among(VOICES, self._installed)

    def unsayable(self, text: str) -> str:
        """Return symbols, and letters that are not ASCII but for their accents."""
        return unsayable_in_ascii(text)

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        """Say a text; the seed draws pace, pitch and intonation.

        Raises:
            EngineError: it is not installed, has no such voice, or there is nothing to say in the text.
        """
        if reason := self.available():
            raise EngineError(reason)
        text = without_accents(text)
        check_request("flite", text, voice, sorted(self._installed & PITCH_HZ.keys()))
        random = Random(f"{seed} {voice}")
        settings = {
            "duration_stretch": random.uniform(*STRETCH) / pace,
            "int_f0_target_mean": random.uniform(*PITCH_HZ[voice]),
            "int_f0_target_stddev": random.uniform(*PITCH_DEVIATION_HZ),
        }
        with tempfile.NamedTemporaryFile(suffix=".wav") as wave:
            command = ["flite", "-voice", voice]
            for name, value in settings.items():
                command += ["--setf", f"{name}={value:.3f}"]
            run_program([*command, "-t", text, "-o", wave.name])
            return Speech(*read_wave(wave.name, text, "flite"), None)
