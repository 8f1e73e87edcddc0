"""From speech to slots: tag the best hypotheses of a recognizer, and choose the one that both models find likely.

This is n-best rescoring: the score of a hypothesis is the recognizer's score plus the weighted log-probabilities that
the tagger gives to its slots and intent.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field

from asr import Transcriber
from asr.acoustic.emissions import Source
from asr.audio.reading import AudioError
from asr.transcript import Transcript, Word
from slot_filling import Tagger
from slot_filling.tagging import Slot, Tagging
from sluice.inverse_text_normalization import AlignedSpan, InverseNormalization, inverse_normalize
from sluice_core.errors import UserError
from sluice_core.files import CheckpointError, write_text
from sluice_core.run_directory import JOINED_FILE, RunSettings, task_of

TAGGING_BATCH_SIZE = 32
"""Recordings whose hypotheses are tagged in one batch."""
MIN_PROBABILITY = 1e-300
"""Lower bound of probabilities, so that their logarithms are finite."""


class UnderstandingConfig(RunSettings):
    """Which recognizer and tagger work together, and how their scores are weighted."""

    recognizer: Path = Field(description="a recognizer's run directory, relative to this file's")
    tagger: Path = Field(description="a tagger's run directory, relative to this file's")
    candidates: int = Field(8, ge=1, description="hypotheses of the recognizer that are tagged")
    tagger_weight: float = Field(
        0.5,
        ge=0,
        description="weight of the log-probabilities of slots and intent; the recognizer's score has 1",
    )


@dataclass(frozen=True)
class SpokenSlot:
    """A slot in speech: `text[start:end]` and `written_text[written_start:written_end]` of an `Understanding`."""

    label: str
    text: str
    start: int
    end: int
    written: str
    """The written form of `text`, after inverse text normalization."""
    written_start: int
    written_end: int
    confidence: float
    """The probability that exactly these words are the slot, times the probability of each word being right."""
    value: str | None
    """What the slot stands for, in ISO forms; None where that is not certain."""
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class Understanding:
    """What was said in a recording and what it means."""

    text: str
    written_text: str
    words: tuple[Word, ...]
    slots: tuple[SpokenSlot, ...]
    intent: str | None
    intent_confidence: float | None
    confidence: float
    """The probability that all words and slots are right."""
    score: float
    """What hypotheses are ranked by: the recognizer's score plus the weighted log-probabilities of the tagger."""
    duration_seconds: float
    source: str | None = None
    alternatives: tuple["Understanding", ...] = ()
    """Further hypotheses, best first, if any were asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, for JSON."""
        return asdict(self)


class Understander:
    """A recognizer and a tagger that work together on recordings.

    Example:
        >>> understander = Understander.load("runs/understand-travel")  # doctest: +SKIP
        >>> understander.understand("request.wav").slots[0].text  # doctest: +SKIP
        'taipei'
    """

    def __init__(
        self, transcriber: Transcriber, tagger: Tagger, *, candidates: int = 8, tagger_weight: float = 0.5
    ) -> None:
        """Join the two models; `UnderstandingConfig` describes the numbers."""
        self.transcriber, self.tagger = transcriber, tagger
        self.candidates, self.tagger_weight = candidates, tagger_weight

    @classmethod
    def load(
        cls, directory: str | Path, device: str = "cpu", *, tagger: str | Path | None = None
    ) -> "Understander":
        """Load a directory that `save` wrote, or the run directories of a recognizer and of a tagger.

        Args:
            directory: what `save` wrote; or a recognizer's run directory, if `tagger` is given.
            device: where the models compute: "cpu", "cuda", "cuda:1", …
            tagger: a tagger's run directory.

        Raises:
            CheckpointError: a directory is missing or damaged.
            ConfigError: the settings are wrong.
            UserError: the two do not go together.
        """
        directory = Path(directory)
        is_joined = (directory / JOINED_FILE).is_file()
        if tagger is not None:
            if is_joined:
                raise UserError(
                    f"{directory} has a tagger already: leave out --tagger, or name a recognizer's run"
                )
            if task_of(directory) == "slots":
                raise UserError(
                    f"{directory} is a tagger's run, and so is --tagger: put a recognizer's run first"
                )
            return cls(Transcriber.load(directory, device), Tagger.load(tagger, device))
        if not directory.is_dir():
            raise CheckpointError(f"{directory}: no such run directory")
        if not is_joined:
            raise CheckpointError(
                f"{directory}: has no {JOINED_FILE}; name a recognizer's run and, with --tagger, a tagger's (in a "
                "clone of the repository, `make recipe-understand` trains both and joins them)"
            )
        config = UnderstandingConfig.read(directory / JOINED_FILE)
        return cls(
            Transcriber.load(directory / config.recognizer, device),
            Tagger.load(directory / config.tagger, device),
            candidates=config.candidates,
            tagger_weight=config.tagger_weight,
        )

    def save(self, directory: str | Path) -> None:
        """Write both models and their settings into one directory that needs no other files."""
        directory = Path(directory)
        config = UnderstandingConfig(
            recognizer=Path("recognizer"),
            tagger=Path("tagger"),
            candidates=self.candidates,
            tagger_weight=self.tagger_weight,
        )
        self.transcriber.save(directory / config.recognizer)
        self.tagger.save(directory / config.tagger)
        write_text(directory / JOINED_FILE, config.to_yaml())

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
            source: audio file, or samples `[samples]`.
            sample_rate: sample rate of the samples in Hz; the model's own if not given.
            alternatives: how many further hypotheses to return, at most.
            hot_words: phrases to favour (contextual biasing), as in `Transcriber.transcribe`.

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
        """Understand many recordings, in the order given; the arguments are those of `Transcriber.transcribe_many`."""
        transcripts = self.transcriber.transcribe_many(
            sources,
            sample_rate,
            batch_size=batch_size,
            on_error=on_error,
            hot_words=hot_words,
            alternatives=max(self.candidates - 1, alternatives),
            quiet=quiet,
        )
        while group := list(islice(transcripts, TAGGING_BATCH_SIZE)):
            yield from self.rescore(group, alternatives=alternatives)

    def rescore(self, transcripts: Sequence[Transcript], *, alternatives: int = 0) -> list[Understanding]:
        """Tag each transcript and its alternatives, and rank these hypotheses by the scores of both models.

        Args:
            transcripts: what the recognizer found, with its alternatives.
            alternatives: how many further hypotheses to return for each transcript, at most.
        """
        n_best = [[transcript, *transcript.alternatives] for transcript in transcripts]
        texts = dict.fromkeys(hypothesis.text for hypotheses in n_best for hypothesis in hypotheses)
        taggings = dict(zip(texts, self.tagger.tag_many(list(texts)), strict=True))
        return [self._best(hypotheses, taggings, alternatives) for hypotheses in n_best]

    def _best(
        self, hypotheses: Sequence[Transcript], taggings: Mapping[str, Tagging], alternatives: int
    ) -> Understanding:
        scored = [(self._score(each, taggings[each.text]), each) for each in hypotheses]
        ranked = sorted(scored, key=lambda pair: -pair[0])[: 1 + alternatives]
        best, *others = [self._understanding(each, taggings[each.text], score) for score, each in ranked]
        return replace(best, alternatives=tuple(others))

    def _score(self, transcript: Transcript, tagging: Tagging) -> float:
        probabilities = [tagging.confidence, tagging.intent_confidence or 1.0]
        log_probabilities = [math.log(max(probability, MIN_PROBABILITY)) for probability in probabilities]
        return transcript.score + self.tagger_weight * sum(log_probabilities)

    def _understanding(self, transcript: Transcript, tagging: Tagging, score: float) -> Understanding:
        written = inverse_normalize(transcript.text, tagging.slots, self.tagger.vocabulary.names)
        offsets = _word_offsets(transcript)
        return Understanding(
            text=transcript.text,
            written_text=written.text,
            words=transcript.words,
            slots=tuple(
                _spoken_slot(slot, span, written, transcript, offsets)
                for slot, span in zip(tagging.slots, written.spans, strict=True)
            ),
            intent=tagging.intent,
            intent_confidence=tagging.intent_confidence,
            confidence=tagging.confidence * math.prod(word.confidence for word in transcript.words),
            score=score,
            duration_seconds=transcript.duration_seconds,
            source=transcript.source,
        )


def _word_offsets(transcript: Transcript) -> list[int]:
    """Return the character offset of each word in the text, which is the words joined by single spaces."""
    offsets, position = [], 0
    for word in transcript.words:
        offsets.append(position)
        position += len(word.text) + 1
    return offsets


def _spoken_slot(
    slot: Slot,
    span: AlignedSpan,
    written: InverseNormalization,
    transcript: Transcript,
    offsets: Sequence[int],
) -> SpokenSlot:
    words = [
        word
        for word, offset in zip(transcript.words, offsets, strict=True)
        if offset < slot.end and offset + len(word.text) > slot.start
    ]
    return SpokenSlot(
        label=slot.label,
        text=slot.text,
        start=slot.start,
        end=slot.end,
        written=written.text[span.written_start : span.written_end],
        written_start=span.written_start,
        written_end=span.written_end,
        confidence=slot.confidence * math.prod(word.confidence for word in words),
        value=slot.value,
        start_seconds=words[0].start,
        end_seconds=words[-1].end,
    )
