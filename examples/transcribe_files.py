"""Write down what is said in audio files, many at once, a bad file stopping none of the others.

python examples/transcribe_files.py runs/ctc-travel a.wav b.flac c.mp3
"""

import argparse
import sys


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="a recognizer's run directory")
    parser.add_argument("audio", nargs="+", help="audio files")
    options = parser.parse_args(arguments)

    from asr import Transcriber

    transcriber = Transcriber.load(options.run)
    transcripts = transcriber.transcribe_many(
        options.audio, on_error=lambda _, error: print(error, file=sys.stderr)
    )
    for transcript in transcripts:
        print(f"{transcript.source}\t{transcript.text}")


if __name__ == "__main__":
    main()
