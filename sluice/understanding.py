"""From speech to slots, in one of two ways.

Openly: tag the best hypotheses of a recognizer, and choose the one that both models find likely (`sluice.rescoring`).
Or, where the run has a grammar, along it: the likeliest of its sentences, with the slots and values that it gives them,
unless what was said is none of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from asr import Transcriber
from asr.acoustic.emissions import Emission, Source
from asr.audio.reading import AudioError
from asr.transcript import Transcript
from slot_filling import Tagger
from sluice.along_grammar import AlongGrammar, GrammarAnswer
from sluice.rejection import REJECTION_FILE, RejectionConfig
from sluice.rescoring import rescore
from sluice.understood import SpokenSlot, Understanding, join, nothing_matched, with_intent
from sluice_core.errors import UserError
from sluice_core.files import CheckpointError, write_text
from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.reading import read_grammar
from sluice_core.run_directory import JOINED_FILE, RunSettings, task_of

__all__ = ["Mode", "SpokenSlot", "Understander", "Understanding", "UnderstandingConfig"]

Mode = Literal["auto", "grammar", "open"]
"""How recordings are understood: as a sentence of the run's grammar or nothing; openly; or, `auto`, as a sentence of
the grammar where one fits and openly elsewhere, which without a grammar is everywhere."""

GRAMMAR_FILE = "grammar.yaml"
"""The file of a joined run directory with the grammar of its domain, if it has one."""
LONGEST_SECONDS = 60.0
"""Longer recordings are no sentence of a grammar."""
READ_TOGETHER = 32
"""Recordings that are read along the grammar at once."""

TAGGING_BATCH_SIZE = 32
"""Recordings whose hypotheses are tagged in one batch."""


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


class Understander:
    """A recognizer and a tagger that work together on recordings.

    Example:
        >>> understander = Understander.load("runs/understand-travel")  # doctest: +SKIP
        >>> understander.understand("request.wav").slots[0].text  # doctest: +SKIP
        'taipei'
    """

    def __init__(
        self,
        transcriber: Transcriber,
        tagger: Tagger,
        *,
        candidates: int = 8,
        tagger_weight: float = 0.5,
        grammar: Grammar | None = None,
        rejection: RejectionConfig | None = None,
    ) -> None:
        """Join the two models.

        Args:
            transcriber: the recognizer.
            tagger: the tagger.
            candidates: see `UnderstandingConfig`.
            tagger_weight: see `UnderstandingConfig`.
            grammar: the sentences of the domain, if they are known.
            rejection: when a recording is none of these.
        """
        self.transcriber, self.tagger = transcriber, tagger
        self.candidates, self.tagger_weight = candidates, tagger_weight
        self.grammar, self.rejection = grammar, rejection

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
            GrammarError: the grammar is damaged.
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
        grammar, rejection = directory / GRAMMAR_FILE, directory / REJECTION_FILE
        return cls(
            Transcriber.load(directory / config.recognizer, device),
            Tagger.load(directory / config.tagger, device),
            candidates=config.candidates,
            tagger_weight=config.tagger_weight,
            grammar=read_grammar(grammar) if grammar.is_file() else None,
            rejection=RejectionConfig.read(rejection) if rejection.is_file() else None,
        )

    def save(self, directory: str | Path) -> None:
        """Write both models, their settings and the grammar into one directory that needs no other files."""
        directory = Path(directory)
        config = UnderstandingConfig(
            recognizer=Path("recognizer"),
            tagger=Path("tagger"),
            candidates=self.candidates,
            tagger_weight=self.tagger_weight,
        )
        self.transcriber.save(directory / config.recognizer)
        self.tagger.save(directory / config.tagger)
        if self.grammar is not None:
            self.grammar.save(directory / GRAMMAR_FILE)
        if self.rejection is not None:
            write_text(directory / REJECTION_FILE, self.rejection.to_yaml())
        write_text(directory / JOINED_FILE, config.to_yaml())

    @cached_property
    def along_grammar(self) -> AlongGrammar:
        """What reads recordings along the grammar; made, and the grammar compiled, when it is first used.

        Raises:
            UserError: the run has no grammar, or one whose words the recognizer cannot write.
        """
        if self.grammar is None:
            raise UserError(
                "this run has no grammar, so that nothing can be understood along one: use the mode open, or train a "
                "run of a domain (sluice train domain --grammar FILE)"
            )
        tokens, step = self.transcriber.tokens, self.transcriber.seconds_per_step
        return AlongGrammar(self.grammar, tokens, step, self.rejection)

    def reject_by(self, rejection: RejectionConfig) -> None:
        """Judge by other weights and another operating point from now on."""
        self.rejection = self.along_grammar.rejection = rejection

    def understand(
        self,
        source: Source,
        sample_rate: int | None = None,
        *,
        mode: Mode = "auto",
        alternatives: int = 0,
        hot_words: Mapping[str, float] | None = None,
    ) -> Understanding:
        """Understand one file, or samples at `sample_rate` Hz.

        Args:
            source: audio file, or samples `[samples]`.
            sample_rate: sample rate of the samples in Hz; the model's own if not given.
            mode: along the grammar ("grammar"), openly ("open"), or along it where that holds ("auto").
            alternatives: how many further hypotheses to return, at most.
            hot_words: phrases to favour (contextual biasing), as in `Transcriber.transcribe`.

        Raises:
            AudioError: the audio cannot be read.
            UserError: the mode is "grammar", and the run has none.
        """
        options: dict[str, Any] = {"mode": mode, "alternatives": alternatives, "hot_words": hot_words}
        return next(iter(self.understand_many([source], sample_rate, **options)))

    def understand_many(
        self,
        sources: Iterable[Source],
        sample_rate: int | None = None,
        *,
        mode: Mode = "auto",
        batch_size: int = 16,
        alternatives: int = 0,
        hot_words: Mapping[str, float] | None = None,
        on_error: Callable[[Source, AudioError], None] | None = None,
        quiet: bool = True,
    ) -> Iterator[Understanding]:
        """Understand many recordings, in the order given.

        Args:
            sources: files or samples.
            sample_rate: sample rate of samples in Hz; the model's own if not given.
            mode: see `understand`.
            batch_size: the most recordings in a batch.
            alternatives: how many further hypotheses to return, at most.
            hot_words: phrases to favour where recordings are understood openly.
            on_error: called with a source that cannot be read and the reason; the source is then left out. Without it
                the first such source raises its error.
            quiet: show no progress within a long recording.

        Raises:
            AudioError: a source cannot be read, and there is no `on_error`.
            UserError: the mode is "grammar", and the run has none.
        """
        openly: dict[str, Any] = {
            "batch_size": batch_size,
            "hot_words": hot_words,
            "on_error": on_error,
            "quiet": quiet,
        }
        if mode == "open" or (mode == "auto" and self.grammar is None):
            yield from self._openly(sources, sample_rate, alternatives, **openly)
            return
        along = self.along_grammar
        for short, group in groupby(sources, lambda source: self._may_be_sentence(source, sample_rate)):
            if not short:
                for each in self._openly(group, sample_rate, alternatives, **openly):
                    yield replace(each, no_match=True) if mode == "auto" else nothing_matched(each, 0)
                continue
            emissions = self.transcriber.emitter.emit_many(
                group, sample_rate, batch_size=batch_size, on_error=on_error
            )
            while some := list(islice(emissions, READ_TOGETHER)):
                answers = along.answer(some, alternatives=alternatives)
                yield from self._judge(some, answers, mode, alternatives, hot_words)

    def _may_be_sentence(self, source: Source, sample_rate: int | None) -> bool:
        """Return whether a recording is short enough for one sentence; one that cannot be read is."""
        return self.transcriber.duration_of(source, sample_rate) <= LONGEST_SECONDS

    def _openly(
        self, sources: Iterable[Source], sample_rate: int | None, alternatives: int, **options: Any
    ) -> Iterator[Understanding]:
        transcripts = self.transcriber.transcribe_many(
            sources, sample_rate, alternatives=max(self.candidates - 1, alternatives), **options
        )
        while group := list(islice(transcripts, TAGGING_BATCH_SIZE)):
            yield from self._rescore(group, alternatives)

    def _rescore(self, transcripts: Sequence[Transcript], alternatives: int) -> list[Understanding]:
        found = rescore(transcripts, self.tagger, self.tagger_weight, alternatives=alternatives)
        only = self.grammar.only_intent if self.grammar else None
        return found if only is None else [with_intent(each, only) for each in found]

    def _judge(
        self,
        emissions: Sequence[Emission],
        answers: Sequence[GrammarAnswer],
        mode: Mode,
        alternatives: int,
        hot_words: Mapping[str, float] | None,
    ) -> Iterator[Understanding]:
        """Yield the grammar's answers that hold, and in place of others what the mode asks for."""
        rejected = [each for each, answer in zip(emissions, answers, strict=True) if not answer.holds]
        openly: Iterator[Understanding] = iter(())
        if rejected and mode == "auto":
            others = max(self.candidates - 1, alternatives)
            decoder = self.transcriber.decoder_for(hot_words, others)
            transcripts = self.transcriber.decode(rejected, decoder, alternatives=others)
            openly = iter(self._rescore(transcripts, alternatives))
        for answer in answers:
            if answer.holds:
                yield self._along(answer)
            elif mode == "auto":
                yield replace(next(openly), no_match=True, grammar_confidence=answer.probability)
            else:
                yield nothing_matched(self._along(answer), alternatives)

    def _along(self, answer: GrammarAnswer) -> Understanding:
        names = self.tagger.vocabulary.names
        found = join(answer.transcript, answer.tagging, answer.transcript.score, names, words_count=False)
        return replace(
            found,
            alternatives=tuple(map(self._along, answer.alternatives)),
            along_grammar=True,
            grammar_confidence=answer.probability,
        )
