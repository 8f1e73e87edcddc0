"""Heads: precision, extreme scores, padding, half precision, threads, and the two ways against each other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from slot_filling.heads import tensor_recursions
from slot_filling.heads.chain import Chain
from slot_filling.heads.head import HEADS, Head, make_head
from slot_filling.heads.loss import CompiledRecursions
from slot_filling.heads.posterior import LogPosterior, Posterior, ScaledPosterior, posterior_of
from slot_filling.heads.tensor_chain import PathCounts, TensorChain
from slot_filling.heads.viterbi import best_paths, k_best_paths, padded_best_paths
from tests.slot_filling.semiring_paths import k_best_by_semiring

STRUCTURED = [name for name in HEADS if name != "softmax"]


def make_trained(name: str, tags: int, forbidden: float = 0.0, seed: int = 0) -> Head:
    """A head with random scores; a tag may always be followed by itself."""
    generator = torch.Generator().manual_seed(seed)
    allowed = (torch.rand(tags, tags, generator=generator) >= forbidden) | torch.eye(tags, dtype=torch.bool)
    head = make_head(name, tags, np.ones(tags), allowed.numpy(), np.ones(tags))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(generator=generator)
    return head


def random_chain(batch: int, time: int, tags: int, scale: float = 1.0, seed: int = 0) -> Chain:
    """Some moves are forbidden, and lengths differ."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)

    moves = normal(tags, tags)
    moves[torch.rand(tags, tags, generator=generator) < 0.3] = -torch.inf
    moves.fill_diagonal_(0.0)
    lengths = torch.randint(0, time + 1, (batch,), generator=generator)
    scores = (normal(batch, time, tags), moves, normal(tags), normal(tags), lengths)
    return Chain(*(each.numpy() for each in scores))


def tensors(chain: Chain) -> TensorChain:
    scores = (chain.emissions, chain.transitions, chain.start, chain.end, chain.lengths)
    return TensorChain(*map(torch.from_numpy, scores))


def close(found: object, expected: object, **tolerances: float) -> None:
    torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected), **tolerances)


def expected_counts(found: Posterior, weights: Tensor) -> PathCounts:
    recursions = CompiledRecursions(tensors(found.chain), torch.float64)
    recursions.posterior = found
    return recursions.expected_counts(weights)


def assert_alike(found: Posterior, expected: LogPosterior) -> None:
    """The three ways to compute what a loss needs, and the two to compute an entropy."""
    weights = torch.linspace(-1, 1, len(found.chain.lengths), dtype=torch.float64)
    on_device = tensor_recursions.LogRecursions(tensors(found.chain))
    close(found.log_partition, expected.log_partition)
    close(on_device.log_partition, expected.log_partition)
    close(found.entropy, expected.entropy, atol=1e-8, rtol=1e-8)
    counts = (expected_counts(found, weights), on_device.expected_counts(weights))
    for each in counts:
        for left, right in zip(each, expected_counts(expected, weights), strict=True):
            torch.testing.assert_close(left, right, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("tags", [1, 2, 7, 23, 64])
@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0])
def test_the_scaled_recursion_is_that_in_logs(tags: int, scale: float) -> None:
    chain = random_chain(6, 20, tags, scale, seed=tags)
    found = posterior_of(chain)
    assert isinstance(found, ScaledPosterior)
    assert_alike(found, LogPosterior(chain))
    paths, scores = padded_best_paths(chain)
    others, values = k_best_by_semiring(chain, 3)
    close(paths, others[:, 0])
    close(scores, values[:, 0])
    close(tensors(chain).score(torch.from_numpy(paths)), scores)
    on_device, their_scores = tensor_recursions.best_paths(tensors(chain))
    close(on_device, paths)
    close(their_scores, scores)
    for each, best in zip(k_best_paths(chain, 3), values, strict=True):
        wanted = best[best > -np.inf]
        close(np.array([score for score, _ in each]), wanted)


def test_float32_is_precise_where_it_is_used_and_left_where_it_is_not() -> None:
    weights = torch.ones(6)
    chain = random_chain(6, 40, 30, 3.0)
    found, exact = posterior_of(chain, np.float32), LogPosterior(chain)
    assert found.marginals.dtype == np.float32
    close(found.log_partition, exact.log_partition, atol=1e-5, rtol=1e-6)
    counts = expected_counts(found, weights), expected_counts(exact, weights)
    for left, right in zip(*counts, strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)
    wide = random_chain(6, 40, 30, 20.0)  # some tags are 100 nats worse than others
    assert not ScaledPosterior(wide, np.float32).exact
    assert posterior_of(wide, np.float32).marginals.dtype == np.float64


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("way", ["compiled", "tensors"])
def test_gradcheck(name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "tensors":
        monkeypatch.setattr(TensorChain, "on_cpu", False)
    head = make_trained(name, 4, forbidden=0.3).double()
    emissions = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([5, 0, 2])
    tags = torch.ones(3, 5, dtype=torch.int64)
    leaves = list(head.parameters())  # gradcheck moves their values in place

    def loss(emissions: Tensor, *_: Tensor) -> Tensor:
        return head.loss(emissions, tags, lengths)

    assert torch.autograd.gradcheck(loss, (emissions, *leaves))


@pytest.mark.parametrize("name", HEADS)
def test_what_stands_past_the_lengths_changes_nothing_and_gets_no_gradient(name: str) -> None:
    head, lengths = make_trained(name, 6, forbidden=0.2), torch.tensor([3, 5, 0, 1])
    tags = torch.zeros(4, 9, dtype=torch.int64)
    results = []
    for rubbish in (0.0, torch.nan, torch.inf, -1e30):
        emissions = torch.randn(4, 9, 6, generator=torch.Generator().manual_seed(1))
        padding = torch.arange(9) >= lengths[:, None]
        emissions[padding], tags[padding] = rubbish, -100
        emissions.requires_grad_()
        losses = head.loss(emissions, tags, lengths)
        [gradient] = torch.autograd.grad(losses.sum(), emissions)
        assert (gradient[padding] == 0).all()
        chain = head.chain(emissions, lengths)
        paths, scores = best_paths(chain)
        posterior = posterior_of(chain)
        others = (posterior.marginals, posterior.entropy, scores)
        results.append((losses, gradient, *map(torch.as_tensor, (*others, *paths))))
    short = head.loss(emissions[:, :5], tags[:, :5], lengths)
    assert torch.equal(short, losses)
    for each in results[1:]:
        assert all(torch.equal(left, right) for left, right in zip(each, results[0], strict=True))


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("kind", ["emissions", "transitions", "hidden"])
def test_extreme_scores_are_exact(name: str, kind: str) -> None:
    """Against the recursion in logs, and without anything that is not a number."""
    head = make_trained(name, 5, forbidden=0.3)
    emissions = torch.randn(4, 7, 5)
    if kind == "emissions":
        emissions = 1e4 * emissions.sign()
        emissions[0, 3, :4] = -torch.inf
    elif kind == "transitions":
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.copy_(1e4 * parameter.sign())
    else:  # the best word by word are those that cannot go on: what the scaled recursion loses is what counts
        emissions[:, 0, 0], emissions[:, 1, 0] = 1500.0, -3000.0
    lengths, tags = torch.tensor([7, 5, 7, 1]), torch.full((4, 7), 4)
    emissions.requires_grad_()
    losses = head.loss(emissions, tags, lengths)
    losses.sum().backward()
    assert losses.isfinite().all() and (losses >= 0).all()
    assert emissions.grad is not None and emissions.grad.isfinite().all()
    assert all(
        parameter.grad.isfinite().all() for parameter in head.parameters() if parameter.grad is not None
    )
    chain = head.chain(emissions, lengths)
    posterior = posterior_of(chain)
    assert_alike(posterior, LogPosterior(chain))
    close(posterior.marginals.sum(2), chain.mask.astype(np.float64))
    assert np.isfinite(posterior.entropy).all() and (posterior.entropy >= 0).all()


def test_a_path_that_underflows_is_noticed() -> None:
    """Tag 1 is 2,000 nats worse at first, and the only one that goes on; no scaled recursion can hold it."""
    moves = np.array([[0.0, -np.inf], [0.0, 0.0]])
    emissions = np.array([[[0.0, -2000.0], [-5000.0, 0.0]]])
    chain = Chain(emissions, moves, np.zeros(2), np.zeros(2), np.array([2]))
    assert not ScaledPosterior(chain).exact
    found = posterior_of(chain)
    close(found.log_partition, np.array([-2000.0]))
    close(found.marginals[0, :, 1], np.ones(2))
    assert ScaledPosterior(replace(chain, emissions=emissions / 10)).exact


def test_a_tag_that_no_path_reaches_spoils_nothing_however_good_it_would_be() -> None:
    """Tag 0 is 500 nats better at each of ten words, and nothing leads to it."""
    moves = np.array([[0.0, -np.inf], [-np.inf, 0.0]])
    start = np.array([-np.inf, 0.0])
    emissions = np.tile([500.0, 0.0], (1, 10, 1))
    found = posterior_of(Chain(emissions, moves, start, np.zeros(2), np.array([10])))
    assert isinstance(found, ScaledPosterior)
    assert_alike(found, LogPosterior(found.chain))
    close(found.marginals[0, :, 1], np.ones(10))


@pytest.mark.parametrize("name", HEADS)
def test_no_number_in_gives_no_number_out(name: str) -> None:
    head = make_trained(name, 3)
    emissions = torch.zeros(1, 4, 3)
    emissions[0, 1, 2] = torch.nan
    if name in ("softmax", "crf", "softmax_margin"):
        assert head.loss(emissions, torch.zeros(1, 4, dtype=torch.int64), torch.tensor([4])).isnan().all()
        assert np.isnan(posterior_of(head.chain(emissions, torch.tensor([4]))).log_partition).all()
    paths, _ = best_paths(head.chain(emissions, torch.tensor([4])))
    assert len(paths[0]) == 4


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_more(name: str, dtype: torch.dtype) -> None:
    head, lengths = make_trained(name, 8), torch.tensor([30, 12])
    emissions = torch.randn(2, 30, 8).to(dtype).requires_grad_()
    exact = emissions.detach().double().requires_grad_()
    tags = torch.randint(8, (2, 30))
    losses, expected = (head.loss(each, tags, lengths) for each in (emissions, exact))
    assert losses.dtype == torch.float32 and expected.dtype == torch.float64
    torch.testing.assert_close(losses.double(), expected, atol=1e-4, rtol=1e-5)
    [gradient], [other] = (
        torch.autograd.grad(each.sum(), source) for each, source in ((losses, emissions), (expected, exact))
    )
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient, other.to(dtype), atol=1e-6, rtol=0.02)
    best = [best_paths(head.chain(each, lengths))[0][0].tolist() for each in (emissions, exact)]
    assert best[0] == best[1]


@pytest.mark.parametrize("name", HEADS)
def test_autocast_changes_nothing(name: str) -> None:
    head, lengths, tags = make_trained(name, 8), torch.tensor([9, 4]), torch.randint(8, (2, 9))
    source = torch.randn(2, 9, 8, requires_grad=True)
    results = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses = head.loss(source, tags, lengths)
            posterior = posterior_of(head.chain(source, lengths))
            marginals, entropy = map(torch.from_numpy, (posterior.marginals, posterior.entropy))
        gradients = torch.autograd.grad(losses.sum(), [source, *head.parameters()])
        results.append((losses, marginals, entropy, *gradients))
    for left, right in zip(*results, strict=True):
        assert left.dtype == right.dtype
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize("name", HEADS)
def test_a_temperature_divides_all_scores_in_float64(name: str) -> None:
    head, lengths = make_trained(name, 8), torch.tensor([9, 4])
    exact, emissions = make_trained(name, 8).double(), torch.randn(2, 9, 8)
    found = posterior_of(head.chain(emissions, lengths, 1.7))
    expected = posterior_of(exact.chain(emissions.double(), lengths, 1.7))
    assert np.array_equal(found.marginals, expected.marginals)
    assert np.array_equal(found.log_partition, expected.log_partition)


@pytest.mark.parametrize("batch, time", [(0, 4), (3, 0), (2, 3)])
@pytest.mark.parametrize("name", HEADS)
def test_nothing_to_tag(name: str, batch: int, time: int) -> None:
    head, lengths = make_trained(name, 3), torch.zeros(batch, dtype=torch.int64)
    emissions = torch.randn(batch, time, 3, requires_grad=True)
    losses = head.loss(emissions, torch.zeros(batch, time, dtype=torch.int64), lengths)
    assert losses.tolist() == [0.0] * batch
    losses.sum().backward()
    assert emissions.grad is not None and (emissions.grad == 0).all()
    chain = head.chain(emissions, lengths)
    assert [path.tolist() for path in best_paths(chain)[0]] == [[]] * batch
    assert [[path.tolist() for _, path in each] for each in k_best_paths(chain, 2)] == [[[]]] * batch
    assert posterior_of(chain).entropy.tolist() == [0.0] * batch
    assert posterior_of(chain).marginals.sum() == 0


def test_the_heads_train() -> None:
    """A rule that only moves can tell: each tag follows another, and the words say nothing."""
    follow, lengths = np.eye(3)[[1, 2, 0]], torch.full((8,), 6)
    for name in STRUCTURED:
        head = make_head(name, 3, np.ones(3), np.ones((3, 3)), np.ones(3))
        tags = (torch.arange(8)[:, None] + torch.arange(6)) % 3
        emissions = torch.zeros(8, 6, 3)
        emissions[torch.arange(8), 0, tags[:, 0]] = 2.0
        optimizer = torch.optim.SGD(head.parameters(), 0.2)
        for _ in range(30):
            optimizer.zero_grad()
            head.loss(emissions, tags, lengths).mean().backward()
            optimizer.step()
        assert [path.tolist() for path in best_paths(head.chain(emissions, lengths))[0]] == tags.tolist(), (
            name
        )
        learned = dict(head.named_parameters())["transitions"].argmax(1)
        assert learned.tolist() == follow.argmax(1).tolist()


def test_saved_heads_hold_what_they_learned_and_no_more() -> None:
    assert set(make_trained("crf", 4).state_dict()) == {"transitions", "start", "end"}
    assert not make_trained("softmax", 4).state_dict()


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Set torch's number of threads, and have it back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def loss_and_all(head: Head, emissions: Tensor, tags: Tensor, lengths: Tensor) -> list[Tensor]:
    """The losses, the gradients, the best paths with their scores, and the marginals."""
    emissions = emissions.clone().requires_grad_()
    losses = head.loss(emissions, tags, lengths)
    gradients = torch.autograd.grad(losses.sum(), [emissions, *head.parameters()])
    chain = head.chain(emissions, lengths)
    arrays = (*padded_best_paths(chain), posterior_of(chain).marginals)
    return [losses, *gradients, *map(torch.from_numpy, arrays)]


@pytest.mark.parametrize("name", ["crf", "max_margin"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_number_of_threads_changes_no_bit(
    name: str, dtype: torch.dtype, threads: Callable[[int], None]
) -> None:
    head, generator = make_trained(name, 127, forbidden=0.2), torch.Generator().manual_seed(1)
    emissions = torch.randn(19, 40, 127, generator=generator, dtype=dtype)
    tags, lengths = torch.full((19, 40), 3), torch.randint(0, 41, (19,), generator=generator)
    found = []
    for count in (1, 2, 3):
        threads(count)
        found.append(loss_and_all(head, emissions, tags, lengths))
    for other in found[1:]:
        for left, right in zip(found[0], other, strict=True):
            assert torch.equal(left, right)


@pytest.mark.parametrize("tags", [1, 5, 33, 127])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sentence_has_to_the_last_bit_what_it_has_alone(tags: int, dtype: torch.dtype) -> None:
    head, generator = make_trained("crf", tags), torch.Generator().manual_seed(2)
    emissions = torch.randn(11, 12, tags, generator=generator, dtype=dtype)
    lengths = torch.tensor([12, 1, 7, 7, 0, 3, 12, 5, 11, 2, 9])
    for step, length in enumerate(lengths.tolist()):
        emissions[step, length:] = torch.nan
    true = torch.zeros(11, 12, dtype=torch.int64)

    def losses_and_gradients(some: slice, length: int) -> tuple[Tensor, Tensor]:
        given = emissions[some, :length].clone().requires_grad_()
        losses = head.loss(given, true[some, :length], lengths[some])
        return losses.detach(), torch.autograd.grad(losses.sum(), given)[0]

    losses, gradients = losses_and_gradients(slice(None), 12)
    paths, scores = best_paths(head.chain(emissions, lengths))
    for item, length in enumerate(lengths.tolist()):
        alone = slice(item, item + 1)
        loss, gradient = losses_and_gradients(alone, length)
        assert torch.equal(loss[0], losses[item]) and torch.equal(gradient[0], gradients[item, :length])
        [path], score = best_paths(head.chain(emissions[alone, :length], lengths[alone]))
        assert path.tolist() == paths[item].tolist() and score[0] == scores[item]


def test_several_threads_may_decode_at_once(threads: Callable[[int], None]) -> None:
    threads(2)
    chains = [random_chain(16, 30, 80, seed=seed) for seed in range(8)]
    alone = [padded_best_paths(chain) for chain in chains]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(padded_best_paths, chains * 5), alone * 5, strict=True):
            assert np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])
