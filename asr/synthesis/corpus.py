"""Speak planned utterances into a corpus: a manifest, made once and found by its content.

    CACHE/NAME-KEY/manifest.jsonl              the columns of every corpus, and `split`
    CACHE/spoken/ENGINE-KEY/manifest.jsonl     what one process spoke: a chunk of one engine's utterances
    CACHE/spoken/ENGINE-KEY/audio/*.flac

A KEY identifies all that is said, by whom and how, so that anything else makes another folder. Chunks are shared by
all corpora that contain them: with another engine only what it says is spoken, and a killed run goes on.
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
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any
from uuid import uuid4

from asr.synthesis.engines import find_voice_files, make_engine
from asr.synthesis.espeak import HEADROOM
from asr.synthesis.speak import SAMPLE_RATE, SpeechJob
from asr.synthesis.speech import EngineError
from sluice_core.corpus_files import CorpusError
from sluice_core.progress import track

LAYOUT = 3
"""Part of the keys: raise it when `asr.synthesis.speak` would make other sound of the same jobs."""
LARGEST_CHUNK, SMALLEST_CHUNK, CHUNK_CPU_SECONDS = 100, 10, 30.0
"""Utterances of one process. Their number changes what is heard, so it does not depend on the processors."""
LEFTOVER_SECONDS = 3600.0
"""An unfinished folder is removed once it has not been written to for so long."""
MANIFEST = "manifest.jsonl"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpokenChunk:
    """Utterances of one engine, spoken by one process."""

    engine: str
    voice_files: tuple[str, ...]
    jobs: tuple[SpeechJob, ...]
    key: str

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.engine}-{self.key}"


def speak_corpus(
    jobs: Sequence[SpeechJob],
    cache: Path,
    name: str = "spoken",
    processes: int | None = None,
    voice_files: Sequence[Path] = (),
) -> Path:
    """Return the folder of a spoken corpus, which is made if it is not in the cache.

    The same jobs make the same files whatever `processes` is. Folders appear whole or not at all.

    Args:
        jobs: The utterances.
        cache: The folder that the corpus's folder lies in.
        name: What messages and the name of the folder call the corpus.
        processes: How many processes speak at a time; as many as there are processors if not given.
        voice_files: The files of voices that engines were given.

    Raises:
        CorpusError: the folder cannot be written, or a process that speaks failed; the message says why.
        EngineError: an engine of the jobs is not available.
    """
    chunks = make_chunks(jobs, voice_files)
    folder = Path(cache) / f"{name}-{_digest([chunk.name for chunk in chunks])}"
    if (folder / MANIFEST).is_file():
        return folder
    spoken = Path(cache) / "spoken"
    todo = [chunk for chunk in chunks if not (spoken / chunk.name / MANIFEST).is_file()]
    for engine in {
        chunk.engine for chunk in todo
    }:  # says once, and before any process starts, what is missing
        if reason := make_engine(engine, voice_files).available():
            raise EngineError(reason)
    try:
        spoken.mkdir(parents=True, exist_ok=True)
        _sweep(spoken)
        _speak_with_progress(spoken, chunks, todo, name, processes or _processors())
        with _building(folder) as building:
            _write_manifest(building / MANIFEST, jobs, spoken, chunks)
    except OSError as error:
        raise CorpusError(f"{cache}: cannot write the {name} corpus: {error.strerror or error}") from error
    return folder


def make_chunks(jobs: Sequence[SpeechJob], voice_files: Sequence[Path] = ()) -> list[SpokenChunk]:
    """Divide jobs into chunks, by engine and split, slow engines first, so that none is left alone at the end."""
    of_engine: dict[tuple[str, str], list[SpeechJob]] = defaultdict(list)
    for job in jobs:
        of_engine[job.engine, job.split].append(job)
    files = [path.resolve() for path in find_voice_files(voice_files)]
    engines = {name: make_engine(name, files) for name in sorted({name for name, _ in of_engine})}
    contents = {
        name: [(path.stem, _file_digest(path)) for path in engine.files()] for name, engine in engines.items()
    }
    chunks = []
    for (name, _), members in sorted(of_engine.items(), key=lambda item: -engines[item[0][0]].cpu_seconds):
        size = int(min(max(CHUNK_CPU_SECONDS / engines[name].cpu_seconds, SMALLEST_CHUNK), LARGEST_CHUNK))
        for start in range(0, len(members), size):
            part = tuple(members[start : start + size])
            tree = [LAYOUT, SAMPLE_RATE, HEADROOM, contents[name], [asdict(job) for job in part]]
            chunks.append(SpokenChunk(name, tuple(map(str, files)), part, _digest(tree)))
    return chunks


def _digest(tree: Any) -> str:
    """Return a name for the content of a tree of JSON."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def _file_digest(path: Path) -> str:
    """Return a name for the content of a file, or "" if it cannot be read, which its engine explains."""
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """Give a folder to build in; rename it if it has a manifest in the end, else remove it."""
    building = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        building.mkdir(parents=True)
        yield building
        if (building / MANIFEST).is_file():
            _put_in_place(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _put_in_place(building: Path, folder: Path) -> None:
    """Rename a finished build, unless another process has made the same folder meanwhile."""
    if folder.exists() and not (folder / MANIFEST).is_file():
        shutil.rmtree(folder)  # somebody removed files from it
    try:
        building.rename(folder)
    except OSError:
        if not (folder / MANIFEST).is_file():
            raise


def _sweep(spoken: Path) -> None:
    """Remove what killed builds left behind."""
    for leftover in spoken.glob(".*"):
        with suppress(OSError):
            if time.time() - (leftover / "audio").stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)


def _write_manifest(
    path: Path, jobs: Sequence[SpeechJob], spoken: Path, chunks: Sequence[SpokenChunk]
) -> None:
    """Write the manifest of a corpus, in the order of its jobs, from those of its chunks."""
    utterances = {}
    for chunk in chunks:
        for line in (spoken / chunk.name / MANIFEST).read_text(encoding="utf-8").splitlines():
            utterance = json.loads(line)
            utterance["audio"] = f"../spoken/{chunk.name}/{utterance['audio']}"
            utterances[utterance["id"]] = utterance
    with path.open("w", encoding="utf-8") as manifest:
        for job in jobs:
            manifest.write(json.dumps({**utterances[job.id], "split": job.split}, ensure_ascii=False) + "\n")


def _speak_with_progress(
    spoken: Path, chunks: Sequence[SpokenChunk], todo: Sequence[SpokenChunk], name: str, processes: int
) -> None:
    """Speak the chunks that are not there yet."""
    total, missing = (sum(len(chunk.jobs) for chunk in of) for of in (chunks, todo))
    if 0 < missing < total:
        log.info("the %s corpus: %d of %d utterances are spoken already", name, total - missing, total)
    quiet = not log.isEnabledFor(logging.INFO)
    done = _speak_all(spoken, todo, name, processes)
    for _ in track(done, f"speaking the {name} corpus", total=missing, quiet=quiet):
        pass


def _speak_all(spoken: Path, chunks: Sequence[SpokenChunk], name: str, processes: int) -> Iterator[None]:
    """Yield once for each utterance that is spoken, by fresh processes of a chunk each.

    Raises:
        CorpusError: a process failed; the others are stopped, and whole chunks stay.
    """
    shared = _Speaking(spoken, name, SimpleQueue(), Event())
    with ThreadPoolExecutor(max_workers=processes) as pool:
        futures = [pool.submit(_speak_chunk, shared, chunk) for chunk in chunks]
        try:
            for _ in range(sum(len(chunk.jobs) for chunk in chunks)):
                if not shared.spoken.get():
                    break
                yield
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
    spoken: "SimpleQueue[bool]"
    """True for each utterance that is spoken; False once a process has failed."""
    stop: Event


def _speak_chunk(shared: _Speaking, chunk: SpokenChunk) -> None:
    """Speak one chunk by a process of its own."""
    try:
        with _building(shared.folder / chunk.name) as building:
            _run_process(shared, chunk, building)
    except BaseException:
        shared.stop.set()
        shared.spoken.put(False)
        raise


def _run_process(shared: _Speaking, chunk: SpokenChunk, folder: Path) -> None:
    """Run `asr.synthesis.speak` over a chunk into a folder, its manifest last; end without one once `stop` is set.

    Raises:
        CorpusError: the process failed; the message is its last line on stderr.
    """
    (folder / "audio").mkdir()
    todo = folder / "chunk.json"
    tree = {
        "engine": chunk.engine,
        "voice_files": chunk.voice_files,
        "jobs": [asdict(job) for job in chunk.jobs],
    }
    todo.write_text(json.dumps(tree), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "asr.synthesis.speak", str(todo), str(folder / "audio")]
    lines: list[str] = []
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as messages,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=messages, text=True, env=_environment()
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if shared.stop.is_set():
                    return
                lines.append(line)
                shared.spoken.put(True)
        finally:
            if shared.stop.is_set():
                process.kill()
        if process.wait() != 0:
            messages.seek(0)
            reason = messages.read().strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
            raise CorpusError(f"speaking the {shared.name} corpus failed: {reason[0]}")
    todo.unlink()
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")


def _environment() -> dict[str, str]:
    """Return the environment of a process that speaks: it can import whatever this one can, and uses one thread."""
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
