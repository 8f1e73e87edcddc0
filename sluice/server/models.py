"""What a server has: a recognizer, a tagger, or both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr import Transcriber
from slot_filling import Tagger
from sluice.server.errors import ApiError
from sluice.understanding import SETTINGS_FILE, Understander
from sluice_core.kind import task_of

HEARD_AS = "whisper-1"
"""What programs written for OpenAI ask for; it is taken for the server's own recognizer."""


@dataclass(frozen=True)
class Model:
    """A run as `/v1/models` lists it."""

    name: str
    created: int
    """When its weights were written, in seconds since 1970."""
    hears: bool
    """Whether it can be asked for transcripts."""


@dataclass(frozen=True)
class Parts:
    """What there is to answer with."""

    transcriber: Transcriber | None
    tagger: Tagger | None
    understander: Understander | None
    models: Sequence[Model]

    def need_transcriber(self) -> Transcriber:
        """The recognizer.

        Raises:
            ApiError: 404, there is none.
        """
        if self.transcriber is None:
            raise _missing("a recognizer's run", "sluice serve RECOGNIZER --tagger TAGGER")
        return self.transcriber

    def need_tagger(self) -> Tagger:
        """The tagger.

        Raises:
            ApiError: 404, there is none.
        """
        if self.tagger is None:
            raise _missing("a tagger's run", "sluice serve RECOGNIZER --tagger TAGGER")
        return self.tagger

    def need_understander(self) -> Understander:
        """Both together.

        Raises:
            ApiError: 404, one of them is missing.
        """
        self.need_transcriber()
        self.need_tagger()
        assert self.understander is not None
        return self.understander


def load_parts(run: Path, tagger: Path | None = None, device: str = "cpu") -> Parts:
    """Load a joined directory, or a recognizer's or tagger's run; `tagger` goes with a recognizer's.

    Raises:
        UserError: a directory is missing or damaged, or the two do not go together.
    """
    if tagger is not None:
        both = Understander.load(run, device, tagger=tagger)
        return Parts(both.transcriber, both.tagger, both, [_model(run), _model(tagger, hears=False)])
    if (run / SETTINGS_FILE).is_file():
        both = Understander.load(run, device)
        return Parts(both.transcriber, both.tagger, both, [_model(run, run / SETTINGS_FILE)])
    if task_of(run) == "slots":
        return Parts(None, Tagger.load(run, device), None, [_model(run, hears=False)])
    return Parts(Transcriber.load(run, device), None, None, [_model(run)])


def _model(run: Path, file: Path | None = None, *, hears: bool = True) -> Model:
    created = (file or run / "model.safetensors").stat().st_mtime
    return Model(run.resolve().name, int(created), hears)


def _missing(what: str, command: str) -> ApiError:
    return ApiError(
        404, f"this server was started without {what}; start it as `{command}`", code="not_served"
    )
