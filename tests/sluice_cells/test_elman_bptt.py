"""Back-propagation through time written out for the Elman cell, against autograd.

With h_t = tanh(W x_t + R h_{t-1} + b) and L = sum over t of v_t . h_t, the state's Jacobian of one step is
J_t = dh_t / dh_{t-1} = diag(1 - h_t^2) R, and what step k contributes to the loss of step t (Werbos 1990) is

    e(t, k) = diag(1 - h_k^2) (J_t J_{t-1} ... J_{k+1})^T v_t

    dL/dR = sum over t, sum over k <= t of e(t, k) h_{k-1}^T        dL/dW: x_k instead of h_{k-1}
    dL/db = sum over t, sum over k <= t of e(t, k)                  dL/dx_k = W^T sum over t >= k of e(t, k)
    dL/dh_0 = sum over t of (J_t ... J_1)^T v_t
"""

import numpy as np
import pytest
import torch

from sluice_cells import Stack
from tests.sluice_cells.variants import needs_compiler

STEPS, INPUT, HIDDEN = 7, 3, 4


def gradients_by_hand(
    input_weight: np.ndarray,
    recurrent_weight: np.ndarray,
    hidden: np.ndarray,
    inputs: np.ndarray,
    loss_weights: np.ndarray,
) -> dict[str, np.ndarray]:
    """The sums of the module's docstring; `hidden` is `[STEPS + 1, HIDDEN]`, h_0 first."""
    slopes = [np.diag(1 - hidden[step] ** 2) for step in range(STEPS + 1)]
    jacobians = [slope @ recurrent_weight for slope in slopes]
    sums = {
        "recurrent_weight": np.zeros((HIDDEN, HIDDEN)),
        "input_weight": np.zeros((HIDDEN, INPUT)),
        "bias": np.zeros(HIDDEN),
        "inputs": np.zeros((STEPS, INPUT)),
        "start": np.zeros(HIDDEN),
    }
    for t in range(1, STEPS + 1):
        product = np.eye(HIDDEN)  # of the Jacobians of steps t down to k + 1
        for k in range(t, 0, -1):
            contribution = slopes[k] @ product.T @ loss_weights[t - 1]
            sums["recurrent_weight"] += np.outer(contribution, hidden[k - 1])
            sums["input_weight"] += np.outer(contribution, inputs[k - 1])
            sums["bias"] += contribution
            sums["inputs"][k - 1] += input_weight.T @ contribution
            product = product @ jacobians[k]
        sums["start"] += product.T @ loss_weights[t - 1]
    return sums


@pytest.mark.parametrize("engine", ["reference", "native", pytest.param("fast", marks=needs_compiler)])
def test_gradients_are_the_sums_over_steps_of_products_of_jacobians(engine: str) -> None:
    torch.manual_seed(0)
    dtype, allowed = (torch.float32, 1e-5) if engine == "fast" else (torch.float64, 1e-12)
    stack = Stack("elman", INPUT, HIDDEN, engine=engine).to(dtype)
    cell = stack.layers[0][0]
    inputs = torch.randn(1, STEPS, INPUT, dtype=dtype, requires_grad=True)
    start = torch.rand(1, HIDDEN, dtype=dtype, requires_grad=True)
    loss_weights = torch.randn(1, STEPS, HIDDEN, dtype=dtype)
    outputs, _ = stack(inputs, state=[(start,)])
    (outputs * loss_weights).sum().backward()

    def numbers(tensor: torch.Tensor) -> np.ndarray:
        return tensor.detach().double().numpy()

    expected = gradients_by_hand(
        numbers(cell.input_weight),
        numbers(cell.recurrent_weight),
        np.concatenate([numbers(start), numbers(outputs[0])]),
        numbers(inputs[0]),
        numbers(loss_weights[0]),
    )
    found = {name: parameter.grad for name, parameter in cell.named_parameters()}
    found |= {"inputs": inputs.grad[0], "start": start.grad[0]}
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(numbers(found[name]), gradient, atol=allowed, err_msg=name)
