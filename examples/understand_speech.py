"""Hear a request and act on it: intent and slots of a recording, with times in the audio.

python examples/understand_speech.py runs/understand-travel request.wav
python examples/understand_speech.py runs/ctc-travel request.wav --tagger runs/slots-travel
"""

import argparse

SURE = 0.5
"""Below it a person should be asked."""


def main(arguments: list[str] | None = None) -> None:
    """Print what was understood, or that it was not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="both halves joined, or a recognizer's run directory")
    parser.add_argument("audio", help="audio file")
    parser.add_argument("--tagger", help="a tagger's run directory")
    options = parser.parse_args(arguments)

    from sluice import Understander

    understood = Understander.load(options.run, tagger=options.tagger).understand(options.audio)
    if understood.confidence < SURE:
        print(f"Sorry, was that: {understood.written_text}?")
    print(understood.intent)
    for slot in understood.slots:
        said = f"{slot.start_seconds:.2f} to {slot.end_seconds:.2f} s"
        print(f"  {slot.label}: {slot.value or slot.written} (said from {said}, {slot.confidence:.0%} sure)")


if __name__ == "__main__":
    main()
