"""Speak a chunk of utterances: `python -m asr.synthesis.speak JOBS FOLDER`.

A chunk has a process of its own, since only a fresh espeak-ng always says the same thing in the same way. JOBS is
a JSON file with a list of speech jobs; the utterance of each is written to FOLDER as FLAC, and its corpus columns
to stdout as a line of JSON.
"""

import json
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio.writing import write_flac
from asr.synthesis.espeak import Speech, SpokenWord, Voice, synthesizer
from sluice_core.errors import UserError

SAMPLE_RATE = 16_000
STEP_SECONDS = 0.04  # a step of a model with frames of 10 ms, of which every fourth is kept
MARGIN = 1.15  # so that training at up to 1.1 times the speed has room
SLOWER = 0.93
SILENCE = 0.003  # samples below this share of the peak are no speech
A_M = ("a", "m")  # as in "ten a m", where espeak-ng would say the article


@dataclass(frozen=True)
class SpeechJob:
    """An utterance to be spoken: what, by whom and how."""

    id: str
    """The split, a hyphen and a number."""
    text: str
    voice: Voice
    peak_db: float
    """The level of the loudest sample, relative to full scale."""
    noise_db: float
    """The level of the noise of room and microphone, relative to full scale."""
    before_seconds: float
    """The length of the noise alone before the speech."""
    after_seconds: float
    """The length of the noise alone after the speech."""
    noise_seed: int

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> "SpeechJob":
        """Make a job from what `dataclasses.asdict` made of it."""
        return cls(**{**tree, "voice": Voice(**tree["voice"])})

    @property
    def split(self) -> str:
        """The split that the utterance belongs to."""
        return self.id.partition("-")[0]


def seconds_needed(text: str) -> float:
    """Return how long speech must last for CTC over characters: a step for each, and a blank between twins."""
    twins = sum(left == right for left, right in pairwise(text))
    return MARGIN * STEP_SECONDS * (len(text) + twins)


def spoken_form(text: str) -> str:
    """Return the text that makes espeak-ng say `text` right; it has as many words.

    >>> spoken_form("a flight at ten a m")
    'a flight at ten ay m'
    """
    words = text.split()
    return " ".join("ay" if tuple(words[i : i + 2]) == A_M else word for i, word in enumerate(words))


def speak(job: SpeechJob) -> tuple[np.ndarray, list[SpokenWord]]:
    """Speak an utterance: float32 samples `[samples]` at 16 kHz, and its words as the job writes them.

    Speech that is too short for CTC is spoken again, slower.
    """
    import soxr

    voice, needed = job.voice, seconds_needed(job.text)
    while True:
        speech = synthesizer().synthesize(spoken_form(job.text), voice)
        first, last = _speech_bounds(speech.samples)
        seconds = (last - first) / speech.sample_rate + job.before_seconds + job.after_seconds
        if seconds >= needed:
            break
        voice = replace(voice, rate=int(voice.rate * SLOWER))
    samples = soxr.resample(speech.samples[first:last].astype(np.float32), speech.sample_rate, SAMPLE_RATE)
    padding = [round(length * SAMPLE_RATE) for length in (job.before_seconds, job.after_seconds)]
    samples = np.pad(samples * (_amplitude(job.peak_db) / np.abs(samples).max()), padding)
    noise = np.random.default_rng(job.noise_seed).standard_normal(len(samples), np.float32)
    samples += _amplitude(job.noise_db) * noise
    shift = job.before_seconds - first / speech.sample_rate
    spoken = job.before_seconds + (last - first) / speech.sample_rate
    return samples, _written_words(job, speech, shift, spoken)


def _speech_bounds(samples: np.ndarray) -> tuple[int, int]:
    """Return the first sample of the speech, and the one after its last."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > SILENCE * np.abs(samples).max())
    return int(loud[0]), int(loud[-1]) + 1


def _amplitude(db: float) -> float:
    """Convert a level in decibels relative to full scale to an amplitude."""
    return float(10 ** (db / 20))


def _written_words(job: SpeechJob, speech: Speech, shift: float, until: float) -> list[SpokenWord]:
    """Return the words of the job's text, their times moved by `shift` seconds and kept within the speech."""

    def moved(seconds: float) -> float:
        return round(min(max(seconds + shift, job.before_seconds), until), 4)

    written = zip(job.text.split(), speech.words, strict=True)
    return [SpokenWord(text, moved(word.start_seconds), moved(word.end_seconds)) for text, word in written]


def speak_chunk(jobs: list[SpeechJob], folder: Path) -> None:
    """Speak all utterances in order; write each to `folder`, and print its columns when it is done."""
    for job in jobs:
        samples, words = speak(job)
        write_flac(folder / f"{job.id}.flac", samples, SAMPLE_RATE)
        utterance = {
            "id": job.id,
            "audio": f"{folder.name}/{job.id}.flac",
            "text": job.text,
            "speaker": job.voice.name,
            "start_seconds": None,
            "end_seconds": None,
            "duration_seconds": len(samples) / SAMPLE_RATE,
            "words": [word._asdict() for word in words],
        }
        print(json.dumps(utterance), flush=True)


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, or 1 with the reason on stderr."""
    jobs_file, folder = map(Path, arguments)
    try:
        tree = json.loads(jobs_file.read_text(encoding="utf-8"))
        speak_chunk([SpeechJob.from_json(job) for job in tree], folder)
    except (UserError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
