"""Everything after the emissions stands without torch: a runtime need not have it."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import numpy as np

sys.modules["torch"] = None  # importing it is an error from here on
import asr.alignment, asr.decoding, asr.long_form

for package in (asr.decoding, asr.alignment, asr.long_form):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
import asr.acoustic.emissions, asr.acoustic.voice_activity, asr.formats, asr.tokens, asr.transcript
from asr.acoustic.emissions import Emitter
from asr.alignment.text import align_text
from asr.alignment.transcripts import EmissionDecoder
from asr.decoding.config import DecodingConfig
from asr.decoding.decoder import make_decoder
from asr.long_form.transcribe import transcribe_long

def compute(batch):
    path = np.tile([0, 1, 0, 2], 25)
    scores = np.full((len(batch), 100, 3), -7.0, np.float32)
    scores[:, np.arange(100), path] = -0.01
    return scores, np.full(len(batch), 100)

tokens = asr.tokens.Tokens(["<blank>", "a", "b"])
emitter = Emitter(compute, 8000, 0.04)
samples = np.sin(np.arange(32000)) * np.repeat([0.0, 1.0, 0.0], [8000, 16000, 8000])
for settings in (DecodingConfig(), DecodingConfig(method="beam", beam=4, hot_words={"ab": 1.0})):
    decoder = EmissionDecoder(make_decoder(settings, tokens), tokens, emitter.seconds_per_step)
    (emission,) = emitter.emit_many([samples])
    (transcript,) = decoder.decode([emission])
    assert transcript.text == "ab" * 25, transcript
    assert transcribe_long(samples, emitter, decoder).text
    assert asr.formats.format_transcript(transcript, "srt")
assert len(align_text(emission.log_probs, "ab" * 25, tokens, 0.04, 4.0).words) == 1
assert not any(name.partition(".")[0] == "torch" for name, module in sys.modules.items() if module)
"""


def test_decoding_alignment_and_long_form_need_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
