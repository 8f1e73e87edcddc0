"""Run the synthesizers that are programs of the system."""

import subprocess
from collections.abc import Sequence

import numpy as np

from asr.synthesis.speech import EngineError


def run_program(command: Sequence[str], text: str = "", *, check: bool = True) -> str:
    """Run a program with a text as its standard input, and return what it prints.

    Args:
        command: The program and its arguments.
        text: Its standard input.
        check: Whether an exit status other than 0 is an error.

    Raises:
        EngineError: it does not start, or fails; the message is its last line.
    """
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    except OSError as error:
        raise EngineError(f"{command[0]} does not start: {error.strerror or error}") from error
    said = (done.stderr.decode(errors="replace") or done.stdout.decode(errors="replace")).strip().splitlines()
    if check and done.returncode != 0:
        raise EngineError(f"{command[0]} failed: {said[-1] if said else f'exit status {done.returncode}'}")
    return done.stdout.decode(errors="replace")


def read_wave(path: str, text: str, program: str) -> tuple[np.ndarray, int]:
    """Return the samples `[samples]` and the sample rate of the WAV file that a program made of a text.

    Raises:
        EngineError: there is no sound in the file.
    """
    import soundfile

    try:
        samples, sample_rate = soundfile.read(path, dtype="float32")
    except (OSError, soundfile.SoundFileError) as error:
        raise EngineError(f"{program} said nothing for {text!r}") from error
    if not np.any(samples):
        raise EngineError(f"there is nothing to say in {text!r}")
    return samples, sample_rate
