"""The cells' equations once more, unit by unit in numpy, for the tests to compare the cells with."""

import math
from collections.abc import Callable, Mapping

import numpy as np

Vector = np.ndarray
Weights = Mapping[str, np.ndarray]


def sigmoid(vector: Vector) -> Vector:
    return np.array([1 / (1 + math.exp(-value)) for value in vector])


def tanh(vector: Vector) -> Vector:
    return np.array([math.tanh(value) for value in vector])


def times(matrix: np.ndarray, vector: Vector) -> Vector:
    """The product of a matrix and a vector, written out."""
    return np.array(
        [
            sum(matrix[row, column] * vector[column] for column in range(len(vector)))
            for row in range(len(matrix))
        ]
    )


def normalized(vector: Vector) -> Vector:
    mean = sum(vector) / len(vector)
    variance = sum((value - mean) ** 2 for value in vector) / len(vector)
    return np.array([(value - mean) / math.sqrt(variance + 1e-5) for value in vector])


def gate(w: Weights, number: int, size: int, x: Vector, h: Vector) -> Vector:
    """W x + R h + b for one gate of several."""
    rows = slice(number * size, (number + 1) * size)
    return times(w["input_weight"][rows], x) + times(w["recurrent_weight"][rows], h) + w["bias"][rows]


def elman(w: Weights, x: Vector, h: Vector) -> tuple[Vector, ...]:
    h = tanh(times(w["input_weight"], x) + times(w["recurrent_weight"], h) + w["bias"])
    return h, h


def jordan(w: Weights, x: Vector, h: Vector, softmax: bool = False) -> tuple[Vector, ...]:
    def said(h: Vector) -> Vector:
        y = times(w["output_weight"], h) + w["output_bias"]
        exponentials = np.array([math.exp(value) for value in y])
        return exponentials / sum(exponentials) if softmax else y

    h = tanh(times(w["input_weight"], x) + times(w["feedback_weight"], said(h)) + w["bias"])
    return said(h), h


def lstm(w: Weights, x: Vector, h: Vector, c: Vector) -> tuple[Vector, ...]:
    i, f, g, o = (gate(w, number, len(c), x, h) for number in range(4))
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return h, h, c


def peephole_lstm(w: Weights, x: Vector, h: Vector, c: Vector) -> tuple[Vector, ...]:
    i, f, g, o = (gate(w, number, len(c), x, h) for number in range(4))
    new = sigmoid(f + w["forget_peephole"] * c) * c + sigmoid(i + w["input_peephole"] * c) * tanh(g)
    h = sigmoid(o + w["output_peephole"] * new) * tanh(new)
    return h, h, new


def layer_norm_lstm(w: Weights, x: Vector, h: Vector, c: Vector) -> tuple[Vector, ...]:
    from_input = w["input_scale"] * normalized(times(w["input_weight"], x))
    from_state = w["recurrent_scale"] * normalized(times(w["recurrent_weight"], h))
    i, f, g, o = np.split(from_input + from_state + w["bias"], 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(w["memory_scale"] * normalized(c) + w["memory_bias"])
    return h, h, c


def projected_lstm(w: Weights, x: Vector, r: Vector, c: Vector) -> tuple[Vector, ...]:
    h, _, c = lstm(w, x, r, c)
    r = times(w["projection_weight"], h)
    return r, r, c


def gru(w: Weights, x: Vector, h: Vector) -> tuple[Vector, ...]:
    size = len(h)
    r, z = (sigmoid(gate(w, number, size, x, h)) for number in (0, 1))
    new = slice(2 * size, 3 * size)
    heard = times(w["recurrent_weight"][new], h) + w["recurrent_bias"]
    n = tanh(times(w["input_weight"][new], x) + w["bias"][new] + r * heard)
    h = (1 - z) * n + z * h
    return h, h


def gru_reset_before(w: Weights, x: Vector, h: Vector) -> tuple[Vector, ...]:
    size = len(h)
    r, z = (sigmoid(gate(w, number, size, x, h)) for number in (0, 1))
    new = slice(2 * size, 3 * size)
    n = tanh(times(w["input_weight"][new], x) + times(w["recurrent_candidate"], r * h) + w["bias"][new])
    h = (1 - z) * n + z * h
    return h, h


def clockwork(w: Weights, x: Vector, h: Vector, clock: Vector, *, periods: list[int]) -> tuple[Vector, ...]:
    """`periods` are those of the units, one by one."""
    new = h.copy()
    for unit, period in enumerate(periods):
        if int(clock[0]) % period == 0:
            heard = sum(
                w["recurrent_weight"][unit, other] * h[other]
                for other in range(len(h))
                if periods[other] >= period
            )
            new[unit] = math.tanh(float(w["input_weight"][unit] @ x) + heard + w["bias"][unit])
    return new, new, clock + 1


def scrn(w: Weights, x: Vector, h: Vector, s: Vector, *, decay: float) -> tuple[Vector, ...]:
    s = (1 - decay) * times(w["context_input_weight"], x) + decay * s
    from_state = times(w["context_weight"], s) + times(w["recurrent_weight"], h)
    h = sigmoid(from_state + times(w["input_weight"], x) + w["bias"])
    return np.concatenate([h, s]), h, s


def scrn_learned(w: Weights, x: Vector, h: Vector, s: Vector) -> tuple[Vector, ...]:
    decay = sigmoid(w["decay_logit"])
    s = (1 - decay) * times(w["context_input_weight"], x) + decay * s
    from_state = times(w["context_weight"], s) + times(w["recurrent_weight"], h)
    h = sigmoid(from_state + times(w["input_weight"], x) + w["bias"])
    return np.concatenate([h, s]), h, s


Formula = Callable[..., tuple[Vector, ...]]
"""`formula(weights, input, *state) -> (output, *next state)`, all vectors."""
