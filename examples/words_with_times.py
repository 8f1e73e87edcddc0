"""Print each word with its start and end in seconds, and the probability that it is right.

python examples/words_with_times.py runs/ctc-travel request.wav
"""

import argparse


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each word."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="a recognizer's run directory")
    parser.add_argument("audio", help="audio file")
    options = parser.parse_args(arguments)

    from asr import Transcriber

    for word in Transcriber.load(options.run).transcribe(options.audio).words:
        print(f"{word.start:7.2f} {word.end:7.2f} {word.confidence:5.2f}  {word.text}")


if __name__ == "__main__":
    main()
