"""Measure word and character errors of a recognizer on a manifest, and show the worst utterances.

python examples/evaluate_manifest.py runs/ctc-travel other.csv
"""

import argparse
from pathlib import Path

WORST = 5


def main(arguments: list[str] | None = None) -> None:
    """Print the figures, then the utterances with the most errors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="a recognizer's run directory")
    parser.add_argument("manifest", type=Path, help="CSV, TSV or JSON lines with the columns audio and text")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="prepared corpora (default: cache)")
    options = parser.parse_args(arguments)

    from asr import Transcriber
    from asr.corpora.manifest import load_manifest
    from asr.evaluation.error_rates import word_errors
    from asr.evaluation.evaluation import evaluate

    evaluation = evaluate(
        Transcriber.load(options.run), load_manifest(options.manifest, options.cache), quiet=True
    )
    for what, count in (("words", evaluation.words), ("characters", evaluation.characters)):
        print(f"{count.errors} of {count.total} {what} wrong, {count.errors / max(1, count.total):.1%}")
    pairs = list(zip(evaluation.references, evaluation.hypotheses, strict=True))
    for reference, hypothesis in sorted(pairs, key=lambda pair: -word_errors([pair[0]], [pair[1]]).errors)[
        :WORST
    ]:
        print(f"  said:  {reference}\n  heard: {hypothesis}")


if __name__ == "__main__":
    main()
