"""Training over growing lags: a network goes on to the next lag as soon as it solves the one it is at."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, nn

from recipes.memory.gradients import backward_norms
from recipes.memory.networks import Network, widest
from recipes.memory.problems import Adding, Copying, Problem, SequenceBatch
from recipes.memory.settings import ClimbSettings, CopySettings, ReachSettings

DEV_SEED = 1_000_003
"""Dev sequences are the same for every cell and every rate."""


def problem_of(settings: ClimbSettings) -> Problem:
    """Return the problem that the settings are meant for."""
    if isinstance(settings, CopySettings):
        return Copying(settings.symbols, settings.letters)
    return Adding()


def climb(
    cell: str,
    options: dict[str, Any],
    rate: float,
    seed: int,
    settings: ClimbSettings,
    gradients: ReachSettings | None = None,
) -> dict[str, Any]:
    """Train one network of a cell until it fails a lag, or has solved all.

    On each lag there are at most `settings.steps` steps of Adam, whose rate falls from `rate` to 0 by a half
    cosine; then, or as soon as dev is solved, the rate is `rate` again and the lag the next.

    Returns:
        `parameters`, `hidden_size`; `solved`, the longest lag solved, 0 if none; `steps`, those of each lag tried;
        `curve`, `[step, lag, dev error]` of every evaluation on dev, steps counted over all lags; and, with
        `gradients`, the norms of `backward_norms` before and after training, as `initial` and `trained`.
    """
    torch.manual_seed(seed)
    problem = problem_of(settings)
    network = widest(cell, problem.input_size, problem.output_size, settings.parameters, **options)
    generator = Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    result: dict[str, Any] = {
        "parameters": network.parameter_count,
        "hidden_size": network.cell.hidden_size,
        "solved": 0,
        "steps": [],
        "curve": [],
    }
    if gradients:
        result["initial"] = _adding_norms(network, gradients)
    before = 0
    for lag in settings.lags:
        dev = problem.batch(settings.dev_size, lag, Generator().manual_seed(DEV_SEED))
        for step in _train(network, optimizer, problem, lag, rate, generator, settings):
            if step % settings.check_every == 0 or step == settings.steps:
                error = dev_error(network, problem, dev)
                result["curve"].append([before + step, lag, error])
                if error <= settings.solved or not math.isfinite(error):
                    break
        before += step
        result["steps"].append(step)
        if not error <= settings.solved:
            break
        result["solved"] = lag
    if gradients:
        result["trained"] = _adding_norms(network, gradients)
    return result


def _train(
    network: Network,
    optimizer: torch.optim.Optimizer,
    problem: Problem,
    lag: int,
    rate: float,
    generator: Generator,
    settings: ClimbSettings,
) -> Iterator[int]:
    """Take training steps on one lag; yield the number of each, from 1, when it is done."""
    for step in range(1, settings.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = falling(rate, step, settings.steps)
        batch = problem.batch(settings.batch_size, lag, generator)
        loss = problem.loss(batch.answers(network(batch.inputs, batch.lengths)), batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
        optimizer.step()
        yield step


def falling(rate: float, step: int, steps: int) -> float:
    """Return the learning rate of a step, 1 to `steps`: a half cosine from `rate` down to 0.

    >>> [round(falling(0.1, step, 4), 3) for step in (1, 2, 3, 4)]
    [0.1, 0.085, 0.05, 0.015]
    """
    return rate * (1 + math.cos(math.pi * (step - 1) / steps)) / 2


def dev_error(network: Network, problem: Problem, dev: SequenceBatch) -> float:
    """Return the problem's error on a batch, without gradients."""
    with torch.no_grad():
        return problem.error(dev.answers(network(dev.inputs, dev.lengths)), dev)


def _adding_norms(network: Network, settings: ReachSettings) -> list[float]:
    """Return the backward norms on sequences of the adding problem that are `steps_back` long."""
    generator = Generator().manual_seed(DEV_SEED)
    batch = Adding().batch(settings.sequences, math.ceil(settings.steps_back / 2), generator)
    return backward_norms(network, batch.inputs[:, : settings.steps_back], batch.targets[:, 0])
