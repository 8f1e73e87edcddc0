"""Heads against enumeration of every path, for both ways of computing them."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from slot_filling.heads import posterior, viterbi
from slot_filling.heads.chain import Chain
from slot_filling.heads.head import HEADS, Head, StructuredHead, make_head
from slot_filling.heads.posterior import LogPosterior, TaggedSpan
from slot_filling.heads.tensor_chain import TensorChain
from tests.slot_filling import semiring_paths

BATCHES, SENTENCES = 40, 6  # for each of two ways and five heads: 2,400 sentences for the losses alone


@pytest.fixture(params=["compiled", "semirings"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The compiled kernels; and the recursions over semirings, with those over tensors that a GPU runs for a loss."""
    if request.param == "semirings":
        monkeypatch.setattr(TensorChain, "on_cpu", False)
        monkeypatch.setattr(posterior, "posterior_of", LogPosterior)
        monkeypatch.setattr(viterbi, "best_paths", semiring_paths.best_paths)
        monkeypatch.setattr(viterbi, "k_best_paths", semiring_paths.k_best_paths)
    return request.param


@dataclass(eq=False)
class Case:
    """A head and a batch."""

    head: Head
    emissions: Tensor
    tags: Tensor
    lengths: Tensor

    def chain(self) -> Chain:
        """All scores."""
        return self.head.chain(self.emissions, self.lengths)

    def paths(self, sentence: int) -> Tensor:
        """`[n, length]` allowed paths."""
        return self._paths_of_length(int(self.lengths[sentence]))

    @cache  # noqa: B019 - a case lives as long as its test
    def _paths_of_length(self, length: int) -> Tensor:
        if not length:
            return torch.zeros(1, 0, dtype=torch.int64)
        tags, head = torch.arange(self.head.tags), self.head
        every = torch.cartesian_prod(*[tags] * length).reshape(-1, length)
        allowed = head.may_start[every[:, 0]] & head.may_end[every[:, -1]]
        return every[allowed & head.may_follow[every[:, :-1], every[:, 1:]].all(1)]

    def scores(self, sentence: int, paths: Tensor) -> Tensor:
        """`[n]` scores of paths, differentiable."""
        length = paths.shape[1]
        words = self.emissions[sentence, :length].gather(1, paths.T).sum(0)
        if not length or not isinstance(self.head, StructuredHead):
            return words.double()
        moves = self.head.transitions[paths[:, :-1], paths[:, 1:]].sum(1)
        return words.double() + moves + self.head.start[paths[:, 0]] + self.head.end[paths[:, -1]]

    def loss(self, sentence: int) -> Tensor:
        """The textbook's loss of one sentence, from all paths' scores."""
        name = next(name for name, kind in HEADS.items() if type(self.head) is kind)
        length = int(self.lengths[sentence])
        true = self.tags[sentence, :length]
        if name == "softmax":
            logs = self.emissions[sentence, :length].double().log_softmax(1)
            return -logs.gather(1, true[:, None]).sum()
        paths = self.paths(sentence)
        scores, true_score = self.scores(sentence, paths), self.scores(sentence, true[None])[0]
        wrong = (paths != true).sum(1)
        return {
            "crf": scores.logsumexp(0) - true_score,
            "softmax_margin": (scores + wrong).logsumexp(0) - true_score,
            "perceptron": scores.max() - true_score,
            "max_margin": (scores + wrong).max() - true_score,
        }[name]


def random_case(name: str, generator: torch.Generator, scale: float = 2.0) -> Case:
    """Up to 5 words and 4 tags; some moves forbidden, some batches ragged, padding not a number."""

    def chance(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    while True:
        tags, time = int(1 + 4 * chance(1)), int(1 + 5 * chance(1))
        forbidden = 0.5 * float(chance(1)) * (chance(1) < 0.7).item()
        masks = [(chance(*shape) >= forbidden).numpy() for shape in ((tags,), (tags, tags), (tags,))]
        if not (masks[0].any() and masks[2].any()):
            continue
        head = make_head(name, tags, *masks)
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.normal_(0, scale, generator=generator)
        lengths = torch.randint(0, time + 1, (SENTENCES,), generator=generator)
        emissions = scale * torch.randn(SENTENCES, time, tags, generator=generator)
        emissions[torch.arange(time) >= lengths[:, None]] = torch.nan
        case = Case(head, emissions.requires_grad_(), torch.full((SENTENCES, time), -100), lengths)
        choices = [case.paths(sentence) for sentence in range(SENTENCES)]
        if all(len(paths) for paths in choices):
            for sentence, paths in enumerate(choices):
                case.tags[sentence, : lengths[sentence]] = paths[int(len(paths) * chance(1))]
            return case


def cases(name: str, seed: int, count: int = BATCHES) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    return [random_case(name, generator) for _ in range(count)]


def close(found: object, expected: object) -> None:
    torch.testing.assert_close(
        torch.as_tensor(found).double(), torch.as_tensor(expected).double(), atol=1e-5, rtol=1e-6
    )


@pytest.mark.parametrize("name", HEADS)
def test_losses_and_their_gradients_are_those_of_enumeration(name: str, way: str) -> None:
    for case in cases(name, 1):
        losses = case.head.loss(case.emissions, case.tags, case.lengths)
        expected = torch.stack([case.loss(sentence) for sentence in range(SENTENCES)])
        close(losses, expected)
        wanted = [case.emissions, *case.head.parameters()]
        weights = torch.linspace(-1, 2, SENTENCES)
        gradients = torch.autograd.grad(losses, wanted, weights)
        expected_gradients = torch.autograd.grad(expected, wanted, weights.double(), materialize_grads=True)
        assert gradients[0].dtype == torch.float32
        for gradient, other in zip(gradients, expected_gradients, strict=True):
            close(gradient, other)


@pytest.mark.parametrize("name", ["softmax", "crf"])
def test_distributions_are_those_of_enumeration(name: str, way: str) -> None:
    for case in cases(name, 2):
        tags = case.head.tags
        found = posterior.posterior_of(case.chain())
        marginals, partition, entropy = found.marginals, found.log_partition, found.entropy
        for sentence, length in enumerate(case.lengths.tolist()):
            paths = case.paths(sentence)
            scores = case.scores(sentence, paths).detach()
            shares = scores.softmax(0)
            close(partition[sentence], scores.logsumexp(0))
            close(entropy[sentence], torch.special.entr(shares).sum())
            ones = torch.nn.functional.one_hot(paths, tags)
            close(marginals[sentence, :length], (shares[:, None, None] * ones).sum(0))
        padding = torch.arange(marginals.shape[1]) >= case.lengths[:, None]
        assert (marginals[padding.numpy()] == 0).all()


@pytest.mark.parametrize("name", ["softmax", "crf"])
def test_best_paths_are_those_of_enumeration(name: str, way: str) -> None:
    for case in cases(name, 3):
        decoded, scores = viterbi.best_paths(case.chain())
        several = viterbi.k_best_paths(case.chain(), 7)
        for sentence in range(SENTENCES):
            paths = case.paths(sentence)
            values, order = case.scores(sentence, paths).detach().sort(descending=True)
            ordered = paths[order].numpy()
            close(scores[sentence], values[0])
            np.testing.assert_array_equal(decoded[sentence], ordered[0])
            assert len(several[sentence]) == min(7, len(paths))
            for (score, path), value, expected in zip(several[sentence], values, ordered, strict=False):
                close(score, value)
                np.testing.assert_array_equal(path, expected)


def test_span_probabilities_are_those_of_enumeration(way: str) -> None:
    generator = np.random.default_rng(0)
    for case in cases("crf", 4):
        spans: list[list[TaggedSpan]] = []
        for length in case.lengths.tolist():
            start, stop = sorted(generator.integers(0, length + 1, 2).tolist())
            tags = generator.integers(0, case.head.tags, stop - start).tolist()
            not_next = generator.permutation(case.head.tags)[: generator.integers(0, case.head.tags + 1)]
            spans.append([TaggedSpan(start, tags, not_next.tolist())] if tags else [])
        found = posterior.posterior_of(case.chain()).span_probabilities(spans)
        for sentence, each in enumerate(spans):
            paths = case.paths(sentence)
            shares = case.scores(sentence, paths).detach().softmax(0)
            assert len(found[sentence]) == len(each)
            for span, probability in zip(each, found[sentence], strict=True):
                stop = span.start + len(span.tags)
                is_it = (paths[:, span.start : stop] == torch.tensor(span.tags)).all(1)
                if stop < paths.shape[1]:
                    is_it &= ~torch.isin(paths[:, stop], torch.tensor(list(span.not_next), dtype=torch.int64))
                close(probability, shares[is_it].sum())


@pytest.mark.parametrize("name", HEADS)
def test_equal_paths_come_out_once_each(name: str, way: str) -> None:
    head = make_head(name, 3, np.ones(3), np.ones((3, 3)), np.ones(3))
    [found] = viterbi.k_best_paths(head.chain(torch.full((1, 4, 3), 0.1), torch.tensor([4])), 81)
    assert len({tuple(path) for _, path in found}) == 81


@pytest.mark.parametrize("name", HEADS)
def test_a_forbidden_true_path_costs_infinitely_but_spoils_no_gradient(name: str, way: str) -> None:
    allowed = np.array([[1, 1], [0, 1]])
    head = make_head(name, 2, np.ones(2), allowed, np.ones(2))
    emissions = torch.randn(1, 3, 2, requires_grad=True)
    loss = head.loss(emissions, torch.tensor([[1, 0, 0]]), torch.tensor([3]))
    assert loss.isinf().item() == (name != "softmax")
    loss.sum().backward()
    assert emissions.grad is not None and emissions.grad.isfinite().all()


@pytest.mark.parametrize("name", HEADS)
def test_a_sentence_without_any_path_has_no_probability(name: str, way: str) -> None:
    allowed = np.array([[0, 0], [1, 0]])  # no path has three words
    head = make_head(name, 2, np.ones(2), allowed, np.ones(2))
    chain = head.chain(torch.randn(2, 3, 2), torch.tensor([3, 2]))
    found = posterior.posterior_of(chain)
    assert found.log_partition[0] == -torch.inf
    assert (found.marginals[0] == 0).all()
    assert found.entropy.tolist() == [0, 0]
    assert [len(each) for each in viterbi.k_best_paths(chain, 3)] == [0, 1]
    paths, scores = viterbi.best_paths(chain)
    assert scores[0] == -torch.inf
    assert paths[1].tolist() == [1, 0]


def test_mistakes_in_calls_are_named() -> None:
    with pytest.raises(ValueError, match="there is no head 'crfs'; there are softmax, crf"):
        make_head("crfs", 2, np.ones(2), np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match=r"allowed has the shape \(2,\); it must be \(2, 2\)"):
        make_head("crf", 2, np.ones(2), np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="no tag may come first"):
        make_head("crf", 2, np.zeros(2), np.ones((2, 2)), np.ones(2))
    head = make_head("crf", 2, np.ones(2), np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match=r"emissions must be \[batch, time, 2\]"):
        head.chain(torch.zeros(1, 3, 4), torch.tensor([3]))
    with pytest.raises(ValueError, match="between 0 and the 3 steps"):
        head.chain(torch.zeros(1, 3, 2), torch.tensor([4]))
    with pytest.raises(ValueError, match=r"tags must be \[1, 3\]"):
        head.loss(torch.zeros(1, 3, 2), torch.zeros(1, 2, dtype=torch.int64), torch.tensor([2]))
    with pytest.raises(ValueError, match="sentence 0 has 2 words; there is no span from 1 to 3"):
        chain = head.chain(torch.zeros(1, 3, 2), torch.tensor([2]))
        posterior.posterior_of(chain).span_probabilities([[TaggedSpan(1, (0, 1))]])
