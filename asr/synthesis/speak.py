"""Speak a chunk of utterances by one engine: `python -m asr.synthesis.speak CHUNK FOLDER`.

A chunk has a process of its own, since engines keep a state, and only a fresh one always says the same thing in the
same way. CHUNK is a JSON file with the engine, its voice files and a list of speech jobs; the utterance of each is
written to FOLDER as FLAC, and its corpus columns to stdout as a line of JSON.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio.writing import write_audio
from asr.synthesis.engines import make_engine
from asr.synthesis.engines.protocol import Engine
from asr.synthesis.speech import EngineError, Speech, SpokenWord
from sluice_core.errors import UserError

SAMPLE_RATE = 16_000
STEP_SECONDS = 0.04  # a step of a model with frames of 10 ms, of which every fourth is kept
MARGIN = 1.15  # so that training at up to 1.1 times the speed has room
SLOWER = 0.93
MOST_TRIES = 12  # by then, the pace is less than half of what it was
SILENCE = 0.003  # samples below this share of the peak are no speech
A_M = ("a", "m")  # as in "ten a m", where synthesizers would say the article


@dataclass(frozen=True)
class SpeechJob:
    """An utterance to be spoken: what, by whom and how."""

    id: str
    """The split, a hyphen, the engine, a hyphen and a number."""
    text: str
    said: tuple[str, ...]
    """How each word of the text is written for the engine."""
    engine: str
    voice: str
    seed: int
    """Decides how the voice says it, and the noise."""
    peak_db: float
    """The level of the loudest sample, relative to full scale."""
    noise_db: float
    """The level of the noise of room and microphone, relative to full scale."""
    before_seconds: float
    """The length of the noise alone before the speech."""
    after_seconds: float
    """The length of the noise alone after the speech."""

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> "SpeechJob":
        """Make a job from what `dataclasses.asdict` made of it."""
        return cls(**{**tree, "said": tuple(tree["said"])})

    @property
    def split(self) -> str:
        """The split that the utterance belongs to."""
        return self.id.partition("-")[0]

    @property
    def speaker(self) -> str:
        """The engine and its voice, as in `flite:slt`."""
        return f"{self.engine}:{self.voice}"


def seconds_needed(text: str) -> float:
    """Return how long speech must last for CTC over characters: a step for each, and a blank between twins."""
    twins = sum(left == right for left, right in pairwise(text))
    return MARGIN * STEP_SECONDS * (len(text) + twins)


def spoken_form(text: str, sounds: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return how each word of a text is written to make a synthesizer say it right.

    Args:
        text: The words.
        sounds: How words that synthesizers misread are written for them.

    >>> spoken_form("call eva at ten a m", {"eva": "eh vah"})
    ('call', 'eh vah', 'at', 'ten', 'ay', 'm')
    """
    words, sounds = text.split(), sounds or {}
    return tuple(
        sounds.get(word) or ("ay" if tuple(words[i : i + 2]) == A_M else word) for i, word in enumerate(words)
    )


def speak(job: SpeechJob, engine: Engine) -> tuple[np.ndarray, list[SpokenWord]]:
    """Speak an utterance: float32 samples `[samples]` at 16 kHz, and its words as the job writes them, if timed.

    Speech that is too short for CTC is spoken again, slower.

    Raises:
        EngineError: the engine cannot say it, or only too fast.
    """
    import soxr

    needed, pace = seconds_needed(job.text), 1.0
    for _ in range(MOST_TRIES):
        speech = engine.speak(" ".join(job.said), job.voice, job.seed, pace)
        first, last = _speech_bounds(speech.samples)
        seconds = (last - first) / speech.sample_rate + job.before_seconds + job.after_seconds
        if seconds >= needed:
            break
        pace *= SLOWER
    else:
        raise EngineError(
            f"{job.speaker} says {job.text!r} in {seconds:.1f} seconds, too few for its letters; "
            "if it leaves words out, give them sounds in the grammar"
        )
    samples = soxr.resample(speech.samples[first:last].astype(np.float32), speech.sample_rate, SAMPLE_RATE)
    padding = [round(length * SAMPLE_RATE) for length in (job.before_seconds, job.after_seconds)]
    samples = np.pad(samples * (_amplitude(job.peak_db) / np.abs(samples).max()), padding)
    noise = np.random.default_rng(job.seed).standard_normal(len(samples), np.float32)
    samples += _amplitude(job.noise_db) * noise
    shift = job.before_seconds - first / speech.sample_rate
    spoken = job.before_seconds + (last - first) / speech.sample_rate
    return samples, _written_words(job, speech, shift, spoken)


def _speech_bounds(samples: np.ndarray) -> tuple[int, int]:
    """Return the first sample of the speech, and the one after its last."""
    levels = np.abs(samples.astype(np.float32))
    loud = np.flatnonzero(levels > SILENCE * levels.max())
    return int(loud[0]), int(loud[-1]) + 1


def _amplitude(db: float) -> float:
    """Convert a level in decibels relative to full scale to an amplitude."""
    return float(10 ** (db / 20))


def _written_words(job: SpeechJob, speech: Speech, shift: float, until: float) -> list[SpokenWord]:
    """Return the job's words, their times moved by `shift` seconds and kept within the speech; [] if untimed."""

    def moved(seconds: float) -> float:
        return round(min(max(seconds + shift, job.before_seconds), until), 4)

    spoken, written = iter(speech.words or ()), []
    for text, said in zip(job.text.split(), job.said, strict=True) if speech.words else ():
        parts = [next(spoken) for _ in said.split()]
        written.append(SpokenWord(text, moved(parts[0].start_seconds), moved(parts[-1].end_seconds)))
    return written


def speak_chunk(jobs: list[SpeechJob], engine: Engine, folder: Path) -> None:
    """Speak all utterances in order; write each to `folder`, and print its columns when it is done."""
    for job in jobs:
        samples, words = speak(job, engine)
        write_audio(folder / f"{job.id}.flac", samples, SAMPLE_RATE)
        utterance = {
            "id": job.id,
            "audio": f"{folder.name}/{job.id}.flac",
            "text": job.text,
            "speaker": job.speaker,
            "start_seconds": None,
            "end_seconds": None,
            "duration_seconds": len(samples) / SAMPLE_RATE,
            "words": [word._asdict() for word in words],
        }
        print(json.dumps(utterance), flush=True)


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, or 1 with the reason on stderr."""
    chunk_file, folder = map(Path, arguments)
    try:
        tree = json.loads(chunk_file.read_text(encoding="utf-8"))
        engine = make_engine(tree["engine"], [Path(path) for path in tree["voice_files"]])
        speak_chunk([SpeechJob.from_json(job) for job in tree["jobs"]], engine, folder)
    except (UserError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
