"""Measure what synthesizers cost: `python -m benchmarks.voices [SENTENCES]`.

Each engine that is installed says the same travel requests, 8 if not told otherwise, by its training voices in turn.
CPU seconds include those of programs that an engine starts; loading is left out.
"""

import os
import sys

from tabulate import tabulate

from asr.synthesis.engines import all_engines
from asr.synthesis.engines.protocol import Engine
from asr.synthesis.speak import spoken_form
from sluice_core.devices import describe_machine
from sluice_core.grammar.travel import generate

SENTENCES = 8


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it has waited for, in seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measure(engine: Engine, texts: list[str]) -> tuple[float, float]:
    """Return the CPU seconds that an engine takes for an utterance, and how many seconds its speech lasts."""
    voices = engine.voices("en")["train"]
    engine.speak(texts[0], voices[0], seed=0)  # loads it
    before, spoken = cpu_seconds(), 0.0
    for seed, text in enumerate(texts):
        speech = engine.speak(" ".join(spoken_form(text)), voices[seed % len(voices)], seed)
        spoken += len(speech.samples) / speech.sample_rate
    return (cpu_seconds() - before) / len(texts), spoken / len(texts)


def main() -> None:
    """Print the table."""
    texts = [sentence.text for sentence in generate(int(sys.argv[1]) if len(sys.argv) > 1 else SENTENCES)]
    print(f"{describe_machine()}; {len(texts)} travel requests\n")
    rows = [
        (engine.name, *(f"{seconds:.3f}" for seconds in measure(engine, texts)))
        for engine in all_engines()
        if engine.available() is None
    ]
    print(tabulate(rows, ("engine", "CPU seconds an utterance", "its speech lasts"), tablefmt="github"))


if __name__ == "__main__":
    main()
