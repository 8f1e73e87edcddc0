"""Speak sentences into a corpus: a folder of recordings with a manifest, made once and found by its content.

    CACHE/NAME-KEY/manifest.jsonl      the columns of every corpus, and `split`
    CACHE/NAME-KEY/audio/train-0000.flac

KEY identifies all that is said, by whom and how, so that anything else makes another folder.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from random import Random
from threading import Event
from typing import Any
from uuid import uuid4

from asr.synthesis.espeak import HEADROOM, Voice, synthesizer
from asr.synthesis.speak import SAMPLE_RATE, SpeechJob
from asr.synthesis.voices import vary
from sluice_core.corpus_files import CorpusError
from sluice_core.grammar.grammar import Split
from sluice_core.progress import track

LAYOUT = 1
"""Part of the key: raise it when `asr.synthesis.speak` would make other sound of the same jobs."""
CHUNK = 100
"""Utterances of one process. It changes what is heard, so it must not depend on the number of processors."""
PEAK_DB, NOISE_DB, AROUND_SECONDS = (-20.0, -1.0), (-84.0, -66.0), (0.1, 0.2)
LEFTOVER_SECONDS = 3600.0
"""An unfinished folder is removed once it has not been written to for so long."""

log = logging.getLogger(__name__)


def plan_jobs(split: Split, texts: Sequence[str], voices: Sequence[Voice], seed: int) -> list[SpeechJob]:
    """Plan who says the sentences of a split, and how: voices take turns, levels and pauses are drawn.

    Args:
        split: The split, which is part of each id.
        texts: The sentences in spoken form.
        voices: The voices of the split.
        seed: The seed of all that is drawn.
    """
    random = Random(f"{seed} {split} voices")
    return [
        SpeechJob(
            id=f"{split}-{index:04d}",
            text=text,
            voice=vary(voices[index % len(voices)], random),
            peak_db=round(random.uniform(*PEAK_DB), 1),
            noise_db=round(random.uniform(*NOISE_DB), 1),
            before_seconds=round(random.uniform(*AROUND_SECONDS), 3),
            after_seconds=round(random.uniform(*AROUND_SECONDS), 3),
            noise_seed=random.getrandbits(32),
        )
        for index, text in enumerate(texts)
    ]


def speak_corpus(
    jobs: Sequence[SpeechJob], cache: Path, name: str = "spoken", processes: int | None = None
) -> Path:
    """Return the folder of a spoken corpus, which is made if it is not in the cache.

    The same jobs make the same files whatever `processes` is. The folder appears whole or not at all.

    Args:
        jobs: The utterances.
        cache: The folder that the corpus's folder lies in.
        name: What messages and the name of the folder call the corpus.
        processes: How many processes speak at a time; as many as there are processors if not given.

    Raises:
        CorpusError: the folder cannot be written, or a process that speaks failed; the message says why.
        EspeakError: espeak-ng is not installed.
    """
    folder = Path(cache) / f"{name}-{corpus_key(jobs)}"
    if (folder / "manifest.jsonl").is_file():
        return folder
    synthesizer()  # says once, and before any process starts, what is missing
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        building = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
        try:
            _build(building, jobs, name, processes or _processors())
            _put_in_place(building, folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise CorpusError(f"{cache}: cannot write the {name} corpus: {error.strerror or error}") from error
    return folder


def corpus_key(jobs: Sequence[SpeechJob]) -> str:
    """Return a name for everything that decides the sound of a corpus."""
    tree = [LAYOUT, CHUNK, SAMPLE_RATE, HEADROOM, [asdict(job) for job in jobs]]
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _put_in_place(building: Path, folder: Path) -> None:
    """Rename a finished build, unless another process has made the same corpus meanwhile."""
    if folder.exists() and not (folder / "manifest.jsonl").is_file():
        shutil.rmtree(folder)  # somebody removed files from it
    try:
        building.rename(folder)
    except OSError:
        if not (folder / "manifest.jsonl").is_file():
            raise


def _sweep(folder: Path) -> None:
    """Remove what killed builds of the same corpus left behind."""
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        with suppress(OSError):
            if time.time() - (leftover / "audio").stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)


def _build(folder: Path, jobs: Sequence[SpeechJob], name: str, processes: int) -> None:
    """Speak everything into `folder`, and write its manifest last."""
    (folder / "audio").mkdir(parents=True)
    quiet = not log.isEnabledFor(logging.INFO)
    spoken = _speak_all(folder, jobs, name, processes)
    utterances = {
        utterance["id"]: utterance
        for utterance in track(spoken, f"speaking the {name} corpus", total=len(jobs), quiet=quiet)
    }
    with (folder / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
        for job in jobs:
            line = {**utterances[job.id], "split": job.split}
            manifest.write(json.dumps(line, ensure_ascii=False) + "\n")


def _speak_all(
    folder: Path, jobs: Sequence[SpeechJob], name: str, processes: int
) -> Iterator[dict[str, Any]]:
    """Yield utterances as they are spoken, in any order, by fresh processes of `CHUNK` utterances each.

    Raises:
        CorpusError: a process failed; the others are stopped.
    """
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    shared = _Speaking(folder, name, SimpleQueue(), Event())
    with ThreadPoolExecutor(max_workers=processes) as pool:
        futures = [pool.submit(_speak_chunk, shared, number, chunk) for number, chunk in enumerate(chunks)]
        try:
            for _ in jobs:
                utterance = shared.spoken.get()
                if utterance is None:
                    break
                yield utterance
            for future in as_completed(futures):
                future.result()
        finally:
            shared.stop.set()
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Speaking:
    """What the processes that speak one corpus share."""

    folder: Path
    name: str
    spoken: "SimpleQueue[dict[str, Any] | None]"
    """Utterances as they are spoken; None once a process has failed."""
    stop: Event


def _speak_chunk(shared: _Speaking, number: int, jobs: Sequence[SpeechJob]) -> None:
    """Put the utterances of one chunk, spoken by a process of its own, into the queue; None if that fails."""
    try:
        _run_process(shared, number, jobs)
    except BaseException:
        shared.stop.set()
        shared.spoken.put(None)
        raise


def _run_process(shared: _Speaking, number: int, jobs: Sequence[SpeechJob]) -> None:
    """Run `asr.synthesis.speak` over the jobs; end early once `stop` is set.

    Raises:
        CorpusError: the process failed; the message is its last line on stderr.
    """
    todo = shared.folder / f"jobs-{number:03d}.json"
    todo.write_text(json.dumps([asdict(job) for job in jobs]), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "asr.synthesis.speak", str(todo), str(shared.folder / "audio")]
    # The process must be able to import whatever this one can.
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path),
    }
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as messages,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=messages, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if shared.stop.is_set():
                    return
                shared.spoken.put(json.loads(line))
        finally:
            if shared.stop.is_set():
                process.kill()
        if process.wait() != 0:
            messages.seek(0)
            reason = messages.read().strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
            raise CorpusError(f"speaking the {shared.name} corpus failed: {reason[0]}")
    todo.unlink()
