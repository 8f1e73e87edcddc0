"""The tagger's network: padding changes nothing, dropout is of training alone, new words are read by their spelling."""

from typing import Any, get_args

import numpy as np
import pytest
import torch

from slot_filling.config import HeadName, TaggerConfig
from slot_filling.decoding import decode
from slot_filling.heads.viterbi import best_paths, k_best_paths
from slot_filling.network.encoder import Encoder, context_windows
from slot_filling.network.model import IntentHead, TaggerModel
from slot_filling.network.word_vectors import WordVectors
from slot_filling.sentences import Sentence
from slot_filling.training.task import TaggingTask
from slot_filling.vocabulary import PADDING, UNKNOWN
from sluice_core.config import ConfigError
from tests.slot_filling.requests import SENTENCES, batch, model, sentence, settings, vocabulary

ENCODERS: dict[str, dict[str, Any]] = {
    "characters by CNN": {"characters": "cnn", "character_widths": [1, 3, 5]},
    "characters by LSTM": {"characters": "lstm"},
    "words alone": {"characters": "none", "shape_size": 0},
    "window": {"window": 5, "cell": "elman", "bidirectional": False},
    "two layers": {"layers": 2, "cell": "gru"},
    "two members": {"ensemble": [{}, {"characters": "lstm", "hidden_size": 4}]},
}


def losses(network: TaggerModel, sentences: list[Sentence]) -> tuple[Any, Any, torch.Tensor]:
    """Emissions, scores of intents, and the loss summed over sentences."""
    together = batch(sentences)
    task = TaggingTask(network.config, network, vocabulary(), SENTENCES, 1)
    emissions, intents = network(together.words)
    return emissions, intents, task._loss(network, together) * len(sentences)


def gradients(network: TaggerModel) -> dict[str, torch.Tensor]:
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in network.named_parameters()
    }


@pytest.mark.parametrize("head", get_args(HeadName))
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_sentence_has_in_a_padded_batch_what_it_has_alone(encoder: str, head: str) -> None:
    network = model(settings(head, **ENCODERS[encoder])).double()
    emissions, intents, loss = losses(network, SENTENCES)
    loss.backward()
    together = gradients(network)
    network.zero_grad()
    total = 0.0
    for item, alone in enumerate(SENTENCES):
        own, own_intents, own_loss = losses(network, [alone])
        length = len(alone.words)
        torch.testing.assert_close(emissions[item, :length], own[0])
        torch.testing.assert_close(intents[item], own_intents[0])
        own_loss.backward()
        total += own_loss.item()
    assert loss.item() == pytest.approx(total)
    for name, gradient in gradients(network).items():
        assert gradient.isfinite().all()
        torch.testing.assert_close(together[name], gradient, msg=lambda text, name=name: f"{name}: {text}")
    assert not together["encoder.words.weight"][PADDING].any()
    assert together["encoder.words.weight"].any() and together["output.weight"].any()


def test_an_empty_sentence_beside_others_does_no_harm() -> None:
    network = model(settings())
    emissions, intents, loss = losses(network, [*SENTENCES, Sentence((), ())])
    loss.backward()
    assert emissions[:-1].isfinite().all() and intents.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients(network).values())
    torch.testing.assert_close(intents[-1], network.intent.output.bias)
    alone, its_intents = network(batch([Sentence((), ())]).words)
    assert alone.shape[:2] == (1, 0) and its_intents.isfinite().all()


def test_a_window_is_the_neighbours_in_their_order_and_nothing_beyond_the_sentence() -> None:
    vectors = torch.arange(1.0, 5.0)[None, :, None]
    assert context_windows(vectors, 3)[0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0]]
    assert context_windows(vectors, 1)[0].tolist() == [[1], [2], [3], [4]]


def test_a_word_of_the_window_reaches_so_far_and_no_further() -> None:
    """With a cell that goes forward alone, a later word is seen only through the window."""
    network = model(settings(window=5, cell="elman", bidirectional=False, characters="none"))
    words = batch([SENTENCES[2]]).words
    changed = words.words.clone()
    changed[0, 6] = words.words[0, 1]
    before = network(words)[0]
    words.words.copy_(changed)
    differs = (network(words)[0] != before).any(2)[0].tolist()
    assert differs == [position >= 4 for position in range(10)]


def test_words_are_hidden_in_training_alone_and_never_padding() -> None:
    encoder = Encoder(settings(word_dropout=0.3).encoder, vocabulary())
    words = torch.full((100, 100), 5)
    words[:, 60:] = PADDING
    torch.manual_seed(0)
    hidden = encoder.train()._hide_words(words)
    assert (hidden[:, 60:] == PADDING).all()
    assert set(hidden[:, :60].unique().tolist()) == {UNKNOWN, 5}
    assert float((hidden[:, :60] == UNKNOWN).float().mean()) == pytest.approx(0.3, abs=0.03)
    assert torch.equal(encoder.eval()._hide_words(words), words)


def test_rare_words_are_hidden_more_often() -> None:
    known = vocabulary()
    encoder = Encoder(settings(word_dropout=0.1, rare_word_dropout=2.0).encoder, known)
    numbers = torch.arange(len(known.words) + 2)
    torch.manual_seed(0)
    hidden = (encoder.train()._hide_words(numbers.repeat(20_000, 1)) == UNKNOWN).float().mean(0)
    assert hidden[PADDING] == 0
    expected = [max(0.1, 2 / (2 + count)) for count in known.counts]
    assert len(set(expected)) > 1
    assert hidden[2:].tolist() == pytest.approx(expected, abs=0.02)


def test_dropout_has_one_mask_for_all_words_of_a_sentence() -> None:
    encoder = Encoder(settings(dropout=0.5).encoder, vocabulary()).train()
    torch.manual_seed(0)
    dropped = encoder._drop(torch.ones(40, 7, 50))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert len(dropped[:, 0].unique(dim=0)) == 40, "each sentence has its own"
    assert torch.equal(encoder.eval()._drop(torch.ones(2, 3, 4)), torch.ones(2, 3, 4))


def test_training_varies_and_use_does_not() -> None:
    network, words = model(settings(dropout=0.5)), batch(SENTENCES).words
    assert torch.equal(network(words)[0], network(words)[0])
    network.train()
    assert not torch.equal(network(words)[0], network(words)[0])


def test_new_words_are_told_apart_by_their_spelling() -> None:
    def emissions(words: str, **encoder: Any) -> torch.Tensor:
        return model(settings(**encoder))(batch([sentence(words, "O O")]).words)[0]

    assert not torch.equal(emissions("to Boot"), emissions("to Leap"))
    assert not torch.equal(
        emissions("to Bora", characters="none"), emissions("to bora", characters="none")
    ), "shape"
    plain = {"characters": "none", "shape_size": 0}
    assert torch.equal(emissions("to Boot", **plain), emissions("to Leap", **plain))


def test_without_intents_there_is_no_intent_head() -> None:
    config = settings()
    assert TaggerModel(config, vocabulary()).intent is not None
    without = config.model_copy(update={"head": config.head.model_copy(update={"intent": False})})
    network = TaggerModel(without, vocabulary())
    assert network.intent is None and network(batch(SENTENCES).words)[1] is None


def limited() -> TaggerModel:
    config = settings()
    return model(config.model_copy(update={"head": config.head.model_copy(update={"intent_limits": True})}))


def test_the_intent_goes_with_the_labels_and_where_none_does_the_likeliest_pair_is_taken() -> None:
    network, known = limited(), vocabulary()
    assert np.array_equal(network.fits, known.fits())
    generator = torch.Generator().manual_seed(0)
    # So that some labels go with no intent.
    fits = (torch.rand(known.fits().shape, generator=generator) < 0.6).numpy()
    fits[:, known.tags.index("O")] = True
    emissions = 2 * torch.randn(60, 3, len(known.tags), generator=generator)
    intents = torch.randn(60, len(known.intents), generator=generator)
    lengths = torch.randint(1, 4, (60,), generator=generator)
    chain = network.head.chain(emissions, lengths)
    read = decode(chain, intents.numpy(), fits)
    again, scores = best_paths(read.chain)
    everyone, every_path = range(len(known.intents)), k_best_paths(chain, 10_000)
    for item in range(60):
        paths = every_path[item]
        best = paths[0][1].tolist()
        beside = [intent for intent in everyone if fits[intent, best].all()]
        pairs = [
            (score + float(intents[item].log_softmax(0)[intent]), intent, path.tolist())
            for score, path in paths
            for intent in everyone
            if fits[intent, path].all()
        ]
        _, intent, path = max(pairs)
        if beside:
            intent, path = max(beside, key=lambda number: float(intents[item, number])), best
        assert (int(read.intents[item]), read.paths[item].tolist()) == (intent, path)
        assert path == again[item].tolist(), "k best paths and confidences are of the same labels"
        assert bool(read.at_odds[item]) == (not beside)
        possible = [intent for intent in everyone if read.probabilities[item, intent] > 0]
        assert possible == (beside or list(everyone))
        np.testing.assert_allclose(
            read.probabilities[item, possible], intents[item, possible].softmax(0), rtol=1e-5, atol=1e-6
        )
    np.testing.assert_allclose(read.scores, scores)
    assert 5 < int(read.at_odds.sum()) < 40
    agree = ~read.at_odds
    assert np.array_equal(read.chain.emissions[agree], chain.emissions[agree])
    assert not np.array_equal(read.intents[agree], intents.argmax(1).numpy()[agree])


def test_without_limits_nothing_is_weighed() -> None:
    emissions, intents = torch.randn(2, 3, len(vocabulary().tags)), torch.randn(2, 2)
    network = model(settings())
    chain = network.head.chain(emissions, torch.tensor([3, 3]))
    read = decode(chain, intents.numpy(), network.fits)
    assert np.array_equal(read.intents, intents.argmax(1)) and not read.at_odds.any()
    assert read.chain is chain


def test_members_begin_apart_are_trained_each_and_answer_with_the_mean() -> None:
    network = model(settings(ensemble=[{}, {}, {"hidden_size": 4}]))
    together = batch(SENTENCES)
    said = network.member_scores(together.words)
    assert len(said) == 3 and not torch.allclose(said[0][0], said[1][0])
    emissions, intents = network(together.words)
    torch.testing.assert_close(emissions, sum(each for each, _ in said) / 3)
    torch.testing.assert_close(intents, sum(each for _, each in said) / 3)
    task = TaggingTask(network.config, network, vocabulary(), SENTENCES, 1)
    losses = [task._cost(network.head, *each, together) for each in said]
    torch.testing.assert_close(task._loss(network, together), sum(losses) / 3)
    assert [encoder.size for encoder in network.encoders] == [10, 10, 8]
    alone = model(settings())
    assert sum(each.numel() for each in network.parameters()) > 2.5 * sum(
        each.numel() for each in alone.parameters()
    )


def test_a_member_with_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"ensemble: .*of member 1, dropout: .*less than 1"):
        settings(ensemble=[{}, {"dropout": 2}])
    with pytest.raises(
        ConfigError, match=r"ensemble: of member 1, cell_options: 4 modules need .* units, not 3"
    ):
        settings(ensemble=[{}, {"cell": "clockwork", "hidden_size": 3}])
    with pytest.raises(ConfigError, match=r"ensemble: .*of member 0, sise"):
        settings(ensemble=[{"sise": 2}])


def test_the_old_name_of_label_components_is_still_read(caplog: pytest.LogCaptureFixture) -> None:
    tree = {"name": "old", "corpus": {"kind": "travel"}, "head": {"parts": False}}
    assert not TaggerConfig.check(tree, "old.yaml").head.label_components
    assert "old.yaml: head.parts is called head.label_components now" in caplog.text


def test_attention_looks_at_the_words_alone() -> None:
    torch.manual_seed(0)
    head = IntentHead(4, 3)
    vectors = torch.randn(2, 5, 4)
    vectors[0, 2:] = 1e4  # past the length
    scores = head(vectors, torch.tensor([2, 5]))
    torch.testing.assert_close(scores[:1], head(vectors[:1, :2], torch.tensor([2])))


def test_given_vectors_start_the_words_they_have() -> None:
    network = model(settings())
    before = network.encoder.words.weight.detach().clone()
    found = np.zeros(len(before), bool)
    found[[3, 5]] = True
    matrix = np.random.default_rng(0).normal(0, 7, (len(before), 6)).astype(np.float32)
    network.set_vectors(WordVectors(matrix, found))
    after = network.encoder.words.weight.detach()
    kept = ~torch.from_numpy(found)
    assert torch.equal(after[kept], before[kept])
    torch.testing.assert_close(after[found] / after[3, 0], torch.from_numpy(matrix[found] / matrix[3, 0]))
    assert float(after[found].std()) == pytest.approx(0.1)
    with pytest.raises(ConfigError, match=r"4 dimensions: set encoder\.word_size to that, not 6"):
        network.set_vectors(WordVectors(matrix[:, :4], found))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window": 4}, "an odd number"),
        ({"character_widths": [3, 2]}, "an odd number"),
        ({"character_widths": []}, "character_widths"),
        ({"character_widths": [-1]}, "character_widths: an odd number from 1 up"),
        ({"cell": "lstn"}, "lstm"),
        ({"cell_options": {"foo": 1}}, r"encoder\.cell_options: the cell lstm has no option 'foo'"),
        (
            {"cell": "clockwork", "hidden_size": 3},
            "cell_options: 4 modules need at least as many units, not 3",
        ),
        ({"dropout": 1.0}, "less than 1"),
        ({"hidden": 5}, "hidden: there is no setting of this name"),
    ],
)
def test_wrong_settings_are_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings(**change)
