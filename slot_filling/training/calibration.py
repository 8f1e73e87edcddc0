"""Fit a tagger's temperatures to a dev split, so that its probabilities can be trusted.

A network that is trained to the end is surer than it is right. Dividing all its scores by one number, fitted to
sentences that it was not trained on, mends most of that and changes no answer (Guo et al. 2017, "On Calibration of
Modern Neural Networks"). For heads whose loss knows no probabilities, such as max-margin, it makes probabilities.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from slot_filling.sentences import Sentence
from slot_filling.tagger import Tagger
from slot_filling.temperatures import Temperatures
from slot_filling.training.dataset import SentenceDataset, collate_sentences
from sluice_core.calibration import fit_temperature

BATCH = 128


@torch.inference_mode()
def fit_temperatures(tagger: Tagger, sentences: Sequence[Sentence]) -> Temperatures:
    """Return the temperatures under which labelled sentences are likeliest; 1 where there is nothing to learn from.

    Args:
        tagger: whose model to calibrate; the temperatures that it has are not used.
        sentences: labelled, and not of training.
    """
    batches = [_Scores(tagger, sentences[at : at + BATCH]) for at in range(0, len(sentences), BATCH)]
    slots = fit_temperature(lambda temperature: sum(each.slots(temperature) for each in batches))
    intents = fit_temperature(lambda temperature: sum(each.intents(temperature) for each in batches))
    return Temperatures(slots, intents)


class _Scores:
    """The network's scores of some sentences, computed once."""

    def __init__(self, tagger: Tagger, sentences: Sequence[Sentence]) -> None:
        dataset = SentenceDataset(list(sentences), tagger.vocabulary)
        batch = collate_sentences([dataset[0, item] for item in range(len(sentences))]).to(tagger.device)
        self._head, self._true, self._lengths = tagger.model.head, batch.tags, batch.words.lengths
        self._emissions, self._intents = tagger.model(batch.words)
        self._true_intents = batch.intents

    def slots(self, temperature: float) -> float:
        """Return what the true tags cost in nats, over the sentences where they are possible."""
        logs = self._head.log_likelihood(self._emissions, self._true, self._lengths, temperature)
        return -float(logs[logs.isfinite()].sum())

    def intents(self, temperature: float) -> float:
        """Return what the true intents cost in nats."""
        if self._intents is None:
            return 0.0
        scores: Tensor = self._intents.double() / temperature
        return float(functional.cross_entropy(scores, self._true_intents, ignore_index=-1, reduction="sum"))
