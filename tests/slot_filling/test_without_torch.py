"""What a tagger does after its scores runs where there is no torch, and a tagger in use loads nothing of training."""

import subprocess
import sys
from pathlib import Path

from tests.slot_filling.test_tagger import TAGGER

AFTER_THE_SCORES = [
    *("chain", "kernels", "posterior", "semirings", "viterbi"),
    *("decoding", "schemes", "sentences", "slot_values", "tagging", "tokenizer", "vocabulary", "word_shapes"),
]
TRAINING = ("slot_filling.training", "lightning", "datasets", "jellyfish", "rapidfuzz")


def loaded_by(code: str, *names: str) -> list[str]:
    """Return the modules of these names, or below them, that a fresh interpreter has loaded after running the code."""
    asking = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asking], check=True, capture_output=True, text=True)
    return [
        module for module in done.stdout.split() if any(f"{module}.".startswith(f"{name}.") for name in names)
    ]


def test_scores_become_slots_without_torch() -> None:
    heads, others = AFTER_THE_SCORES[:5], AFTER_THE_SCORES[5:]
    modules = [f"slot_filling.heads.{name}" for name in heads] + [f"slot_filling.{name}" for name in others]
    code = f"""
import {", ".join(modules)}
import numpy as np
from slot_filling import Slot, Tagging
from slot_filling.decoding import predict, tagging_of
from slot_filling.heads.chain import TransitionScores
from slot_filling.sentences import Sentence
from slot_filling.tokenizer import tokenize
from slot_filling.vocabulary import Vocabulary

text = "fly to New York"
tokens = tokenize(text)
vocabulary = Vocabulary.learn([Sentence(("fly", "to", "New", "York"), ("O", "O", "B-city", "I-city"), "fly")])
start, allowed, end = (np.where(each, 0.0, -np.inf) for each in vocabulary.transitions())
emissions = np.zeros((1, 4, 3), np.float32)
emissions[0, [0, 1, 2, 3], [vocabulary.tags.index(tag) for tag in ("O", "O", "B-city", "I-city")]] = 9
chain = TransitionScores(allowed, start, end).chain(emissions, np.array([4]))
[prediction] = predict(vocabulary, chain, None, np.zeros((0, 3), bool), k=3)
tagging = tagging_of(text, tokens, prediction, vocabulary.intents)
assert [slot.text for slot in tagging.slots] == ["New York"] and len(tagging.alternatives) == 2
assert tagging.slots[0].confidence > 0.99
"""
    assert loaded_by(code, "torch") == []


def test_a_tagger_in_use_loads_nothing_of_training(tmp_path: Path) -> None:
    TAGGER.save(tmp_path)
    code = f"""
from slot_filling import Tagger
Tagger.load({str(tmp_path)!r}).tag("fly to New York", alternatives=2)
"""
    assert loaded_by(code, *TRAINING) == []
