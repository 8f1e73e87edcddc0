"""The loss that a tagger is trained by, the dev figures that choose its weights, and its batches."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from slot_filling.config import TaggerConfig
from slot_filling.network.model import TaggerModel
from slot_filling.sentences import Sentence
from slot_filling.training.dataset import SentenceBatch, SentenceDataset, collate_sentences
from slot_filling.training.noise import Noise
from slot_filling.training.task import TaggingTask
from sluice_core.training.batching import LengthBatches
from sluice_core.training.fit import fit_task
from tests.slot_filling.requests import SENTENCES, batch, model, settings, vocabulary


def task_of(config: TaggerConfig) -> TaggingTask:
    return TaggingTask(config, model(config), vocabulary(), SENTENCES, 3 * config.training.max_epochs)


def loader(train: bool, sentences: list[Sentence] = SENTENCES) -> "DataLoader[SentenceBatch]":
    lengths = [len(each.words) for each in sentences]
    batches = LengthBatches(lengths, batch_size=2, batch_length=100, seed=1, shuffle=train)
    return DataLoader(
        SentenceDataset(sentences, vocabulary()), batch_sampler=batches, collate_fn=collate_sentences
    )


def test_the_loss_is_the_mean_of_labels_and_weighed_intents() -> None:
    task, together = task_of(settings()), batch(SENTENCES)
    emissions, intents = task.model(together.words)
    labels = task.model.head.loss(emissions, together.tags, together.words.lengths).sum()
    known = [item for item, each in enumerate(SENTENCES) if each.intent is not None]
    assert together.intents.tolist().count(-1) == 1 and len(known) == 4
    named = functional.cross_entropy(intents[known], together.intents[known], reduction="sum")
    torch.testing.assert_close(task._loss(task.model, together), (labels + 0.5 * named) / 5)


def test_sentences_without_any_known_intent_still_train() -> None:
    task, unnamed = task_of(settings()), batch([SENTENCES[3]])
    loss = task._loss(task.model, unnamed)
    loss.backward()
    emissions, _ = task.model(unnamed.words)
    torch.testing.assert_close(loss, task.model.head.loss(emissions, unnamed.tags, unnamed.words.lengths)[0])
    assert not task.model.intent.output.weight.grad.any()


class Answers(TaggerModel):
    """Emits given tags and intents, whatever its weights are."""

    def __init__(self, answers: list[Sentence]) -> None:
        config = settings("softmax")
        super().__init__(config, vocabulary())
        self.answers = {each.words: each for each in answers}

    def forward(self, words):  # type: ignore[no-untyped-def]
        known = vocabulary()
        emissions = torch.zeros(*words.words.shape, len(known.tags))
        intents = torch.zeros(len(words.words), len(known.intents))
        for item, length in enumerate(words.lengths.tolist()):
            (answer,) = [a for a in self.answers.values() if len(a.words) == length]
            numbers = torch.from_numpy(known.encode_tags(answer.tags))
            emissions[item, torch.arange(length), numbers] = 1e3
            intents[item, known.encode_intent(answer.intent)] = 1e3
        return emissions, intents


def test_dev_figures_are_those_of_the_sentences_in_their_order() -> None:
    """Five sentences in batches by length; one slot is missed, another found at half, one intent wrong."""
    answers = [
        SENTENCES[0],
        Sentence(SENTENCES[1].words, SENTENCES[1].tags, "arrive"),
        Sentence(SENTENCES[2].words, ("O", "B-city", "O", "O", "O", "O", *["O"] * 4), "leave"),
        SENTENCES[3],
        SENTENCES[4],
    ]
    config = settings("softmax", {"average_decay": 0})
    task = TaggingTask(config, Answers(answers), vocabulary(), SENTENCES, 1)
    logged: dict[str, float] = {}
    task.log = lambda name, value, **_: logged.update({name: float(value)})  # type: ignore[method-assign]
    task.log_dict = lambda figures, **_: logged.update(figures)  # type: ignore[method-assign]
    for _ in range(2):  # a second epoch's figures are not mixed with the first's
        for number, each in enumerate(loader(train=False)):
            task.validation_step(each, number)
        task.on_validation_epoch_end()
        assert logged["dev_f1"] == pytest.approx(2 * 4 / (7 + 5))
        assert logged["dev_error"] == pytest.approx(1 - logged["dev_f1"])
        assert logged["dev_intents"] == pytest.approx(3 / 4)  # one has none
        assert logged["dev_sentences"] == pytest.approx(3 / 5)


def test_damage_is_decided_by_seed_epoch_and_sentence() -> None:
    known = vocabulary()
    damaged = SentenceDataset(SENTENCES, known, Noise(known.words, edit=0.7), seed=3)
    first = [damaged[0, item].encoded for item in range(5)]
    for other, same in (((0, 3), True), ((1, 3), False), ((0, 4), False)):
        epoch, seed = other
        again = SentenceDataset(SENTENCES, known, Noise(known.words, edit=0.7), seed=seed)
        encoded = [again[epoch, item].encoded for item in range(5)]
        equal = all(
            a.characters.shape == b.characters.shape and np.array_equal(a.characters, b.characters)
            for a, b in zip(first, encoded, strict=True)
        )
        assert equal == same
    plain = SentenceDataset(SENTENCES, known)
    assert all(np.array_equal(plain[0, n].tags, damaged[0, n].tags) for n in range(5))


def test_batches_spell_each_word_once() -> None:
    together, known = batch([SENTENCES[0], SENTENCES[4]]).words, vocabulary()
    assert together.characters.shape == (6, len("November")) and not together.characters[0].any()
    assert together.lengths.tolist() == [5, 2] and together.forms[1, 2:].tolist() == [0, 0, 0]
    for item, number in ((0, 0), (0, 2), (0, 4), (1, 0), (1, 1)):
        word = [SENTENCES[0], SENTENCES[4]][item].words[number]
        spelled = together.characters[together.forms[item, number]]
        assert spelled[: len(word)].tolist() == known.encode([word]).characters[0].tolist()
        assert not spelled[len(word) :].any()


def test_a_tagger_that_was_loaded_for_use_trains_with_dropout(tmp_path: Path) -> None:
    """Fine-tuning starts from a model whose dropout is off."""
    config = settings(training={"max_epochs": 1, "accelerator": "cpu", "average_decay": 0.9})
    task = task_of(config)
    assert not task.model.training
    modes = []
    task.model.encoder.register_forward_hook(lambda module, *_: modes.append(module.training))
    fit_task(task, loader(True), loader(False), tmp_path, config.training, lambda: None, quiet=True)
    assert modes == [True] * 3  # dev is measured with the averaged weights


@pytest.mark.slow
@pytest.mark.parametrize("head", ["softmax", "crf", "perceptron", "max_margin", "softmax_margin"])
def test_every_head_learns_a_few_sentences_by_heart(head: str, tmp_path: Path) -> None:
    training = {
        "max_epochs": 16,
        "learning_rate": 5e-2,
        "warmup_steps": 0,
        "accelerator": "cpu",
        "average_decay": 0,
    }
    config = settings(head, training, dropout=0.0, word_dropout=0.0)
    fit_task(
        task_of(config),
        loader(True),
        loader(False),
        tmp_path,
        config.training,
        lambda: None,
        quiet=True,
    )
    found = [epoch["dev_sentences"] for epoch in json.loads((tmp_path / "history.json").read_text())]
    assert found[0] < 1 and max(found) == 1
