"""Show the acoustic features of an audio file, as figures and as a picture."""

import argparse
import json
from pathlib import Path

from sluice.commands.options import add_json, add_quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    parser.add_argument("audio", type=Path, metavar="FILE", help="audio file")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw waveform and features to this file")
    parser.add_argument(
        "--run", dest="model", type=Path, metavar="RUN", help="use the feature settings of this run"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting, such as kind=mfcc; may be repeated",
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print shape and range of the features, and draw them if `--plot` is given."""
    import torch

    from asr.acoustic.features import Features
    from asr.audio.reading import check_samples, read_audio
    from asr.config import FeatureConfig, RecognizerConfig
    from sluice_core.run_directory import read_run_settings

    base = read_run_settings(options.model, RecognizerConfig).features if options.model else FeatureConfig()
    config = FeatureConfig.check(base.model_dump(), "features", options.set)
    samples, rate = read_audio(options.audio, config.sample_rate)
    samples = check_samples(samples, rate, str(options.audio))
    features, _ = Features(config)(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    facts = {
        "file": str(options.audio),
        "seconds": round(len(samples) / rate, 3),
        "sample_rate": rate,
        "kind": config.kind,
        "frames": features.shape[1],
        "size": features.shape[2],
        "minimum": round(float(features.min()), 3),
        "maximum": round(float(features.max()), 3),
    }
    if options.plot:
        from asr.evaluation.plots import plot_features

        plot_features(options.audio, config, options.plot)
        facts["plot"] = str(options.plot)
    print(
        json.dumps(facts)
        if options.json
        else "\n".join(f"{name:12} {value}" for name, value in facts.items())
    )
    return 0
