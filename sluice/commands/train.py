"""Train a recognizer from a recipe, or go on with one that was interrupted."""

import argparse
from pathlib import Path

from sluice.commands.options import add_cache, add_quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recipe", type=Path, help="YAML file that describes the whole experiment")
    parser.add_argument("--data", help="the corpus's folder, or manifest (corpus.data)")
    parser.add_argument("--name", help="name of the run directory, instead of the recipe's")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="where run directories go (default: runs)"
    )
    parser.add_argument("--from", dest="start", type=Path, metavar="RUN", help="finished run to fine-tune")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting: model.layers=3"
    )
    add_cache(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Train, evaluate, report; prints the error rates and where everything is."""
    from asr.config import RecognizerConfig
    from asr.evaluation import format_metrics
    from asr.experiment import train

    overrides = list(options.set)
    overrides += [f"corpus.data={options.data}"] if options.data else []
    overrides += [f"name={options.name}"] if options.name else []
    config = RecognizerConfig.read(options.recipe, overrides)
    metrics = train(config, options.runs, options.cache, start=options.start, quiet=options.quiet)
    if metrics:  # further ranks of a distributed training have none to show
        run_directory = options.runs / config.name
        print(format_metrics(metrics))
        print(
            f"{metrics['minutes']:.1f} minutes, seed {metrics['seed']}, {metrics['machine']}\n"
            f"report: {run_directory / 'report.html'}\n"
            f"try it: sluice transcribe {run_directory} FILE…"
        )
    return 0
