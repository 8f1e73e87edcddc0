"""The settings of a stack of recurrent layers."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from sluice_core.config import Settings

if TYPE_CHECKING:
    from sluice_cells import Stack


class StackConfig(Settings):
    """Recurrent layers: which cell, how many, how large, and what runs them."""

    cell: str = Field("lstm", description="a name in sluice_cells.CELLS, such as peephole_lstm")
    layers: int = Field(1, ge=1, description="number of recurrent layers, each fed by the one below")
    hidden_size: int = Field(192, ge=1, description="units in each direction")
    cell_options: dict[str, Any] = Field({}, description="options of the cell, such as {periods: [1, 2, 4]}")
    bidirectional: bool = Field(True, description="read each sequence in both directions")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of values that are set to zero in training")
    engine: Literal["auto", "reference", "native", "fast"] = Field(
        "auto", description="what runs the cells (sluice_cells.engines); auto takes the fastest that can"
    )

    # Torch is imported when a setting is checked: reading a module of settings must not cost it.

    @field_validator("cell")
    @classmethod
    def _be_known(cls, cell: str) -> str:
        from sluice_cells.options import check_name

        check_name(cell)
        return cell

    @field_validator("cell_options")
    @classmethod
    def _fit_the_cell(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if {"cell", "hidden_size"} <= info.data.keys():  # else these are wrong themselves, and said to be
            from sluice_cells.options import check_options

            check_options(info.data["cell"], info.data["hidden_size"], options)
        return options

    def make_stack(self, input_size: int, *, layer_norm: bool = False, variational: bool = False) -> "Stack":
        """Return freshly initialized layers for inputs `[batch, time, input_size]`.

        Args:
            input_size: of the first layer.
            layer_norm: normalize each layer's output.
            variational: draw one dropout mask for a whole sequence instead of one for each step.
        """
        from sluice_cells import Stack

        return Stack(
            self.cell,
            input_size,
            self.hidden_size,
            layers=self.layers,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            layer_norm=layer_norm,
            variational=variational,
            engine=self.engine,
            **self.cell_options,
        )
