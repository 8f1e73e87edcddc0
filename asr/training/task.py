"""The task of training a recognizer with CTC: its loss and its dev error, as a Lightning module."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from asr.acoustic.ctc_loss import consistency_loss, ctc_loss
from asr.acoustic.network import AcousticModel
from asr.config import RecognizerConfig
from asr.decoding import greedy_decode
from asr.evaluation.diagnostics import Diagnostics
from asr.evaluation.error_rates import character_errors, word_errors
from asr.tokens import Tokens
from asr.training.dataset import UtteranceBatch
from sluice_core.training.batch_parts import Figures, add_parts
from sluice_core.training.task import Task


def training_losses(log_probs: Tensor, lengths: Tensor, batch: UtteranceBatch) -> tuple[Tensor, Tensor]:
    """Return CTC's loss and how far two views differ (0 where there is one), in nats for each token of the targets.

    Args:
        log_probs: `[batch, steps, tokens]` natural logs.
        lengths: `[batch]` int64 steps.
        batch: what the log-probabilities are of.
    """
    losses = ctc_loss(log_probs, lengths, batch.targets, batch.target_lengths)
    tokens = batch.target_lengths.sum().clamp(min=1)
    if batch.views == 1:
        return losses.sum() / tokens, losses.new_zeros(())
    first, second = log_probs.chunk(2)
    divergences = consistency_loss(first, second, lengths[: len(first)])
    return losses.sum() / tokens, 2 * divergences.sum() / tokens  # the tokens are there twice


class CTCTask(Task[AcousticModel]):
    """Fit an acoustic model with CTC; the dev error is that of the averaged weights, decoded greedily."""

    def __init__(
        self,
        config: RecognizerConfig,
        model: AcousticModel,
        tokens: Tokens,
        dev_texts: list[str],
        steps: int,
        find_words: Callable[[AcousticModel], None] | None = None,
    ) -> None:
        """Set up.

        Args:
            config: the settings of the whole experiment.
            model: what is trained.
            tokens: its alphabet.
            dev_texts: the references of the dev utterances, in their order.
            steps: the optimizer steps of the whole training, for the learning rate's decay.
            find_words: called before the epochs that exchange words, with the model that dev is evaluated with.
        """
        super().__init__(model, config.training, steps)
        self.find_words = find_words
        self.config, self.tokens, self.dev_texts = config, tokens, dev_texts
        self.diagnostics = Diagnostics()
        self._heard: dict[int, str] = {}
        self._trained = 0
        self._threads = torch.get_num_threads()

    def on_fit_start(self) -> None:
        """Leave the threads to the parts of a batch; features, too, must not depend on how many there are."""
        self._threads = torch.get_num_threads()
        if self.config.training.parts > 1:
            torch.set_num_threads(1)

    def on_fit_end(self) -> None:
        torch.set_num_threads(self._threads)

    def transfer_batch_to_device(
        self, batch: UtteranceBatch, device: torch.device, dataloader_idx: int
    ) -> UtteranceBatch:
        return batch.to(device)

    def on_train_epoch_start(self) -> None:
        if not self.find_words or not self.config.augment.exchanges(self.current_epoch):
            return
        if self.trainer.is_global_zero:
            self.find_words(self.evaluated)
        self.trainer.strategy.barrier()

    def training_step(self, batch: UtteranceBatch, batch_idx: int) -> Tensor:
        self.diagnostics.unreadable(batch.errors)
        self._trained += len(batch.items)
        if not batch.items:  # every file of the batch was unreadable; distributed ranks still need a loss
            return sum((p.sum() * 0 for p in self.model.parameters()), torch.zeros((), device=self.device))
        total, loss, divergence = self._losses(batch)
        figures = {"train_loss": loss}
        if batch.views == 2:
            figures["train_divergence"] = divergence
        self.log_dict(figures, on_step=False, on_epoch=True, batch_size=len(batch.items), sync_dist=True)
        return total

    def _losses(self, batch: UtteranceBatch) -> Figures:
        """Return what is minimized, CTC's loss and the divergence of two views."""
        parts = batch.parts(self.config.training.parts if batch.features.is_cpu else 1)
        if len(parts) == 1:
            return self._part_losses(batch, batch)
        computations = [partial(self._part_losses, part, batch) for part in parts]
        return add_parts(computations, self.model.parameters(), self._threads)

    def _part_losses(self, part: UtteranceBatch, batch: UtteranceBatch) -> Figures:
        """Return what a part of a batch, or all of it, adds to the losses of the batch."""
        log_probs, lengths = self.model(part.features, part.lengths)
        share = part.target_lengths.sum() / batch.target_lengths.sum().clamp(min=1)
        loss, divergence = (share * each for each in training_losses(log_probs, lengths, part))
        return loss + self.config.augment.consistency * divergence, loss, divergence

    def validation_step(self, batch: UtteranceBatch, batch_idx: int) -> None:
        self.diagnostics.unreadable(batch.errors)
        if not batch.items:
            return
        log_probs, lengths = self.evaluated(batch.features, batch.lengths)
        losses = ctc_loss(log_probs, lengths, batch.targets, batch.target_lengths)
        finite = losses[torch.isfinite(losses)]  # a dev text may not fit; it then counts as errors alone
        tokens = batch.target_lengths[torch.isfinite(losses)].sum().clamp(min=1)
        self.log("dev_loss", finite.sum() / tokens, on_epoch=True, batch_size=int(tokens), sync_dist=True)
        heard = greedy_decode(log_probs.cpu().numpy(), lengths.cpu().numpy())
        for item, hypothesis in zip(batch.items, heard, strict=True):
            self._heard[item] = " ".join(self.tokens.decode(hypothesis.tokens).split())

    def on_validation_epoch_end(self) -> None:
        """Log the errors of dev.

        Raises:
            TrainingError: no audio of dev, or of training, could be read.
        """
        items = sorted(self._heard)
        references, hypotheses = [self.dev_texts[i] for i in items], [self._heard[i] for i in items]
        words, characters = word_errors(references, hypotheses), character_errors(references, hypotheses)
        counts = [words.errors, words.total, characters.errors, characters.total]
        counts += [sum(map(bool, hypotheses)), len(items), self._trained]
        self._heard.clear()
        self._trained = 0
        *of_text, answered, heard, trained = self.sum_over_devices(counts)
        self.diagnostics.audio_read(train=trained, dev=heard)
        rates = {"dev_wer": of_text[0] / max(1, of_text[1]), "dev_cer": of_text[2] / max(1, of_text[3])}
        self.log_dict({**rates, "dev_error": rates[f"dev_{self.config.select_by}"]})
        self.log("dev_answered", answered / max(1, heard))

    def on_train_epoch_end(self) -> None:
        figures = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        self.diagnostics.epoch(self.current_epoch, figures)
