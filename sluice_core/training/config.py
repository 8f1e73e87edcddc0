"""The settings of training that all models share."""

import os
from typing import Literal

from pydantic import Field

from sluice_core.config import Settings


class TrainingConfig(Settings):
    """How a model is trained, whatever its task."""

    seed: int = Field(17, description="decides initialization, order, dropout and augmentation")
    max_epochs: int = Field(50, ge=1, description="passes over the training split, at most")
    batch_size: int = Field(8, ge=1, description="largest number of sequences in a batch, on each device")
    batch_seconds: float = Field(
        120.0, gt=0, description="largest number of padded seconds in a batch, on each device"
    )
    learning_rate: float = Field(
        2e-3, gt=0, description="learning rate after the warm-up, the largest (AdamW)"
    )
    weight_decay: float = Field(1e-2, ge=0, description="weight decay of AdamW")
    warmup_steps: int = Field(200, ge=0, description="steps over which the learning rate rises from 0")
    decay: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="how the learning rate falls after the warm-up"
    )
    clip_norm: float | None = Field(5.0, gt=0, description="largest norm of a gradient; null for no limit")
    clip_value: float | None = Field(None, gt=0, description="largest absolute value in a gradient")
    average_decay: float = Field(0.999, ge=0, lt=1, description="moving average of weights; 0 turns it off")
    keep: Literal["best", "last"] = Field(
        "best",
        description="which epoch's model: that of the lowest dev error, or the last, which is not chosen on dev and "
        "so does not flatter its figures, and is as good if weights are averaged and the learning rate ends low",
    )
    patience: int = Field(
        20, ge=1, description="epochs without a better dev error before stopping (keep: best)"
    )
    precision: Literal["auto", "32-true", "bf16", "bf16-mixed", "16-mixed"] = Field(
        "auto",
        description="auto: half precision on a GPU, float32 on a CPU; bf16 multiplies in bfloat16 on either, if its "
        "processor can, and is refused where it cannot (bf16-mixed is not)",
    )
    accelerator: str = Field("auto", description="what trains: cpu, cuda, …; a GPU where there is one")
    devices: int = Field(1, ge=1, description="how many GPUs (or CPU processes) train together")
    threads: int = Field(0, ge=0, description="CPU threads inside an operation; 0 leaves torch's choice")
    products: Literal["auto", "torch", "onednn", "own"] = Field(
        "auto",
        description="what computes large products of matrices on a CPU: the fastest, as measured once and kept in the "
        "run's products.json; or one library alone, torch being torch unaided (SLUICE_PRODUCTS sets it everywhere)",
    )
    workers: int | None = Field(
        None, ge=0, description="processes that read and augment; as many as suit the machine if not given"
    )

    @property
    def worker_count(self) -> int:
        """How many processes read and augment; none on one or two cores, where they would only slow the model down."""
        if self.workers is not None:
            return self.workers
        cores = os.cpu_count() or 1
        return 0 if cores <= 2 else min(4, cores // 2)
