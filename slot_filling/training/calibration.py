"""How far a tagger's scores are to be trusted: temperatures that make its probabilities honest on a dev split.

A network that is trained to the end is surer than it is right. Dividing all its scores by one number, fitted to
sentences that it was not trained on, mends most of that and changes no answer (Guo et al. 2017, "On Calibration of
Modern Neural Networks"). Of heads whose loss knows no probabilities, such as max-margin, it makes probabilities.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from sluice_core.files import CheckpointError, write_text

if TYPE_CHECKING:
    from slot_filling.sentences import Sentence
    from slot_filling.tagger import Tagger

FILE = "calibration.json"
COLDEST, HOTTEST = 0.1, 20.0
STEPS = 24
"""Each leaves 62% of the range, so that in the end it is known to 0.01%."""
BATCH = 128


@dataclass(frozen=True)
class Temperatures:
    """What scores are divided by; 1 leaves them as they are."""

    slots: float = 1.0
    intents: float = 1.0

    def save(self, directory: Path) -> None:
        """Write them beside the weights."""
        write_text(directory / FILE, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, directory: Path) -> "Temperatures":
        """Read what `save` wrote; without a file all are 1.

        Raises:
            CheckpointError: the file is damaged.
        """
        path = directory / FILE
        if not path.exists():
            return cls()
        try:
            tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found = cls(**{name: float(value) for name, value in tree.items()})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path}: damaged: {error}") from error
        if not all(0 < each < math.inf for each in (found.slots, found.intents)):
            raise CheckpointError(f"{path}: damaged: temperatures are positive numbers, not {tree}")
        return found


@torch.inference_mode()
def fit_temperatures(tagger: "Tagger", sentences: "Sequence[Sentence]") -> Temperatures:
    """The temperatures under which labelled sentences are likeliest; 1 where there is nothing to learn from.

    Args:
        tagger: its model; the temperatures that it has are not used.
        sentences: labelled, and not of training.
    """
    batches = [_Scores(tagger, sentences[at : at + BATCH]) for at in range(0, len(sentences), BATCH)]
    slots = _coolest(lambda temperature: sum(each.slots(temperature) for each in batches))
    intents = _coolest(lambda temperature: sum(each.intents(temperature) for each in batches))
    return Temperatures(slots, intents)


class _Scores:
    """The network's scores of some sentences, computed once."""

    def __init__(self, tagger: "Tagger", sentences: "Sequence[Sentence]") -> None:
        from slot_filling.training.dataset import Examples, collate

        examples = Examples(list(sentences), tagger.vocabulary)
        batch = collate([examples[0, item] for item in range(len(sentences))]).to(tagger.device)
        self._head, self._true, self._lengths = tagger.model.head, batch.tags, batch.words.lengths
        self._emissions, self._intents = tagger.model(batch.words)
        self._true_intents = batch.intents

    def slots(self, temperature: float) -> float:
        """Nats that the true tags cost, of the sentences where they are possible."""
        logs = self._head.log_likelihood(self._emissions, self._true, self._lengths, temperature)
        return -float(logs[logs.isfinite()].sum())

    def intents(self, temperature: float) -> float:
        """Nats that the true intents cost."""
        if self._intents is None:
            return 0.0
        scores: Tensor = self._intents.double() / temperature
        return float(functional.cross_entropy(scores, self._true_intents, ignore_index=-1, reduction="sum"))


def _coolest(cost: Callable[[float], float]) -> float:
    """The temperature of least cost, by golden sections of its logarithm; 1 if all cost the same."""
    share = (math.sqrt(5) - 1) / 2
    low, high = math.log(COLDEST), math.log(HOTTEST)
    if cost(COLDEST) == cost(HOTTEST):
        return 1.0
    left, right = high - share * (high - low), low + share * (high - low)
    costs = cost(math.exp(left)), cost(math.exp(right))
    for _ in range(STEPS):
        if costs[0] < costs[1]:
            high, right = right, left
            left = high - share * (high - low)
            costs = cost(math.exp(left)), costs[0]
        else:
            low, left = left, right
            right = low + share * (high - low)
            costs = costs[1], cost(math.exp(right))
    return round(math.exp((low + high) / 2), 4)
