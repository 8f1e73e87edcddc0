"""Measure how much of a gradient reaches back through time: vanishing, exploding, and the effect of clipping."""

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from recipes.memory.networks import Network, widest
from recipes.memory.problems import Adding
from recipes.memory.settings import GradientSettings


def backward_norms(network: Network, inputs: Tensor, targets: Tensor) -> list[float]:
    """Return the norm of the gradient of the last step's loss at the last output and at every earlier state.

    Runs the cell's own step in a plain loop, keeping each state. The loss of a sequence is the squared error of
    the readout's first figure after the last step T against its target.

    Args:
        network: a network with any cell.
        inputs: `[batch, T, features]`.
        targets: `[batch]`.

    Returns:
        The norm of d loss / d output(T), then for k = 1 ... T-1 that of d loss / d state(T - k), the state being
        all its tensors side by side; each is the root of the mean over sequences of the squared norm.
    """
    cell = network.cell
    batch, steps, _ = inputs.shape
    projected = cell.project(inputs.flatten(0, 1)).unflatten(0, (batch, steps))
    weights = cell.weights()
    state = cell.initial_state(batch, inputs)
    kept: list[Tensor] = []
    output = inputs.new_zeros(batch, cell.output_size)
    for step in range(steps):
        # One tensor holds output and state, so that one gradient is that of all parts.
        output, state = cell.step(projected[:, step], state, weights)
        joined = torch.cat([*state, cell.read_out(output)], 1)
        kept.append(joined)
        *parts, output = joined.split([*cell.state_sizes, cell.output_size], 1)
        state = tuple(parts)
    loss = (network.readout(output)[:, 0] - targets).square().sum()
    gradients = torch.autograd.grad(loss, kept)
    return [float(gradient.square().sum(1).mean().sqrt()) for gradient in reversed(gradients)]


def scaled_elman(scale: float, seed: int, settings: GradientSettings) -> Network:
    """Return an Elman network for the adding problem, its orthogonal recurrent weights multiplied by `scale`."""
    torch.manual_seed(seed)
    network = widest("elman", Adding.input_size, Adding.output_size, settings.parameters)
    network.cell.recurrent_weight.data.mul_(scale)
    return network


def explode(scale: float, clip: bool, seed: int, settings: GradientSettings) -> dict[str, Any]:
    """Train a scaled Elman network on the adding problem by plain gradient descent, clipping or not.

    Returns:
        `norms`, those of `backward_norms` before training; `gradient_norm`, that of all parameters before clipping,
        and `loss`, both at every step; and `clipped`, the share of steps whose gradient was clipped.
    """
    problem = Adding()
    network = scaled_elman(scale, seed, settings)
    generator = Generator().manual_seed(seed)
    start = problem.batch(settings.sequences, math.ceil(settings.steps_back / 2), generator)
    result: dict[str, Any] = {
        "norms": backward_norms(network, start.inputs[:, : settings.steps_back], start.targets[:, 0]),
        "gradient_norm": [],
        "loss": [],
    }
    optimizer = torch.optim.SGD(network.parameters(), settings.learning_rate)
    limit = settings.clip_norm if clip else math.inf
    for _ in range(settings.steps):
        batch = problem.batch(settings.sequences, settings.lag, generator)
        loss = functional.mse_loss(
            batch.answers(network(batch.inputs, batch.lengths))[:, :, 0], batch.targets
        )
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), limit)
        optimizer.step()
        result["gradient_norm"].append(norm.item())
        result["loss"].append(loss.item())
    result["clipped"] = sum(norm > limit for norm in result["gradient_norm"]) / settings.steps
    return result
