"""Find when each word of a known text is said in a recording.

python examples/align_text.py runs/ctc-travel request.wav "arrive taipei on november second"
"""

import argparse


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each word."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="a recognizer's run directory")
    parser.add_argument("audio", help="audio file")
    parser.add_argument("text", help="what is said in it")
    options = parser.parse_args(arguments)

    from asr import Transcriber

    for word in Transcriber.load(options.run).align(options.audio, options.text).words:
        print(f"{word.start:7.2f} {word.end:7.2f}  {word.text}")


if __name__ == "__main__":
    main()
