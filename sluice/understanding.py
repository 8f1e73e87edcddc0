"""From speech to slots: a recognizer's best readings, tagged, and the one chosen that both halves believe."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field

from asr import Transcriber
from asr.audio.reading import AudioError
from asr.transcriber import Source
from asr.transcript import Transcript, Word
from slot_filling import Tagger
from slot_filling.tagging import Slot, Tagging
from sluice.inverse_text_normalization import Piece, WrittenForm, write_down
from sluice_core.config import Settings
from sluice_core.errors import UserError
from sluice_core.files import CheckpointError, write_text
from sluice_core.kind import task_of

SETTINGS_FILE = "understanding.yaml"
TOGETHER = 32
"""Recordings whose readings are tagged in one go."""
LEAST = 1e-300
"""Probabilities below it count as it."""


class UnderstandingConfig(Settings):
    """Which recognizer and tagger go together, and how their opinions are weighed."""

    recognizer: Path = Field(description="a recognizer's run directory, relative to this file's")
    tagger: Path = Field(description="a tagger's run directory, relative to this file's")
    candidates: int = Field(8, ge=1, description="readings of the recognizer that are tagged")
    tagger_weight: float = Field(
        0.5, ge=0, description="of the log-probabilities of slots and intent beside the recognizer's score"
    )


@dataclass(frozen=True)
class HeardSlot:
    """A labelled piece of what was said: `text[start:end]`, and `written_text[written_start:written_end]`."""

    label: str
    text: str
    start: int
    end: int
    written: str
    """As people write it."""
    written_start: int
    written_end: int
    confidence: float
    """The probability that these words, and no more, are this slot, times that of each word being right."""
    value: str | None
    """What it stands for, where that is sure, in ISO forms."""
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class Understanding:
    """What was said in a recording and what it means."""

    text: str
    written_text: str
    words: tuple[Word, ...]
    slots: tuple[HeardSlot, ...]
    intent: str | None
    intent_confidence: float | None
    confidence: float
    """The probability that words and slots are all right."""
    score: float
    """What readings are ranked by: the recognizer's score, and the weighted log-probabilities of the tagger."""
    duration_seconds: float
    source: str | None = None
    alternatives: tuple["Understanding", ...] = ()
    """Other readings, best first, where they were asked for."""

    def to_dict(self) -> dict[str, Any]:
        """The same facts as plain values, for JSON."""
        return asdict(self)


class Understander:
    """Hears and understands.

    Example:
        >>> understander = Understander.load("runs/understand-travel")  # doctest: +SKIP
        >>> understander.understand("request.wav").slots[0].text  # doctest: +SKIP
        'taipei'
    """

    def __init__(
        self, transcriber: Transcriber, tagger: Tagger, *, candidates: int = 8, tagger_weight: float = 0.5
    ) -> None:
        """Put the halves together; see `UnderstandingConfig` for the numbers."""
        self.transcriber, self.tagger = transcriber, tagger
        self.candidates, self.tagger_weight = candidates, tagger_weight

    @classmethod
    def load(
        cls, directory: str | Path, device: str = "cpu", *, tagger: str | Path | None = None
    ) -> "Understander":
        """Read what `save` wrote, and the two run directories that it names; or a recognizer's run and a tagger's.

        Args:
            directory: both halves, or a recognizer's run where `tagger` is given.
            device: where the models compute.
            tagger: a tagger's run.

        Raises:
            CheckpointError: a directory is missing or damaged.
            ConfigError: the settings are wrong.
            UserError: the two do not go together.
        """
        directory = Path(directory)
        joined = (directory / SETTINGS_FILE).is_file()
        if tagger is not None:
            if joined:
                raise UserError(
                    f"{directory} has a tagger already: leave --tagger out, or name a recognizer's run"
                )
            if task_of(directory) == "slots":
                raise UserError(
                    f"{directory} is a tagger's run, and so is --tagger: put a recognizer's run first"
                )
            return cls(Transcriber.load(directory, device), Tagger.load(tagger, device))
        if not joined:
            raise CheckpointError(
                f"{directory}: no {SETTINGS_FILE} in it; `make recipe-understand` makes such a directory, or name a "
                "recognizer and a tagger"
            )
        config = UnderstandingConfig.read(directory / SETTINGS_FILE)
        return cls(
            Transcriber.load(directory / config.recognizer, device),
            Tagger.load(directory / config.tagger, device),
            candidates=config.candidates,
            tagger_weight=config.tagger_weight,
        )

    def save(self, directory: str | Path) -> None:
        """Write both halves and how they are weighed into one directory, complete in itself."""
        directory = Path(directory)
        config = UnderstandingConfig(
            recognizer=Path("recognizer"),
            tagger=Path("tagger"),
            candidates=self.candidates,
            tagger_weight=self.tagger_weight,
        )
        self.transcriber.save(directory / config.recognizer)
        self.tagger.save(directory / config.tagger)
        write_text(directory / SETTINGS_FILE, config.to_yaml())

    def understand(
        self,
        source: Source,
        sample_rate: int | None = None,
        *,
        alternatives: int = 0,
        hot_words: Mapping[str, float] | None = None,
    ) -> Understanding:
        """Understand one file, or samples at `sample_rate` Hz.

        Args:
            source: what to listen to.
            sample_rate: of samples, in Hz; the model's own if not given.
            alternatives: how many other readings to give, at most.
            hot_words: as in `Transcriber.transcribe`.

        Raises:
            AudioError: the audio cannot be read.
        """
        options: dict[str, Any] = {"alternatives": alternatives, "hot_words": hot_words}
        return next(iter(self.understand_many([source], sample_rate, **options)))

    def understand_many(
        self,
        sources: Iterable[Source],
        sample_rate: int | None = None,
        *,
        batch_size: int = 16,
        alternatives: int = 0,
        hot_words: Mapping[str, float] | None = None,
        on_error: Callable[[Source, AudioError], None] | None = None,
        quiet: bool = True,
    ) -> Iterator[Understanding]:
        """Understand many, in the order given; the arguments are those of `Transcriber.transcribe_many`."""
        transcripts = self.transcriber.transcribe_many(
            sources,
            sample_rate,
            batch_size=batch_size,
            on_error=on_error,
            hot_words=hot_words,
            alternatives=max(self.candidates - 1, alternatives),
            quiet=quiet,
        )
        while group := list(islice(transcripts, TOGETHER)):
            yield from self.choose(group, alternatives=alternatives)

    def choose(self, transcripts: Sequence[Transcript], *, alternatives: int = 0) -> list[Understanding]:
        """Tag transcripts with their alternatives, and rank the readings of each by both halves' scores."""
        readings = [[transcript, *transcript.alternatives] for transcript in transcripts]
        texts = dict.fromkeys(reading.text for each in readings for reading in each)
        tagged = dict(zip(texts, self.tagger.tag_many(list(texts)), strict=True))
        return [self._best(each, tagged, alternatives) for each in readings]

    def _best(
        self, readings: Sequence[Transcript], tagged: Mapping[str, Tagging], alternatives: int
    ) -> Understanding:
        scored = [(self._score(reading, tagged[reading.text]), reading) for reading in readings]
        ranked = sorted(scored, key=lambda each: -each[0])[: 1 + alternatives]
        best, *others = [self._meaning(reading, tagged[reading.text], score) for score, reading in ranked]
        return replace(best, alternatives=tuple(others))

    def _score(self, heard: Transcript, tagging: Tagging) -> float:
        sure = [tagging.confidence, tagging.intent_confidence or 1.0]
        return heard.score + self.tagger_weight * sum(math.log(max(each, LEAST)) for each in sure)

    def _meaning(self, heard: Transcript, tagging: Tagging, score: float) -> Understanding:
        form = write_down(heard.text, tagging.slots, self.tagger.vocabulary.names)
        places = _places(heard)
        return Understanding(
            text=heard.text,
            written_text=form.text,
            words=heard.words,
            slots=tuple(
                _heard_slot(slot, piece, form, heard, places)
                for slot, piece in zip(tagging.slots, form.pieces, strict=True)
            ),
            intent=tagging.intent,
            intent_confidence=tagging.intent_confidence,
            confidence=tagging.confidence * math.prod(word.confidence for word in heard.words),
            score=score,
            duration_seconds=heard.duration_seconds,
            source=heard.source,
        )


def _places(heard: Transcript) -> list[int]:
    """Where each word of a transcript begins in its text, which is the words with single spaces between."""
    places, position = [], 0
    for word in heard.words:
        places.append(position)
        position += len(word.text) + 1
    return places


def _heard_slot(
    slot: Slot, piece: Piece, form: WrittenForm, heard: Transcript, places: Sequence[int]
) -> HeardSlot:
    words = [
        word
        for word, place in zip(heard.words, places, strict=True)
        if place < slot.end and place + len(word.text) > slot.start
    ]
    return HeardSlot(
        label=slot.label,
        text=slot.text,
        start=slot.start,
        end=slot.end,
        written=form.text[piece.written_start : piece.written_end],
        written_start=piece.written_start,
        written_end=piece.written_end,
        confidence=slot.confidence * math.prod(word.confidence for word in words),
        value=slot.value,
        start_seconds=words[0].start,
        end_seconds=words[-1].end,
    )
