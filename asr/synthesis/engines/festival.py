"""Festival as an engine: diphone voices, and statistical ones (HTS), as the system's packages bring them."""

import re
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

INSTALL = "apt install festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts"
# A person is in one split, whether flite or festival speaks with that voice.
VOICES: VoicesBySplit = {
    "train": ("kal_diphone", "cmu_us_slt_arctic_hts"),
    "dev": ("rab_diphone",),
    "test": ("ked_diphone",),
}
PITCH_HZ, PITCH_DEVIATION_HZ, STRETCH = (85, 150), (6, 22), (0.8, 1.35)
MODEL_PITCH = (
    "(model_f0_mean 170) (model_f0_std 34)"  # of the speaker whom Festival's intonation was learned from
)


class Festival:
    """The program `festival`."""

    name = "festival"
    licence = "a licence like MIT's (University of Edinburgh); some voices are for research only"
    install = INSTALL
    by_pip = False
    neural = False
    cpu_seconds = 0.27
    voice_suffix = ""

    def __init__(self, voice_files: Sequence[Path] = ()) -> None:
        """Take no voices by path: they are for other engines."""

    def available(self) -> str | None:
        """Return None if it can speak here, else the reason why not."""
        return None if shutil.which("festival") else f"festival is not available: install it with {INSTALL}"

    def version(self) -> str:
        """Return what the program says of itself."""
        return run_program(["festival", "--version"]).strip().splitlines()[0]

    @cached_property
    def _installed(self) -> set[str]:
        return set(re.findall(r"\w+", run_program(["festival", "-b", "(print (voice.list))"])))

    def files(self) -> list[Path]:
        """Return none: its voices come with it."""
        return []

    def voices(self, language: str) -> VoicesBySplit:
        """Return its English voices."""
        if self.available() or not is_english(language):
            return NO_VOICES
        return among(VOICES, self._installed)

    def unsayable(self, text: str) -> str:
        """Return symbols, and letters that are not ASCII but for their accents."""
        return unsayable_in_ascii(text)

    def speak(self, text: str, voice: str, seed: int, pace: float = 1.0) -> Speech:
        """Say a text; the seed draws the pace, and the pitch of diphone voices.

        Raises:
            EngineError: it is not installed, has no such voice, or there is nothing to say in the text.
        """
        if reason := self.available():
            raise EngineError(reason)
        text = without_accents(text).replace("\\", " ").replace('"', " ")
        check_request("festival", text, voice, sorted(self._installed))
        random = Random(f"{seed} {voice}")
        stretch, mean, deviation = (random.uniform(*span) for span in (STRETCH, PITCH_HZ, PITCH_DEVIATION_HZ))
        with tempfile.NamedTemporaryFile(suffix=".wav") as wave:
            script = [
                f"(voice_{voice})",
                f"(Parameter.set 'Duration_Stretch {stretch / pace:.3f})",
                f"(set! int_lr_params '((target_f0_mean {mean:.0f}) (target_f0_std {deviation:.0f}) {MODEL_PITCH}))",
                f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{wave.name}" \'riff)',
            ]
            run_program(["festival", "--pipe"], "\n".join(script) + "\n")
            return Speech(*read_wave(wave.name, text, "festival"), None)
