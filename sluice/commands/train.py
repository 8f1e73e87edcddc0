"""Train a recognizer, a tagger or a whole domain from a recipe, or continue an interrupted training."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.commands.extras import require_extra
from sluice.commands.options import add_cache, add_quiet
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from sluice_core.config import Override


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    parser.add_argument(
        "recipe",
        metavar="RECIPE",
        help="name of a recipe that comes with the package (`sluice recipes` lists them), or your own YAML file",
    )
    parser.add_argument("--data", metavar="PATH", help="corpus folder or manifest (setting corpus.data)")
    parser.add_argument(
        "--grammar", metavar="FILE", help="grammar file of the recipe `domain` (setting grammar)"
    )
    parser.add_argument("--name", help="name of the run directory (default: the recipe's)")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="parent of run directories (default: runs)",
    )
    parser.add_argument("--from", dest="start", type=Path, metavar="RUN", help="finished run to fine-tune")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting of the recipe, such as model.layers=3; may be repeated",
    )
    add_cache(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Train, evaluate and write the report; print the metrics and where the results are."""
    from sluice.recipes import find_recipe
    from sluice_core.run_directory import task_of

    recipe = find_recipe(options.recipe)
    require_extra("train", "training")
    overrides: list[Override] = list(options.set)
    overrides += [("corpus.data", options.data)] if options.data else []
    overrides += [("name", options.name)] if options.name else []
    overrides += [("grammar", options.grammar)] if options.grammar else []
    trains = {"slots": _train_tagger, "domain": _train_domain}
    return trains.get(task_of(recipe), _train_recognizer)(recipe, options, overrides)


def _train_recognizer(recipe: Path, options: argparse.Namespace, overrides: "list[Override]") -> int:
    from asr.config import RecognizerConfig
    from asr.evaluation.evaluation import format_metrics
    from asr.training.experiment import train

    config = RecognizerConfig.read(recipe, overrides)
    metrics = train(config, options.runs, options.cache, start=options.start, quiet=options.quiet)
    if metrics:  # further ranks of a distributed training have none to show
        _print_results(format_metrics(metrics), metrics, options.runs / config.name, "transcribe", "FILE…")
    return 0


def _train_tagger(recipe: Path, options: argparse.Namespace, overrides: "list[Override]") -> int:
    from slot_filling.config import TaggerConfig
    from slot_filling.evaluation.evaluation import format_metrics
    from slot_filling.training.experiment import train

    config = TaggerConfig.read(recipe, overrides)
    metrics = train(config, options.runs, start=options.start, quiet=options.quiet)
    if metrics:  # as above
        _print_results(format_metrics(metrics), metrics, options.runs / config.name, "tag", "'A SENTENCE'")
    return 0


def _train_domain(recipe: Path, options: argparse.Namespace, overrides: "list[Override]") -> int:
    from sluice.domain.experiment import train_domain
    from sluice.domain.report import format_figures
    from sluice.domain.settings import DomainConfig

    if options.start:
        raise UserError("--from is for recognizers and taggers; a domain is trained from its grammar")
    config = DomainConfig.read(recipe, overrides)
    metrics = train_domain(config, options.runs, options.cache, quiet=options.quiet)
    _print_results(format_figures(metrics), metrics, options.runs / config.name, "understand", "FILE…")
    return 0


def _print_results(table: str, metrics: dict[str, Any], run: Path, command: str, argument: str) -> None:
    print(table)
    print(
        f"{metrics['minutes']:.1f} minutes, seed {metrics['seed']}, {metrics['machine']}\n"
        f"report: {run / 'report.html'}\n"
        f"try it: sluice {command} {run} {argument}"
    )
