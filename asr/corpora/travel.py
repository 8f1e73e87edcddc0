"""The embedded corpus: travel requests of `sluice_core.grammar.travel`, spoken by espeak-ng.

    CACHE/travel-KEY/manifest.jsonl      the columns of every corpus, and `split`
    CACHE/travel-KEY/audio/train-0000.flac

Nothing is downloaded. Sentences and voices of dev and test are never in training. KEY names exactly
what was to be said, by whom and how, so that other settings make another folder.
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from random import Random
from threading import Event
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

from asr.config import SpeechCorpusConfig
from asr.corpora.utterances import CorpusError, Utterance, build_dataset, source_key
from asr.synthesis.espeak import HEADROOM, synthesizer
from asr.synthesis.speak import SAMPLE_RATE, Task
from asr.synthesis.voices import cast, utter
from sluice_core.grammar.grammar import Split
from sluice_core.grammar.travel import generate
from sluice_core.normalization.text import Case, normalize_text
from sluice_core.progress import track

if TYPE_CHECKING:
    from datasets import Dataset

LAYOUT = 1  # part of the key: raise it when `travel_speak` would make other sound from the same tasks
CHUNK = 100  # utterances of one process; part of what is heard, so never from the number of processors
DEV_AND_TEST_SHARE = 0.1  # each
PEAK_DB, NOISE_DB, AROUND_SECONDS = (-20.0, -1.0), (-84.0, -66.0), (0.1, 0.2)
LEFTOVER_SECONDS = 3600.0

log = logging.getLogger(__name__)


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """The parts "train", "dev" and "test", spoken first if they are not in the cache yet.

    Raises:
        CorpusError: the settings name speakers for dev or test, or the cache cannot be written.
        EspeakError: the corpus has to be spoken and espeak-ng is not there.
    """
    if config.dev_speakers or config.test_speakers:
        raise CorpusError(
            "the travel corpus brings its own dev and test voices: unset corpus.dev_speakers and "
            "corpus.test_speakers"
        )
    manifest = make(cache, config.utterances, config.split_seed) / "manifest.jsonl"
    return {
        part: build_dataset(
            partial(_rows, manifest, part, config.case),
            cache,
            source_key("travel", [manifest], {"part": part, "case": config.case}),
        )
        for part in get_args(Split)
    }


def _rows(manifest: Path, part: Split, case: Case) -> Iterator[Utterance]:
    """Rows of one part; paths made absolute, case as asked for."""
    with manifest.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row.pop("split") != part:
                continue
            for text in (row, *row["words"]):
                text["text"] = normalize_text(text["text"], case)
            row["audio"] = str(manifest.resolve().parent / row["audio"])
            yield row


def make(cache: Path, utterances: int = 2000, seed: int = 17, processes: int | None = None) -> Path:
    """The corpus's folder; spoken, by `processes` at a time (all processors), if it is not there.

    The same settings give the same files whatever `processes` is. The folder appears whole or not at
    all.

    Raises:
        CorpusError: the folder cannot be written, or a process that speaks failed; says why.
        EspeakError: espeak-ng is not installed.
    """
    tasks = plan(utterances, seed)
    folder = Path(cache) / f"travel-{_key(tasks)}"
    if (folder / "manifest.jsonl").is_file():
        return folder
    synthesizer()  # says at once, and once, what is missing
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        building = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
        try:
            _build(building, tasks, processes or _processors())
            _put_in_place(building, folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise CorpusError(f"{cache}: cannot write the travel corpus: {error.strerror or error}") from error
    return folder


def plan(utterances: int, seed: int) -> list[Task]:
    """What is said, by whom and how: a tenth of the utterances for dev, a tenth for test."""
    held_out = max(1, round(utterances * DEV_AND_TEST_SHARE))
    counts: dict[Split, int] = {"train": utterances - 2 * held_out, "dev": held_out, "test": held_out}
    tasks = []
    for part, count in counts.items():
        voices, random = cast(part), Random(f"{seed} {part} voices")
        for index, sentence in enumerate(generate(count, seed, part)):
            tasks.append(
                Task(
                    id=f"{part}-{index:04d}",
                    text=sentence.text,
                    voice=utter(voices[index % len(voices)], random),
                    peak_db=round(random.uniform(*PEAK_DB), 1),
                    noise_db=round(random.uniform(*NOISE_DB), 1),
                    before_seconds=round(random.uniform(*AROUND_SECONDS), 3),
                    after_seconds=round(random.uniform(*AROUND_SECONDS), 3),
                    noise_seed=random.getrandbits(32),
                )
            )
    return tasks


def _key(tasks: list[Task]) -> str:
    """A name for all that decides the sound."""
    tree = [LAYOUT, CHUNK, SAMPLE_RATE, HEADROOM, [asdict(task) for task in tasks]]
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def _processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _put_in_place(building: Path, folder: Path) -> None:
    """Rename a finished build, unless another process has made the same meanwhile."""
    if folder.exists() and not (folder / "manifest.jsonl").is_file():
        shutil.rmtree(folder)  # somebody removed a part of it
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


def _build(folder: Path, tasks: list[Task], processes: int) -> None:
    """Speak everything into `folder`, its manifest last."""
    (folder / "audio").mkdir(parents=True)
    quiet = not log.isEnabledFor(logging.INFO)
    spoken = _speak(folder, tasks, processes)
    rows = {
        row["id"]: row for row in track(spoken, "speaking travel requests", total=len(tasks), quiet=quiet)
    }
    with (folder / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
        for task in tasks:
            row = {**rows[task.id], "split": task.id.partition("-")[0]}
            manifest.write(json.dumps(row, ensure_ascii=False) + "\n")


def _speak(folder: Path, tasks: list[Task], processes: int) -> Iterator[dict[str, Any]]:
    """Rows as they are spoken, in no certain order, by fresh processes of `CHUNK` utterances each.

    Raises:
        CorpusError: a process failed; the others are stopped.
    """
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    rows: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    stop = Event()
    with ThreadPoolExecutor(max_workers=processes) as pool:
        futures = [pool.submit(_speak_chunk, folder, i, chunk, rows, stop) for i, chunk in enumerate(chunks)]
        try:
            for _ in tasks:
                row = rows.get()
                if row is None:
                    break
                yield row
            for future in as_completed(futures):
                future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _speak_chunk(
    folder: Path, number: int, tasks: list[Task], rows: "SimpleQueue[dict[str, Any] | None]", stop: Event
) -> None:
    """Put the rows of one chunk, spoken by a process of its own, into the queue; None if that fails."""
    try:
        _run_speaker(folder, number, tasks, rows, stop)
    except BaseException:
        stop.set()
        rows.put(None)
        raise


def _run_speaker(
    folder: Path, number: int, tasks: list[Task], rows: "SimpleQueue[dict[str, Any] | None]", stop: Event
) -> None:
    """Run `travel_speak` over the tasks; ends early once `stop` is set.

    Raises:
        CorpusError: the process failed; says what it said.
    """
    todo = folder / f"tasks-{number:03d}.json"
    todo.write_text(json.dumps([asdict(task) for task in tasks]), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "asr.synthesis.speak", str(todo), str(folder / "audio")]
    # What this process can import, that one can.
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path),
    }
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if stop.is_set():
                    return
                rows.put(json.loads(line))
        finally:
            if stop.is_set():
                process.kill()
        if process.wait() != 0:
            said.seek(0)
            reason = said.read().strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
            raise CorpusError(f"speaking the travel corpus failed: {reason[0]}")
    todo.unlink()
