"""Choice of the language model that a run decodes with: each candidate is tuned on dev, and the best is kept."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.acoustic.emissions import pad_log_probs
from asr.alignment.transcripts import COMPARED
from asr.decoding import GreedySearch
from asr.decoding.beam import BeamSearch
from asr.decoding.config import DecodingConfig
from asr.decoding.lexicon import Lexicon
from asr.evaluation.error_rates import ErrorCount, character_errors, word_errors
from asr.evaluation.evaluation import emit_utterances
from asr.transcriber import DECODED_TOGETHER, DECODING_FILE, Transcriber
from asr.tuning.confidence_calibration import Calibration, calibrate
from asr.tuning.grid import SplitEmissions, Tuning, tune
from sluice_core.errors import UserError
from sluice_core.files import write_text
from sluice_core.language_models.ngram import NGram, load_ngram, save_ngram
from sluice_core.language_models.ngram.kneser_ney import train
from sluice_core.language_models.text import split_units

if TYPE_CHECKING:
    from datasets import Dataset

MODEL_FILE, LEXICON_FILE, TUNING_FILE = "language_model.safetensors", "lexicon.txt", "tuning.json"
WORD_ORDER, CHARACTER_ORDER = 4, 6


@dataclass(frozen=True)
class Candidate:
    """A language model to try, and the lexicon that goes with it."""

    name: str
    model: NGram | None
    lexicon: Lexicon | None = None


@dataclass(frozen=True)
class Choice:
    """The result of tuning."""

    greedy: tuple[ErrorCount, ErrorCount]
    """Word errors and character errors of greedy decoding."""
    tunings: list[tuple[Candidate, Tuning]]
    """Each candidate with its grid search; the first candidate has no language model."""
    calibration: Calibration | None
    """Calibrated confidences of the best candidate; None where the split has too few words."""

    @property
    def best(self) -> tuple[Candidate, Tuning]:
        """The candidate with the fewest errors."""
        return _best(self.tunings)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        words, characters = self.greedy
        return {
            "greedy": {"words": words.to_dict(), "characters": characters.to_dict()},
            "chosen": self.best[0].name,
            "confidence": self.calibration.to_dict() if self.calibration else None,
            "candidates": {
                candidate.name: {
                    **tuning.best.to_dict(),
                    "crossed": tuning.cross_validated.to_dict(),
                    "trials": [point.to_dict() for point in tuning.points],
                }
                for candidate, tuning in self.tunings
            },
        }


def read_candidate(path: Path, lexicon: Path | None = None) -> Candidate:
    """Read a language model, and a lexicon if one is given, as a candidate.

    Raises:
        UserError: model or lexicon cannot be read; the message says where and why.
    """
    return Candidate(path.name, load_ngram(path), Lexicon.read(lexicon) if lexicon else None)


def candidates_from_transcripts(
    texts: Sequence[str], lexicon: Path | None = None, hot_words: Iterable[str] = ()
) -> list[Candidate]:
    """Make the candidates that need only the training transcripts: n-grams of words and of characters.

    Args:
        texts: the training transcripts.
        lexicon: a word list that closes the vocabulary of one candidate.
        hot_words: phrases whose words are added to that vocabulary, where it is that of the transcripts.

    Returns:
        An n-gram of words with an open vocabulary, the same with a closed one, and an n-gram of characters.
    """
    words = train((split_units(text, "word") for text in texts), WORD_ORDER, quiet=True)
    characters = train(
        (split_units(text, "character") for text in texts), CHARACTER_ORDER, unit="character", quiet=True
    )
    spoken = {word for text in (*texts, *hot_words) for word in text.split()}
    known = Lexicon.read(lexicon) if lexicon else Lexicon(sorted(spoken))
    return [
        Candidate(f"{WORD_ORDER}-gram of words", words),
        Candidate(f"{WORD_ORDER}-gram of words, lexicon", words, known),
        Candidate(f"{CHARACTER_ORDER}-gram of characters", characters),
    ]


def tune_run(
    transcriber: Transcriber,
    rows: "Dataset",
    candidates: Sequence[Candidate],
    *,
    beam: int = 64,
    quiet: bool = False,
) -> Choice:
    """Tune every candidate on a split, whose emissions are computed once.

    Hot words, thresholds and the score of unknown words stay as the run has them.

    Args:
        transcriber: the recognizer.
        rows: the utterances of the split.
        candidates: language models to try, besides none.
        beam: the prefixes that searches keep after each step.
        quiet: show no progress.

    Raises:
        ConfigError: the beam is out of range.
        UserError: no audio of the split can be read, or a model does not fit the alphabet.
    """
    anew = {"method": "beam", "beam": beam, "language_model": None, "lexicon": None, "confidence": None}
    settings = DecodingConfig.check(transcriber.decoding.model_dump() | anew, "decoding")
    emissions = _emissions(transcriber, rows, quiet=quiet)
    greedy = emissions.decode(GreedySearch(), transcriber.tokens)
    references = emissions.references
    tunings = []
    for candidate in [Candidate("no language model", None), *candidates]:
        search = BeamSearch(transcriber.tokens, settings, candidate.model, candidate.lexicon)
        pairs = {} if candidate.model else {"weights": (0.0,), "bonuses": (0.0,)}
        tunings.append((candidate, tune(emissions, search, **pairs, quiet=quiet)))
    errors = word_errors(references, greedy), character_errors(references, greedy)
    return Choice(errors, tunings, _calibrate(transcriber, emissions, *_best(tunings)))


def _best(tunings: Sequence[tuple[Candidate, Tuning]]) -> tuple[Candidate, Tuning]:
    return min(tunings, key=lambda each: each[1].best.rank)


def _calibrate(
    transcriber: Transcriber, emissions: SplitEmissions, candidate: Candidate, tuning: Tuning
) -> Calibration | None:
    tokens, settings = transcriber.tokens, tuning.best.settings
    search = BeamSearch(tokens, settings, candidate.model, candidate.lexicon)
    pairs = zip(emissions.log_probs, emissions.lengths, strict=True)
    decoded = [each for batch in pairs for each in search.decode(*batch, n_best=1 + COMPARED)]
    return calibrate(decoded, emissions.references, emissions.speakers, tokens)


def _emissions(transcriber: Transcriber, rows: "Dataset", *, quiet: bool) -> SplitEmissions:
    unreadable: dict[int, str] = {}
    emitted = emit_utterances(transcriber, rows, unreadable, quiet=quiet)
    log_probs, lengths = [], []
    while group := list(islice(emitted, DECODED_TOGETHER)):
        padded, steps = pad_log_probs([each.log_probs for each in group])
        log_probs.append(padded)
        lengths.append(steps)
    read = [item for item in range(len(rows)) if item not in unreadable]
    if not read:
        raise UserError(
            "none of the split's audio can be read: " + next(iter(unreadable.values()), "it is empty")
        )
    texts, speakers = rows["text"], rows["speaker"]
    return SplitEmissions(
        log_probs, lengths, [texts[item] for item in read], [speakers[item] for item in read]
    )


def save_tuning(transcriber: Transcriber, choice: Choice) -> None:
    """Write the best candidate into the run directory: model, lexicon, settings, and the figures of all candidates.

    Raises:
        CheckpointError: a file cannot be written.
    """
    candidate, tuning = choice.best
    changes: dict[str, Any] = {}
    if candidate.model:
        save_ngram(candidate.model, transcriber.directory / MODEL_FILE)
        changes["language_model"] = MODEL_FILE
    if candidate.lexicon:
        candidate.lexicon.save(transcriber.directory / LEXICON_FILE)
        changes["lexicon"] = LEXICON_FILE
    if choice.calibration:
        changes["confidence"] = choice.calibration.settings.model_dump()
    tree = {**tuning.best.settings.model_dump(), **changes}
    settings = DecodingConfig.check(tree, "the settings found")
    write_text(transcriber.directory / TUNING_FILE, json.dumps(choice.to_dict(), indent=1) + "\n")
    write_text(transcriber.directory / DECODING_FILE, settings.to_yaml())  # last: what it names is there


def format_tuning(split: str, choice: Choice, run: Path) -> str:
    """Return a table of the candidates for a person."""
    from tabulate import tabulate

    words, characters = choice.greedy
    lines = [("greedy", "", "", _text(words), "", _text(characters))]
    for candidate, tuning in choice.tunings:
        best = tuning.best
        pair = (f"{best.settings.weight:g}", f"{best.settings.word_bonus:g}") if candidate.model else ("", "")
        crossed = _text(tuning.cross_validated) if candidate.model else ""
        lines.append((candidate.name, *pair, _text(best.words), crossed, _text(best.characters)))
    header = ("decoding", "weight", "bonus", f"WER on {split}", "cross-validated", "CER")
    table = tabulate(lines, header, disable_numparse=True)
    lines_after = [f"{run} now decodes with: {choice.best[0].name} ({run / DECODING_FILE})"]
    if choice.calibration:
        lines_after.append(
            f"confidence of words: expected calibration error {choice.calibration.error:.3f} by weights of other "
            f"speakers, {choice.calibration.error_before:.3f} before"
        )
    return "\n\n".join([table, "\n".join(lines_after)])


def _text(count: ErrorCount) -> str:
    return f"{count.rate:.2%} ({count.errors} / {count.total})"
