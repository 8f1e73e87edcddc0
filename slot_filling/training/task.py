"""The task of training a tagger: its loss and its dev error, as a Lightning module."""

import torch
from torch import Tensor
from torch.nn import functional

from slot_filling.config import TaggerConfig
from slot_filling.decoding import decode
from slot_filling.evaluation.metrics import SpanCounts, score_spans
from slot_filling.heads.head import Head
from slot_filling.network.model import TaggerModel
from slot_filling.sentences import Sentence
from slot_filling.training.dataset import SentenceBatch
from slot_filling.vocabulary import Vocabulary
from sluice_core.training.task import Task


class TaggingTask(Task[TaggerModel]):
    """Fit a tagger; the dev error is 1 - F1 over the spans that the averaged weights find."""

    def __init__(
        self,
        config: TaggerConfig,
        model: TaggerModel,
        vocabulary: Vocabulary,
        dev: list[Sentence],
        steps: int,
    ) -> None:
        """Set up.

        Args:
            config: the settings of the whole experiment.
            model: what is trained.
            vocabulary: its words and labels.
            dev: the sentences of the dev split, in their order.
            steps: the optimizer steps of the whole training, for the learning rate's decay.
        """
        super().__init__(model, config.training, steps)
        self.config, self.vocabulary, self.dev = config, vocabulary, dev
        self._losses: list[Tensor] = []  # of the sentences of each batch of this epoch, summed
        self._sentences = 0
        self._found: dict[int, tuple[str, ...]] = {}
        self._intents: dict[int, bool] = {}

    def transfer_batch_to_device(
        self, batch: SentenceBatch, device: torch.device, dataloader_idx: int
    ) -> SentenceBatch:
        return batch.to(device)

    def on_train_epoch_start(self) -> None:
        self._losses, self._sentences = [], 0

    def training_step(self, batch: SentenceBatch, batch_idx: int) -> Tensor:
        loss = self._loss(self.model, batch)
        self._losses.append(loss.detach() * len(batch.items))
        self._sentences += len(batch.items)
        if self.trainer.is_last_batch:  # logging takes a twentieth of a small batch's time
            mean = torch.stack(self._losses).sum() / self._sentences
            self.log(
                "train_loss", mean, on_step=False, on_epoch=True, batch_size=self._sentences, sync_dist=True
            )
        return loss

    def _loss(self, model: TaggerModel, batch: SentenceBatch) -> Tensor:
        """Return the mean of the losses of the ensemble's members."""
        scores = model.member_scores(batch.words)
        return torch.stack([self._cost(model.head, *each, batch) for each in scores]).mean()

    def _cost(self, head: Head, emissions: Tensor, intents: Tensor | None, batch: SentenceBatch) -> Tensor:
        """Return the mean loss of the sentences: that of the labels, and that of the intents where there are any."""
        loss = head.loss(emissions, batch.tags, batch.words.lengths).mean()
        if intents is None:
            return loss
        known = functional.cross_entropy(intents, batch.intents, ignore_index=-1, reduction="sum")
        return loss + self.config.head.intent_weight * known / len(batch.items)

    def validation_step(self, batch: SentenceBatch, batch_idx: int) -> None:
        model = self.evaluated
        emissions, intents = model(batch.words)
        loss = self._cost(model.head, emissions, intents, batch)
        self.log("dev_loss", loss, on_epoch=True, batch_size=len(batch.items), sync_dist=True)
        chain = model.head.chain(emissions, batch.words.lengths)
        found = decode(chain, None if intents is None else intents.double().cpu().numpy(), model.fits)
        for item, path in zip(batch.items, found.paths, strict=True):
            self._found[item] = self.vocabulary.decode_tags(path)
        if found.intents is not None:
            right = (found.intents == batch.intents.cpu().numpy()).tolist()
            asked = [self.dev[item].intent is not None for item in batch.items]
            self._intents |= {
                i: good for i, good, is_asked in zip(batch.items, right, asked, strict=True) if is_asked
            }

    def on_validation_epoch_end(self) -> None:
        """Log the figures of dev, over the sentences of all devices."""
        items = sorted(self._found)
        gold = [self.dev[item].tags or () for item in items]
        spans = score_spans(gold, [self._found[item] for item in items]).total
        whole = [self._found[item] == self.dev[item].tags and self._intents.get(item, True) for item in items]
        counts = [spans.gold, spans.found, spans.right, sum(whole), len(whole)]
        counts += [sum(self._intents.values()), len(self._intents)]
        self._found.clear()
        self._intents.clear()
        *of_spans, whole_count, sentences, right_intents, intents = self.sum_over_devices(counts)
        f1 = SpanCounts(*of_spans).f1
        figures = {"dev_error": 1 - f1, "dev_f1": f1, "dev_sentences": whole_count / sentences}
        if intents:
            figures["dev_intents"] = right_intents / intents
        self.log_dict(figures)
