"""The models that a server uses: a recognizer, a tagger, or both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr import Transcriber
from slot_filling import Tagger
from sluice.server.errors import ApiError
from sluice.understanding import Understander
from sluice_core.run_directory import JOINED_FILE, task_of

OPENAI_MODEL = "whisper-1"
"""Model name that programs written for OpenAI send; here it means the server's recognizer."""


@dataclass(frozen=True)
class ServedRun:
    """A run directory, as `/v1/models` lists it."""

    name: str
    created: int
    """When its weights were written, in seconds since 1970."""
    transcribes: bool
    """Whether transcription requests may name it."""


@dataclass(frozen=True)
class Models:
    """The models of a server, and the runs that they come from."""

    transcriber: Transcriber | None
    tagger: Tagger | None
    understander: Understander | None
    runs: Sequence[ServedRun]

    @property
    def has_grammar(self) -> bool:
        """Whether recordings can be understood along a grammar."""
        return self.understander is not None and self.understander.grammar is not None

    def require_transcriber(self) -> Transcriber:
        """Return the recognizer.

        Raises:
            ApiError: 404, there is none.
        """
        if self.transcriber is None:
            raise _not_served("a recognizer's run")
        return self.transcriber

    def require_tagger(self) -> Tagger:
        """Return the tagger.

        Raises:
            ApiError: 404, there is none.
        """
        if self.tagger is None:
            raise _not_served("a tagger's run")
        return self.tagger

    def require_understander(self) -> Understander:
        """Return recognizer and tagger together.

        Raises:
            ApiError: 404, one of them is missing.
        """
        self.require_transcriber()
        self.require_tagger()
        assert self.understander is not None
        return self.understander


def load_models(run: Path, tagger: Path | None = None, device: str = "cpu") -> Models:
    """Load the models of a server.

    Args:
        run: run directory of a recognizer or a tagger, or a directory that `Understander.save` wrote.
        tagger: a tagger's run directory, if `run` is a recognizer's.
        device: where the models compute: "cpu", "cuda", …

    Raises:
        UserError: a directory is missing or damaged, or the two do not go together.
    """
    if tagger is not None:
        both = Understander.load(run, device, tagger=tagger)
        runs = [_served_run(run), _served_run(tagger, transcribes=False)]
        return Models(both.transcriber, both.tagger, both, runs)
    if (run / JOINED_FILE).is_file():
        both = Understander.load(run, device)
        return Models(both.transcriber, both.tagger, both, [_served_run(run, run / JOINED_FILE)])
    if task_of(run) == "slots":
        return Models(None, Tagger.load(run, device), None, [_served_run(run, transcribes=False)])
    return Models(Transcriber.load(run, device), None, None, [_served_run(run)])


def _served_run(run: Path, file: Path | None = None, *, transcribes: bool = True) -> ServedRun:
    created = (file or run / "model.safetensors").stat().st_mtime
    return ServedRun(run.resolve().name, int(created), transcribes)


def _not_served(what: str) -> ApiError:
    return ApiError(
        404,
        f"this server was started without {what}; start it as `sluice serve RECOGNIZER --tagger TAGGER`",
        code="not_served",
    )
