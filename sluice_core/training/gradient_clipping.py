"""Clip gradients by value and by norm, and record how often that was needed."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn.utils import clip_grad_value_, clip_grads_with_norm_, get_total_norm


@dataclass(frozen=True)
class Clipped:
    """The gradient of one step, and what was clipped of it."""

    norm: float
    """The norm of all values together, before any clipping; not finite if one of them is not."""
    by_norm: bool = False
    values: int = 0
    """How many values were clipped by value."""
    of_values: int = 0

    @property
    def finite(self) -> bool:
        """Whether the gradient can be used."""
        return math.isfinite(self.norm)


def clip_gradients(
    parameters: Iterable[nn.Parameter], *, norm: float | None = None, value: float | None = None
) -> Clipped:
    """Clip gradients in place: first each value to `[-value, value]`, then all together to `norm`.

    Clipping by norm keeps the direction (Pascanu et al. 2013), clipping by value does not (Graves 2013).
    Gradients whose norm is not finite are left as they are, for the caller to skip the step: scaled by it, they
    would be zeros or NaN. Under mixed precision the gradients must have been unscaled.

    Args:
        parameters: the parameters; those without a gradient are passed over.
        norm: the largest Euclidean norm of all gradients together; None for no such limit.
        value: the largest absolute value; None for no such limit.
    """
    parameters = [parameter for parameter in parameters if parameter.grad is not None]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    total = get_total_norm(gradients)
    before = float(total)
    if not math.isfinite(before):
        return Clipped(before)
    clipped = 0
    if value is not None:
        clipped = int(sum((gradient.abs() > value).sum().to(total.device) for gradient in gradients))
        if clipped:
            clip_grad_value_(parameters, value)
            total = get_total_norm(gradients)
    by_norm = norm is not None and float(total) > norm
    if norm is not None and by_norm:
        clip_grads_with_norm_(parameters, norm, total)
    return Clipped(before, by_norm, clipped, sum(map(Tensor.numel, gradients)))


@dataclass
class ClippingRecord:
    """What was clipped in the steps of an epoch."""

    by_norm: bool
    """Whether the norm is limited."""
    by_value: bool
    """Whether each value is limited."""
    steps: list[Clipped] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return the figures of the steps so far, by name.

        `gradient_norm` and `gradient_norm_max` are the median and the largest of the norms before clipping;
        `clipped_by_norm` is the share of steps, `clipped_by_value` the share of values of all steps, that were
        over their limit (only where there is one); these are of steps whose gradient was finite. `skipped_steps`
        counts the others.
        """
        finite = [step for step in self.steps if step.finite]
        figures = {"skipped_steps": float(len(self.steps) - len(finite))}
        if finite:
            norms = [step.norm for step in finite]
            figures |= {"gradient_norm": statistics.median(norms), "gradient_norm_max": max(norms)}
            if self.by_norm:
                figures["clipped_by_norm"] = statistics.fmean(step.by_norm for step in finite)
            if self.by_value:
                values = sum(step.of_values for step in finite)
                figures["clipped_by_value"] = sum(step.values for step in finite) / max(1, values)
        return figures
