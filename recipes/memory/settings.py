"""The settings of the memory recipe, into which `memory.yaml` is read."""

from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from sluice_cells import CELLS
from sluice_cells.options import check_name
from sluice_core.config import Settings


def _known(cell: str) -> str:
    check_name(cell)
    return cell


CellName = Annotated[str, AfterValidator(_known)]


class ClimbSettings(Settings):
    """Training over growing lags, on one problem."""

    lags: list[int] = Field([5, 8, 12, 18, 27, 40, 60, 80], min_length=1, description="in steps, growing")
    parameters: int = Field(4500, ge=100, description="each cell is made as wide as these allow")
    learning_rates: list[float] = Field(
        [3e-3, 1e-2, 2e-2], min_length=1, description="each is tried with each cell"
    )
    steps: int = Field(400, ge=1, description="most training steps on one lag")
    check_every: int = Field(25, ge=1, description="steps between looks at dev")
    batch_size: int = Field(32, ge=1)
    dev_size: int = Field(256, ge=2, description="dev sequences, the same for every cell")
    solved: float = Field(0.05, gt=0, description="a dev error of at most this solves a lag")
    clip_norm: float = Field(1.0, gt=0)

    @property
    def shortest_lag(self) -> int:
        """The least lag with which the problem makes sense."""
        return 3

    @model_validator(mode="after")
    def _lags_grow(self) -> Self:
        if any(later <= earlier for earlier, later in pairwise(self.lags)):
            raise ValueError(f"lags grow from one to the next, unlike {self.lags}")
        if self.lags[0] < self.shortest_lag:
            raise ValueError(f"this problem has a lag of at least {self.shortest_lag}, not {self.lags[0]}")
        return self


class CopySettings(ClimbSettings):
    """Training over growing lags on the copy problem, with its own sizes."""

    symbols: int = Field(3, ge=1, description="how many are to be recalled")
    letters: int = Field(4, ge=2, description="different symbols there are")

    @property
    def shortest_lag(self) -> int:
        """The least lag with which no letter is due before all were given."""
        return self.symbols


class ReachSettings(Settings):
    """How the gradient on its way back is measured."""

    steps_back: int = Field(100, ge=2, description="length of the sequences whose gradient is measured")
    sequences: int = Field(32, ge=1, description="over which the norm is the root of the mean square")


class GradientSettings(ReachSettings):
    """Networks in which the gradient vanishes or explodes, and how they are trained."""

    scales: list[float] = Field(
        [0.5, 1.0, 1.5], min_length=1, description="of Elman's orthogonal recurrent weights"
    )
    parameters: int = Field(4500, ge=100)
    lag: int = Field(5, ge=3, description="of the adding problem that scaled networks are trained on")
    learning_rate: float = Field(0.1, gt=0, description="of plain gradient descent")
    clip_norm: float = Field(1.0, gt=0)
    steps: int = Field(600, ge=1)


class GenerationSettings(Settings):
    """Training of networks that learn one sequence by heart, without input."""

    cells: list[CellName] = ["clockwork", "elman", "lstm"]
    parameters: int = Field(500, ge=50)
    length: int = Field(320, ge=2, description="points of the sequence")
    sines: int = Field(4, ge=1)
    shortest_period: float = Field(8.0, gt=2, description="of a sine, in points")
    longest_period: float = Field(160.0, gt=2)
    learning_rates: list[float] = Field([3e-4, 1e-3, 3e-3, 1e-2, 3e-2], min_length=1)
    steps: int = Field(800, ge=1)
    clip_norm: float = Field(1.0, gt=0)
    targets: int = Field(5, ge=1, description="different sequences, each with a network of its own")


class MemorySettings(Settings):
    """The whole recipe."""

    name: str = Field("memory", description="the run's directory in runs/")
    seed: int = 17
    cells: list[CellName] = Field(list(CELLS), min_length=1)
    options: dict[str, dict[str, Any]] = Field({}, description="of a cell, by its name, such as periods")
    engine: str = "auto"
    processes: int = Field(
        0, ge=0, description="experiments at the same time, one thread each; 0: one a core"
    )
    adding: ClimbSettings = ClimbSettings()
    copying: CopySettings = CopySettings()
    gradients: GradientSettings = GradientSettings()
    generation: GenerationSettings = GenerationSettings()
