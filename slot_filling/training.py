"""The tagging task: loss and dev error, for Lightning to run."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from slot_filling.config import TaggerConfig
from slot_filling.encoder import WordBatch
from slot_filling.evaluation import score_spans
from slot_filling.examples import Batch
from slot_filling.model import TaggerModel
from slot_filling.sentences import Sentence
from slot_filling.vocabulary import PADDING, Vocabulary
from training.task import Task


class Neighbours(nn.Module):
    """Foretells the words beside each word: what a direction has read must know what comes next (Rei 2017).

    The vectors that the words are read as are also those that answers are compared with, so that rare words, of which
    labels say little, learn from their company.
    """

    def __init__(self, model: TaggerModel) -> None:
        super().__init__()
        words, size = model.encoder.words.weight.shape
        self.directions = nn.ModuleList(
            nn.Linear(model.config.encoder.hidden_size, size)
            for _ in range(1 + model.config.encoder.bidirectional)
        )
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, vectors: Tensor, batch: WordBatch, table: Tensor) -> Tensor:
        """Nats that the neighbours cost, summed over all words of a batch.

        Args:
            vectors: of the encoder, `[batch, time, size]`, forward then backward.
            batch: the words; beyond a sentence's ends stands padding, which is foretold too.
            table: `[words, word size]`.
        """
        inside = torch.arange(batch.words.shape[1], device=batch.lengths.device) < batch.lengths[:, None]
        words = functional.pad(batch.words, (1, 1), value=PADDING)
        total = vectors.new_zeros(())
        halves = vectors[inside].chunk(len(self.directions), -1)
        for direction, half, neighbours in zip(
            self.directions, halves, (words[:, 2:], words[:, :-2]), strict=False
        ):
            scores = functional.linear(direction(half).tanh(), table, self.bias)
            total = total + functional.cross_entropy(scores, neighbours[inside], reduction="sum")
        return total


class TaggingTask(Task[TaggerModel]):
    """Fits a tagger; the dev error is 1 - F1 over the spans that the averaged weights find."""

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
            config: of the whole experiment.
            model: what is trained.
            vocabulary: its words and labels.
            dev: the sentences of the dev split, in their order.
            steps: optimizer steps of the whole training, for the learning rate's decay.
        """
        super().__init__(model, config.training, steps)
        self.config, self.vocabulary, self.dev = config, vocabulary, dev
        self.neighbours = Neighbours(model) if config.head.language_weight else None
        self._found: dict[int, tuple[str, ...]] = {}
        self._intents: dict[int, bool] = {}

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        vectors = self.model.read(batch.words)
        loss = self._loss(self.model, vectors, batch)
        if self.neighbours is not None:
            nats = self.neighbours(vectors, batch.words, self.model.encoder.words.weight)
            loss = loss + self.config.head.language_weight * nats / len(batch.items)
        self.log(
            "train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.items), sync_dist=True
        )
        return loss

    def _loss(self, model: TaggerModel, vectors: Tensor, batch: Batch) -> Tensor:
        """Mean over sentences: of the labels, and of the intents where there are any."""
        emissions, intents = model.score(vectors, batch.words.lengths)
        loss = model.head.loss(emissions, batch.tags, batch.words.lengths).mean()
        if intents is None:
            return loss
        known = functional.cross_entropy(intents, batch.intents, ignore_index=-1, reduction="sum")
        return loss + self.config.head.intent_weight * known / len(batch.items)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        model = self.evaluated
        vectors = model.read(batch.words)
        loss = self._loss(model, vectors, batch)
        self.log("dev_loss", loss, on_epoch=True, batch_size=len(batch.items), sync_dist=True)
        emissions, intents = model.score(vectors, batch.words.lengths)
        if intents is not None:
            chosen, _, emissions = model.agree(emissions, intents, batch.words.lengths)
        paths, _ = model.head.decode(emissions, batch.words.lengths)
        for item, path in zip(batch.items, paths, strict=True):
            self._found[item] = self.vocabulary.decode_tags(path)
        if intents is not None:
            right = (chosen == batch.intents).tolist()
            asked = [self.dev[item].intent is not None for item in batch.items]
            self._intents |= {
                i: good for i, good, is_asked in zip(batch.items, right, asked, strict=True) if is_asked
            }

    def on_validation_epoch_end(self) -> None:
        items = sorted(self._found)
        gold = [self.dev[item].tags or () for item in items]
        scores = score_spans(gold, [self._found[item] for item in items])
        whole = [self._found[item] == self.dev[item].tags and self._intents.get(item, True) for item in items]
        figures = {"dev_error": 1 - scores.f1, "dev_f1": scores.f1, "dev_sentences": sum(whole) / len(whole)}
        if self._intents:
            figures["dev_intents"] = sum(self._intents.values()) / len(self._intents)
        self.log_dict(figures, sync_dist=True)
        self._found.clear()
        self._intents.clear()
