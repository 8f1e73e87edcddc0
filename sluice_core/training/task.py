"""The base of every training task: an optimizer, a learning rate over time, averaged weights."""

import math
from typing import Any, Generic, TypeVar

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sluice_core.training.config import TrainingConfig

Model = TypeVar("Model", bound=nn.Module)


class Task(pl.LightningModule, Generic[Model]):
    """Fit a model by AdamW, with a moving average of its weights (Polyak and Juditsky 1992) that dev is evaluated with.

    A subclass has a `training_step` that logs `train_loss`, and logs `dev_error` and `dev_loss` in each validation.
    """

    def __init__(self, model: Model, training: TrainingConfig, steps: int) -> None:
        """Set up.

        Args:
            model: what is trained.
            training: the settings of training.
            steps: the optimizer steps of the whole training, for the learning rate's decay.
        """
        super().__init__()
        self.model, self.training_config, self.total_steps = model, training, steps
        decay = training.average_decay
        self.averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None
        self._averages: tuple[list[Tensor], ...] | None = None
        if self.averaged:
            self.averaged.requires_grad_(False)  # several devices would wait for gradients that never come

    @property
    def best_weights(self) -> dict[str, Tensor]:
        """The weights to keep: the averaged ones, if weights are averaged."""
        return self.evaluated.state_dict()

    @property
    def evaluated(self) -> Model:
        """The model that dev is evaluated with."""
        return self.averaged.module if self.averaged else self.model  # type: ignore[return-value]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.averaged:
            # A young average must not be held back by its first, random weights.
            warm = min(self.training_config.average_decay, (1 + self.global_step) / (10 + self.global_step))
            average = get_ema_multi_avg_fn(warm)
            if self._averages is None:  # the very first average is a copy
                self.averaged.multi_avg_fn = average
                self.averaged.update_parameters(self.model)
                pairs = zip(self.averaged.module.parameters(), self.model.parameters(), strict=True)
                self._averages = tuple(list(each) for each in zip(*pairs, strict=True))
            else:  # `update_parameters` sorts the tensors anew each time, which takes as long as the average
                average(*self._averages, self.averaged.n_averaged)
                self.averaged.n_averaged += 1

    def sum_over_devices(self, counts: list[int]) -> list[int]:
        """Return the sums of the counts over all processes that train together."""
        if not torch.distributed.is_available() or not torch.distributed.is_initialized():
            return counts
        sums = torch.tensor(counts, device=self.device)
        torch.distributed.all_reduce(sums)
        return sums.tolist()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        training = self.training_config
        parameters = list(self.model.parameters())
        optimizer = torch.optim.AdamW(
            parameters,
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            # One kernel a tensor takes a quarter of the time; on a GPU it would not go with scaled losses.
            fused=all(parameter.device.type == "cpu" for parameter in parameters),
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Return the share of the learning rate at a step: linear warm-up, then the decay of the settings."""
        training = self.training_config
        if step < training.warmup_steps:
            return (step + 1) / training.warmup_steps
        share = (step - training.warmup_steps) / max(1, self.total_steps - training.warmup_steps)
        share = min(1.0, share)
        if training.decay == "cosine":
            return 0.5 * (1 + math.cos(math.pi * share)) * 0.99 + 0.01
        return 1.0 - 0.99 * share if training.decay == "linear" else 1.0
