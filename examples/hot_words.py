"""Listen for names and phrases without retraining (contextual biasing), and show what that changes.

python examples/hot_words.py runs/ctc-travel request.wav taipei 'eva air'
"""

import argparse

BOOST = 3.0
"""Natural log; 3 is firm, 5 is obstinate."""


def main(arguments: list[str] | None = None) -> None:
    """Print the transcript without and with hot words, and other readings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="a recognizer's run directory")
    parser.add_argument("audio", help="audio file")
    parser.add_argument("phrase", nargs="+", help="words or phrases to listen for")
    options = parser.parse_args(arguments)

    from asr import Transcriber

    transcriber = Transcriber.load(options.run)
    print("without:", transcriber.transcribe(options.audio).text)
    boosts = dict.fromkeys(options.phrase, BOOST)
    transcript = transcriber.transcribe(options.audio, hot_words=boosts, alternatives=3)
    print("with:   ", transcript.text)
    for other in transcript.alternatives:
        print("   or:  ", other.text)


if __name__ == "__main__":
    main()
