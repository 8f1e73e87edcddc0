"""Make subtitles of a recording of any length: lines and seconds within the usual limits.

python examples/subtitles.py runs/ctc-travel talk.mp3 talk.srt
"""

import argparse
from pathlib import Path


def main(arguments: list[str] | None = None) -> None:
    """Write SubRip or WebVTT, by the ending of the name."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="a recognizer's run directory")
    parser.add_argument("audio", help="audio file; a long one is cut at its pauses")
    parser.add_argument("subtitles", type=Path, help="what to write: .srt or .vtt")
    options = parser.parse_args(arguments)

    from asr import Transcriber
    from asr.formats import format_transcript

    transcript = Transcriber.load(options.run).transcribe(options.audio)
    kind = "vtt" if options.subtitles.suffix == ".vtt" else "srt"
    options.subtitles.write_text(format_transcript(transcript, kind), encoding="utf-8")
    print(
        f"{len(transcript.words)} words in {transcript.duration_seconds:.1f} seconds -> {options.subtitles}"
    )


if __name__ == "__main__":
    main()
