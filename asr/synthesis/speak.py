"""Speak a chunk of the travel corpus: `python -m asr.synthesis.speak TASKS FOLDER`.

A chunk has a process of its own, since only a fresh espeak-ng always says the same thing the same way.
TASKS is a JSON file of `Task`s; a FLAC file of each goes to FOLDER, its row as a JSON line to stdout.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from asr.synthesis.espeak import Speech, SpokenWord, Voice, synthesizer
from sluice_core.errors import UserError

SAMPLE_RATE = 16_000
STEP_SECONDS = 0.04  # of a model that hears 10 ms frames and keeps every fourth
MARGIN = 1.15  # room for training at up to 1.1 times the speed
SLOWER = 0.93
SILENCE = 0.003  # of the peak: what is below does not count as speech
A_M = ("a", "m")  # espeak-ng would read the article


@dataclass(frozen=True)
class Task:
    """One utterance to be spoken."""

    id: str
    text: str
    voice: Voice
    peak_db: float  # loudest sample, under full scale
    noise_db: float  # level of the noise of the room and microphone, under full scale
    before_seconds: float  # of near silence, before and after
    after_seconds: float
    noise_seed: int

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> "Task":
        """A task from what `dataclasses.asdict` made of it."""
        return cls(**{**tree, "voice": Voice(**tree["voice"])})


def seconds_needed(text: str) -> float:
    """How long speech must last for CTC over characters: a step for each, and a blank between twins."""
    twins = sum(left == right for left, right in pairwise(text))
    return MARGIN * STEP_SECONDS * (len(text) + twins)


def spoken_form(text: str) -> str:
    """The text as espeak-ng must read it to say it right; the same number of words."""
    words = text.split()
    return " ".join("ay" if tuple(words[i : i + 2]) == A_M else word for i, word in enumerate(words))


def say(task: Task) -> tuple[np.ndarray, list[SpokenWord]]:
    """The utterance of a task: float32 samples `[samples]` at 16 kHz, and its words as they are written."""
    import soxr

    voice, needed = task.voice, seconds_needed(task.text)
    while True:
        speech = synthesizer().synthesize(spoken_form(task.text), voice)
        first, last = _speech_bounds(speech.samples)
        seconds = (last - first) / speech.sample_rate + task.before_seconds + task.after_seconds
        if seconds >= needed:
            break
        voice = Voice(voice.language, voice.variant, int(voice.rate * SLOWER), voice.pitch, voice.pitch_range)
    samples = soxr.resample(speech.samples[first:last].astype(np.float32), speech.sample_rate, SAMPLE_RATE)
    padding = [round(length * SAMPLE_RATE) for length in (task.before_seconds, task.after_seconds)]
    samples = np.pad(samples * (_amplitude(task.peak_db) / np.abs(samples).max()), padding)
    noise = np.random.default_rng(task.noise_seed).standard_normal(len(samples), np.float32)
    samples += _amplitude(task.noise_db) * noise
    shift = task.before_seconds - first / speech.sample_rate
    spoken = task.before_seconds + (last - first) / speech.sample_rate
    return samples, _written_words(task, speech, shift, spoken)


def _speech_bounds(samples: np.ndarray) -> tuple[int, int]:
    """First sample of the speech, and the one after its last."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > SILENCE * np.abs(samples).max())
    return int(loud[0]), int(loud[-1]) + 1


def _amplitude(db: float) -> float:
    """Of a level in decibels under full scale (1.0)."""
    return float(10 ** (db / 20))


def _written_words(task: Task, speech: Speech, shift: float, until: float) -> list[SpokenWord]:
    """The words as in the task's text, their times moved by `shift` seconds and kept within the speech."""

    def moved(seconds: float) -> float:
        return round(min(max(seconds + shift, task.before_seconds), until), 4)

    written = zip(task.text.split(), speech.words, strict=True)
    return [SpokenWord(text, moved(word.start_seconds), moved(word.end_seconds)) for text, word in written]


def speak_chunk(tasks: list[Task], folder: Path) -> None:
    """Speak all tasks in order; print their rows as they are done."""
    for task in tasks:
        samples, words = say(task)
        store(folder / f"{task.id}.flac", samples)
        row = {
            "id": task.id,
            "audio": f"{folder.name}/{task.id}.flac",
            "text": task.text,
            "speaker": task.voice.name,
            "start_seconds": None,
            "end_seconds": None,
            "duration_seconds": len(samples) / SAMPLE_RATE,
            "words": [word._asdict() for word in words],
        }
        print(json.dumps(row), flush=True)


def store(path: Path, samples: np.ndarray) -> None:
    """Write float32 samples `[samples]` at 16 kHz as 16-bit FLAC.

    Raises:
        UserError: the file cannot be written; libsndfile itself says no more than "System error".
    """
    import soundfile

    try:
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    except soundfile.LibsndfileError as error:
        free = shutil.disk_usage(path.parent).free / 1e6
        raise UserError(f"cannot write {path}: {error} ({free:.1f} MB are free there)") from error


def main(arguments: list[str]) -> int:
    """Exit status: 0, or 1 with the reason on stderr."""
    tasks_file, folder = map(Path, arguments)
    try:
        tree = json.loads(tasks_file.read_text(encoding="utf-8"))
        speak_chunk([Task.from_json(task) for task in tree], folder)
    except (UserError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
