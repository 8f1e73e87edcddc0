"""Estimate an n-gram language model from a text with a sentence a line, and ask it how likely sentences are.

python examples/train_language_model.py corpus.txt words.ngram "to oslo on monday" "oslo monday to on"
"""

import argparse
from pathlib import Path


def main(arguments: list[str] | None = None) -> None:
    """Train, save, and print the log10 probability of each sentence."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", type=Path, help="one sentence a line")
    parser.add_argument(
        "model", type=Path, help="what to write: .arpa, .arpa.gz, or any other name for the binary"
    )
    parser.add_argument("sentence", nargs="*", help="sentences to score")
    parser.add_argument("--order", type=int, default=3, help="words of the longest n-grams (default: 3)")
    options = parser.parse_args(arguments)

    from sluice_core.language_models.ngram.files import save_ngram
    from sluice_core.language_models.ngram.kneser_ney import train

    sentences = [line.split() for line in options.text.read_text(encoding="utf-8").splitlines()]
    model = train(sentences, options.order, quiet=True)
    save_ngram(model, options.model)
    print("n-grams", *model.sizes)
    for sentence in options.sentence:
        print(f"{model.score(sentence.split()):8.3f}  {sentence}")


if __name__ == "__main__":
    main()
