"""Measure how well a model understands people, clean and in noise.

    python -m benchmarks.people RUN RECORDINGS.jsonl [--grammar FILE] [--people FOLDER]

RUN is a domain's run, or with --grammar a recognizer's. Each line of RECORDINGS.jsonl has `audio` (a path beside it)
and `slots` ({label: what was said}). An answer is right if its slots are exactly these, and accepted if the run would
not have said "none of these". Noise is made, of kinds that no training hears; with --people, recordings of other people
make babble, too. Levels are those of the loudest frames, at 6, 9, … 24 dB; each recording has one kind at each level,
in turn.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from tabulate import tabulate

from asr import Transcriber
from asr.audio.reading import find_audio, read_audio
from benchmarks.made_noise import SAMPLE_RATE, Maker, makers, mix
from sluice.along_grammar import AlongGrammar
from sluice.understanding import Understander
from sluice_core.devices import describe_machine
from sluice_core.grammar.reading import read_grammar

SNRS_DB = (6, 9, 12, 15, 18, 21, 24)
TOGETHER = 32
Slots = dict[str, str]


def load(run: Path, grammar: Path | None) -> tuple[Transcriber, AlongGrammar]:
    """Return the recognizer of a run, and what reads its emissions along a grammar."""
    if grammar is None:
        understander = Understander.load(run)
        return understander.transcriber, understander.along_grammar
    transcriber = Transcriber.load(run)
    step = transcriber.seconds_per_step
    return transcriber, AlongGrammar(read_grammar(grammar), transcriber.tokens, step)


def understood(
    transcriber: Transcriber, along: AlongGrammar, recordings: Sequence[np.ndarray]
) -> Iterator[tuple[Slots, bool]]:
    """Yield the slots that are heard in each recording, and whether the answer would be accepted."""
    emissions = transcriber.emitter.emit_many(recordings, SAMPLE_RATE)
    while some := list(islice(emissions, TOGETHER)):
        for reading in along.read(some):
            if reading is None:
                yield {}, False
                continue
            words, meaning = reading.hypotheses[0].words, reading.meanings[0]
            spoken = [slot for slot in meaning.slots if not slot.is_constant]
            slots = {slot.label: " ".join(words[slot.start : slot.end]) for slot in spoken}
            probability = along.rejection.probability(reading.evidence.sentence)
            yield slots, probability >= along.rejection.threshold


def noisy(
    recordings: Sequence[np.ndarray], kinds: Mapping[str, Maker], snr_db: int
) -> Iterator[tuple[np.ndarray, str]]:
    """Yield each recording in noise, and the kind of noise; always the same."""
    names = list(kinds)
    for number, samples in enumerate(recordings):
        name = names[(number + SNRS_DB.index(snr_db)) % len(names)]
        noise = kinds[name](len(samples), np.random.default_rng([number, snr_db]))
        yield mix(samples, noise, snr_db), name


def percent(values: Sequence[bool]) -> str:
    """Return the share that is true."""
    return f"{100 * np.mean(values):.1f}%"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--grammar", type=Path, help="what may be said, if RUN is a recognizer's")
    parser.add_argument("--people", type=Path, help="folder of recordings that make babble")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.recordings.read_text(encoding="utf-8").splitlines()]
    said = [{label: text.lower() for label, text in row["slots"].items()} for row in rows]
    clean = [read_audio(options.recordings.parent / row["audio"], SAMPLE_RATE)[0] for row in rows]
    kinds = makers(find_audio([options.people]) if options.people else ())
    models = load(options.run, options.grammar)
    results: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for snr_db in (None, *SNRS_DB):
        mixed = [(each, "") for each in clean] if snr_db is None else list(noisy(clean, kinds, snr_db))
        found = understood(*models, [samples for samples, _ in mixed])
        for (slots, accepted), truth, (_, kind) in zip(found, said, mixed, strict=True):
            result = slots == truth, slots == truth and accepted
            names = ["clean"] if snr_db is None else [f"noise, {snr_db} dB", "noise, all levels", f"… {kind}"]
            for name in names:
                results[name].append(result)
    order = sorted(results, key=lambda name: (name.startswith("…"), name == "noise, all levels"))
    table = [(name, *(percent(each) for each in zip(*results[name], strict=True))) for name in order]
    print(f"{describe_machine()}\n{len(rows)} recordings of {options.recordings}\n")
    print(tabulate(table, ("", "every slot right", "and accepted"), tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
