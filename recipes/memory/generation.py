"""Learning one sequence by heart without an input to follow (the first task of Koutnik et al. 2014)."""

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from recipes.memory.climbing import falling
from recipes.memory.networks import widest
from recipes.memory.settings import GenerationSettings


def sum_of_sines(seed: int, settings: GenerationSettings) -> Tensor:
    """Return a sequence `[length]` of mean 0 and mean square 1: a sum of sines of random periods and phases.

    The logarithms of the periods are drawn uniformly, so that slow and fast movements stand side by side and a
    period equals a clock period of the network only by chance.
    """
    generator = Generator().manual_seed(seed)
    low, high = math.log(settings.shortest_period), math.log(settings.longest_period)
    periods = torch.exp(low + (high - low) * torch.rand(settings.sines, generator=generator))
    phases = 2 * math.pi * torch.rand(settings.sines, generator=generator)
    points = torch.arange(settings.length)[:, None]
    wave = torch.sin(2 * math.pi * points / periods + phases).sum(1)
    wave = wave - wave.mean()
    return wave / wave.square().mean().sqrt()


def generate(
    cell: str, options: dict[str, Any], rate: float, seed: int, settings: GenerationSettings
) -> dict[str, Any]:
    """Train one network to generate the sequence of `seed`; its only input is a 1 at every step.

    The optimizer is Adam, whose rate falls by a half cosine from `rate` to 0.

    Returns:
        `parameters`, `hidden_size`; `curve`, the mean squared error before each step; `error`, that of the last
        weights; and `output`, what they generate, beside the `target`.
    """
    torch.manual_seed(seed)
    network = widest(cell, 1, 1, settings.parameters, **options)
    target = sum_of_sines(seed, settings)
    inputs = torch.ones(1, settings.length, 1)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    curve = []
    for step in range(1, settings.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = falling(rate, step, settings.steps)
        loss = functional.mse_loss(network(inputs)[0, :, 0], target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
        optimizer.step()
        curve.append(loss.item())
    with torch.no_grad():
        output = network(inputs)[0, :, 0]
    return {
        "parameters": network.parameter_count,
        "hidden_size": network.cell.hidden_size,
        "curve": curve,
        "error": float(functional.mse_loss(output, target)),
        "output": output.tolist(),
        "target": target.tolist(),
    }
