"""Two problems that need a memory of a chosen length (Hochreiter and Schmidhuber 1997)."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional


@dataclass(frozen=True)
class SequenceBatch:
    """Sequences of a problem, padded to one length."""

    inputs: Tensor
    """The inputs `[batch, time, features]`."""
    lengths: Tensor
    """The lengths `[batch]` int64."""
    places: Tensor
    """The steps at which an answer is due, `[batch, answers]` int64."""
    targets: Tensor
    """The right answers `[batch, answers]`."""

    def answers(self, outputs: Tensor) -> Tensor:
        """Select from outputs `[batch, time, size]` those where an answer is due, `[batch, answers, size]`."""
        return outputs.gather(1, self.places[:, :, None].expand(-1, -1, outputs.shape[2]))


class Problem(Protocol):
    """A source of sequences with a lag, and the measure of errors."""

    input_size: int
    output_size: int

    def batch(self, count: int, lag: int, generator: Generator) -> SequenceBatch:
        """Draw `count` sequences in which an answer is due at least `lag` steps after what it asks for."""
        ...

    def loss(self, answers: Tensor, batch: SequenceBatch) -> Tensor:
        """Return the loss of the network's answers `[batch, answers, output_size]`."""
        ...

    def error(self, answers: Tensor, batch: SequenceBatch) -> float:
        """Return the error of the answers, by which dev is judged; 0 is perfect."""
        ...


class Adding:
    """Add the two marked numbers of a long sequence (Hochreiter and Schmidhuber 1997, experiment 4).

    Every step brings a number from [-1, 1] and a mark: 1 at two steps, -1 at the first and the last, else 0. The
    first marked step is one of the ten after the first, the other any of the sequence's first half; a sequence
    has 2 lag to 2.2 lag steps, and after its last the answer is 0.5 + (a + b) / 4. So at least `lag` steps pass
    between a number and its use. A dev error of 1 (the mean squared error as a share of the targets' variance)
    is that of always answering the mean.
    """

    input_size = 2
    output_size = 1

    def batch(self, count: int, lag: int, generator: Generator) -> SequenceBatch:
        """Draw sequences; `lag` is at least 3."""
        shortest, longest = 2 * lag, 2 * lag + lag // 5
        lengths = torch.randint(shortest, longest + 1, (count,), generator=generator)
        numbers = 2 * torch.rand(count, longest, generator=generator) - 1
        first = torch.randint(1, min(11, lag), (count,), generator=generator)
        second = torch.randint(1, lag - 1, (count,), generator=generator)
        second = second + (second >= first)  # any of 1 ... lag - 1 but the first
        every = torch.arange(count)
        marks = torch.zeros(count, longest)
        marks[:, 0] = marks[every, lengths - 1] = -1
        marks[every, first] = marks[every, second] = 1
        targets = 0.5 + (numbers[every, first] + numbers[every, second]) / 4
        return SequenceBatch(
            torch.stack([numbers, marks], 2), lengths, lengths[:, None] - 1, targets[:, None]
        )

    def loss(self, answers: Tensor, batch: SequenceBatch) -> Tensor:
        """Return the mean squared error."""
        return functional.mse_loss(answers[:, :, 0], batch.targets)

    def error(self, answers: Tensor, batch: SequenceBatch) -> float:
        """Return the mean squared error as a share of the targets' variance."""
        return float(self.loss(answers, batch) / batch.targets.var(correction=0))


class Copying:
    """Repeat, after a silence, the symbols of the beginning in their order.

    `symbols` steps bring a letter each, then nothing comes until a mark says go; at that step the first letter is
    to be said, at the next the second. Each letter is said exactly `lag` steps after it was heard. A dev error is
    the share of letters that are wrong; guessing gives 1 - 1 / letters.
    """

    def __init__(self, symbols: int, letters: int) -> None:
        self.symbols, self.letters = symbols, letters
        self.input_size = letters + 1
        self.output_size = letters

    def batch(self, count: int, lag: int, generator: Generator) -> SequenceBatch:
        """Draw sequences of `lag + symbols` steps; `lag` is at least `symbols`."""
        steps = lag + self.symbols
        letters = torch.randint(self.letters, (count, self.symbols), generator=generator)
        inputs = torch.zeros(count, steps, self.input_size)
        inputs[:, : self.symbols, : self.letters] = functional.one_hot(letters, self.letters).float()
        inputs[:, lag, self.letters] = 1
        places = torch.arange(lag, steps).expand(count, -1)
        return SequenceBatch(inputs, torch.full((count,), steps), places, letters)

    def loss(self, answers: Tensor, batch: SequenceBatch) -> Tensor:
        """Return the cross entropy of each letter, in nats."""
        return functional.cross_entropy(answers.flatten(0, 1), batch.targets.flatten())

    def error(self, answers: Tensor, batch: SequenceBatch) -> float:
        """Return the share of letters that are wrong."""
        return float((answers.argmax(2) != batch.targets).float().mean())
