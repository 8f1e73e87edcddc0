"""Train, convert and score n-gram language models."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.commands.data import training_transcripts
from sluice.commands.options import add_action, add_cache, add_json, add_quiet, whole_number
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from sluice_core.language_models.ngram import NGram

INPUT_HELP = "ARPA file (plain or gzip), or a binary of `sluice lm`"
OUTPUT_HELP = "ARPA if the name ends in .arpa or .arpa.gz, else a binary, which loads at once"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command, with their options, to a parser."""
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    _add_train(
        add_action(actions, "train", "Estimate an n-gram model from text (modified Kneser-Ney smoothing).")
    )

    convert = add_action(actions, "convert", "Convert an ARPA file to a binary, or back.")
    convert.add_argument("source", type=Path, metavar="IN", help=INPUT_HELP)
    convert.add_argument("output", type=Path, metavar="OUT", help=OUTPUT_HELP)
    add_json(convert)
    add_quiet(convert)

    score = add_action(actions, "score", "Compute the perplexity of a text, and count its unknown words.")
    score.add_argument("model", type=Path, metavar="MODEL", help=INPUT_HELP)
    score.add_argument(
        "text", nargs="+", type=Path, metavar="TEXT", help="text file with a sentence per line; - for stdin"
    )
    _add_case(score)
    add_json(score)
    add_quiet(score)


def _add_train(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "text",
        nargs="*",
        type=Path,
        metavar="TEXT",
        help="text file with a sentence per line, plain or gzip; - for stdin",
    )
    train.add_argument(
        "--run", dest="model", type=Path, metavar="RUN", help="train on the training transcripts of this run"
    )
    train.add_argument(
        "--order",
        type=whole_number(1),
        default=4,
        metavar="N",
        help="length of the longest n-grams (default: 4)",
    )
    train.add_argument(
        "--unit", choices=("word", "character"), default="word", help="unit of the model (default: word)"
    )
    train.add_argument(
        "--prune", nargs="+", type=int, default=[], metavar="COUNT",
        help="leave out n-grams that occur this often or less, for each order; the last is for all longer ones: 0 0 1",
    )  # fmt: skip
    _add_case(train)
    train.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help=f"{OUTPUT_HELP} (default: ARPA to stdout)"
    )
    add_json(train)
    add_cache(train)
    add_quiet(train)


def _add_case(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--case",
        choices=("keep", "lower", "upper"),
        default="keep",
        help="convert the text's letters (default: keep)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the action that was chosen."""
    return {"train": _train, "convert": _convert, "score": _score}[options.action](options)


def _train(options: argparse.Namespace) -> int:
    from sluice_core.language_models.ngram import save_ngram
    from sluice_core.language_models.ngram.arpa import write_arpa_to
    from sluice_core.language_models.ngram.kneser_ney import train

    model = train(
        _sentences(options), options.order, unit=options.unit, prune=options.prune, quiet=options.quiet
    )
    if options.output:
        save_ngram(model, options.output)
        _print_facts({**_facts(model), "file": str(options.output)}, options.json)
    else:
        write_arpa_to(sys.stdout.buffer, model)
    return 0


def _sentences(options: argparse.Namespace) -> Iterator[list[str]]:
    """Yield the sentences to train on: of files, of a run's training transcripts, or of both."""
    from asr.config import RecognizerConfig
    from sluice_core.language_models.text import read_sentences, split_units
    from sluice_core.run_directory import read_run_settings

    if not options.text and not options.model:
        raise UserError("give text files to train on, - for standard input, or --run RUN for its transcripts")
    yield from read_sentences(options.text, options.unit, options.case)
    if options.model:
        corpus = read_run_settings(options.model, RecognizerConfig).corpus
        for text in training_transcripts(corpus, options.cache):
            yield split_units(text, options.unit, options.case, f"a transcript of {options.model}")


def _convert(options: argparse.Namespace) -> int:
    from sluice_core.language_models.ngram import load_ngram, save_ngram

    model = load_ngram(options.source)
    save_ngram(model, options.output)
    _print_facts({**_facts(model), "file": str(options.output)}, options.json)
    return 0


def _score(options: argparse.Namespace) -> int:
    from sluice_core.language_models.ngram import load_ngram
    from sluice_core.language_models.text import read_sentences
    from sluice_core.progress import track

    model = load_ngram(options.model)
    sentences = read_sentences(options.text, model.unit, options.case)
    score = model.score_text(track(sentences, "scoring sentences", quiet=options.quiet))
    if not score.sentences:
        raise UserError("nothing to score: every line is empty")
    facts = {
        "sentences": score.sentences,
        f"{model.unit}s": score.words,
        "unknown": score.unknown,
        "log10 probability": round(score.log10_prob, 4),
        "perplexity": round(score.perplexity, 4),
        "perplexity without ends": round(score.perplexity_without_ends, 4),
        "perplexity without unknown": round(score.perplexity_of_known, 4),
    }
    _print_facts(facts, options.json)
    return 0


def _facts(model: "NGram") -> dict[str, Any]:
    """Describe a model."""
    return {"unit": model.unit, "order": model.order, "n-grams": model.sizes}


def _print_facts(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(
            json.dumps({name.replace(" ", "_"): value for name, value in facts.items()}, ensure_ascii=False)
        )
        return
    for name, value in facts.items():
        print(f"{name:26} {' '.join(map(str, value)) if isinstance(value, list) else value}")
