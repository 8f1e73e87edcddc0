"""How a recognizer in use hears a recording: first where somebody speaks, then at several vocal tracts."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic.ctc import BLANK
from asr.acoustic.emissions import BATCH_SECONDS
from asr.acoustic.features import Features
from asr.acoustic.network import AcousticModel
from asr.acoustic.vocal_tract import warped_filters
from asr.config import HearingConfig

NEAR_SECONDS = 0.1
"""Frames this near to a step with a token may be speech in the second pass."""

FEWEST_SECONDS = 0.2
"""Where fewer frames are near a token, nobody has been heard, and the first pass tells the second nothing."""


class Hearing:
    """Computes the log-probabilities of recordings by a model, averaged over several ways to hear them.

    None of them changes time, so that the outputs of the model belong together step by step. The average is that of
    log-probabilities, normalized again: the geometric mean of the distributions.

    Example:
        >>> from asr.config import FeatureConfig
        >>> hearing = Hearing(Features(FeatureConfig()), HearingConfig(vocal_tracts=[0.93, 1.0, 1.07]))
        >>> [tuple(each.shape) for each in hearing.energies(torch.zeros(16000))]
        [(101, 80), (101, 80), (101, 80)]
    """

    def __init__(self, features: Features, config: HearingConfig) -> None:
        """Make the filters.

        Args:
            features: what computes spectra, and features of mel energies.
            config: the settings.
        """
        self.features, self.config = features, config
        self.filters = [warped_filters(features, factor) for factor in config.vocal_tracts]

    def to(self, device: torch.device) -> None:
        """Move features and filters to a device."""
        self.features.to(device)
        self.filters = [filters.to(device) for filters in self.filters]

    def energies(self, samples: Tensor) -> list[Tensor]:
        """Compute the mel energies `[time, mels]` float32 of one utterance `[samples]` at each vocal tract."""
        with torch.autocast(samples.device.type, enabled=False):
            power = self.features.power(samples)
            return [power @ filters for filters in self.filters]

    def log_probs(self, model: AcousticModel, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute the log-probabilities of recordings by a model.

        Args:
            model: the acoustic model.
            batch: recordings `[samples]` on the model's device.

        Returns:
            Natural log-probabilities `[batch, time, tokens]` float32, and lengths `[batch]` int64 in steps.
        """
        energies = [self.energies(samples) for samples in batch]
        among: list[Tensor | None] = [None] * len(batch)
        if self.config.two_passes:
            among = self._near_tokens(
                model, [self._plain(*each) for each in zip(batch, energies, strict=True)]
            )
        heard = [
            [self._finish(each, near) for each in of_one]
            for of_one, near in zip(energies, among, strict=True)
        ]
        outputs, steps = self._run(model, heard)
        return outputs[0] if len(outputs) == 1 else torch.stack(outputs).mean(dim=0).log_softmax(dim=2), steps

    def _plain(self, samples: Tensor, energies: Sequence[Tensor]) -> Tensor:
        """Return the plain mel energies of an utterance, of which no spectrum is computed again if they are there."""
        if 1 in self.config.vocal_tracts:
            return energies[self.config.vocal_tracts.index(1)].clone()
        with torch.autocast(samples.device.type, enabled=False):
            return self.features.energies(samples)

    def _finish(self, energies: Tensor, among: Tensor | None = None) -> Tensor:
        with torch.autocast(energies.device.type, enabled=False):
            return self.features.finish(energies, among)

    def _run(
        self, model: AcousticModel, utterances: Sequence[Sequence[Tensor]]
    ) -> tuple[list[Tensor], Tensor]:
        """Return the log-probabilities `[batch, time, tokens]` of each way to hear the utterances, and their steps."""
        device = utterances[0][0].device
        frames = torch.tensor([len(ways[0]) for ways in utterances], device=device)
        inputs = [pad_sequence(list(rows), batch_first=True) for rows in zip(*utterances, strict=True)]
        seconds = len(inputs) * len(frames) * int(frames.max()) * self.features.seconds_per_frame
        if seconds <= BATCH_SECONDS:  # a few recordings take less time together; many take more memory
            log_probs, steps = model(torch.cat(inputs), frames.repeat(len(inputs)))
            return list(log_probs.chunk(len(inputs))), steps[: len(frames)]
        computed = [model(each, frames) for each in inputs]
        return [log_probs for log_probs, _ in computed], computed[0][1]

    def _near_tokens(self, model: AcousticModel, energies: Sequence[Tensor]) -> list[Tensor | None]:
        """Return which frames of each recording, `[time]` bool, are near tokens; None where too few are.

        Args:
            model: the acoustic model.
            energies: plain mel energies `[time, mels]` of each recording, which are not kept.
        """
        (outputs,), steps = self._run(model, [[self._finish(each)] for each in energies])
        found: list[Tensor | None] = []
        reach = round(NEAR_SECONDS / self.features.seconds_per_frame)
        for log_probs, count, each in zip(outputs, steps.tolist(), energies, strict=True):
            told = (log_probs[:count, BLANK] < math.log(0.5)).float().repeat_interleave(model.frames_per_step)
            told = told[None, None, : len(each)]
            near = max_pool1d(told, 2 * reach + 1, stride=1, padding=reach)[0, 0] > 0
            enough = near.sum() * self.features.seconds_per_frame >= FEWEST_SECONDS
            found.append(near if enough else None)
        return found
