"""One typed tree of settings: read from YAML, overridden from the command line, checked as a whole."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice_core.errors import UserError

Override = str | tuple[str, Any]
"""`"dotted.name=value"` as typed, its value in YAML, or the dotted name and the value itself."""


class ConfigError(UserError):
    """A setting is unknown, of the wrong type, or out of range."""


class Settings(BaseModel):
    """A node of the tree: unknown names are errors, values do not change once checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @classmethod
    def read(cls, path: str | Path, overrides: Iterable[Override] = ()) -> Self:
        """Read settings from a YAML file, then apply `overrides` such as `"model.layers=3"`.

        Raises:
            ConfigError: the file is missing, is not YAML, or a setting is wrong; names the setting.
        """
        path = Path(path)
        try:
            tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the configuration: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid YAML: {error}") from error
        if not isinstance(tree, dict):
            raise ConfigError(f"{path}: expected names and values at the top, found {type(tree).__name__}")
        for override in overrides:
            apply_override(tree, override)
        return cls.check(tree, str(path))

    @classmethod
    def check(cls, tree: dict[str, Any], where: str) -> Self:
        """Build the settings from a plain tree; `where` opens the message of any error."""
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            lines = []
            for item in error.errors():
                setting = ".".join(str(part) for part in item["loc"]) or "(top)"
                lines.append(f"  {setting}: {item['msg'].removeprefix('Value error, ')}")
            raise ConfigError(f"{where}: settings are wrong:\n" + "\n".join(lines)) from error

    def to_yaml(self) -> str:
        """The whole tree, defaults included, as YAML text."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def apply_override(tree: dict[str, Any], override: Override) -> None:
    """Set one value in a plain tree.

    Raises:
        ConfigError: the override is not name=value, its value not YAML, or its name leads through a value.
    """
    name, value = _parsed(override) if isinstance(override, str) else override
    *parents, leaf = name.split(".")
    node = tree
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"override of {name}: {parent} is a value, not a group of settings")
        node = child
    node[leaf] = value


def _parsed(override: str) -> tuple[str, Any]:
    name, equals, value = override.partition("=")
    if not equals or not name:
        raise ConfigError(f"override {override!r}: write it as name=value, such as model.layers=3")
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}: the value is not valid YAML") from error


class TrainingConfig(Settings):
    """How a model is fitted, whatever it is."""

    seed: int = Field(17, description="decides initialization, order, dropout and augmentation")
    max_epochs: int = Field(50, ge=1)
    batch_size: int = Field(8, ge=1, description="most sequences in a batch, on each device")
    batch_seconds: float = Field(120.0, gt=0, description="most padded seconds in a batch, on each device")
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warmup_steps: int = Field(200, ge=0)
    decay: Literal["cosine", "linear", "constant"] = "cosine"
    clip_norm: float | None = Field(5.0, gt=0, description="largest norm of a gradient; null for no limit")
    clip_value: float | None = Field(None, gt=0, description="largest absolute value in a gradient")
    average_decay: float = Field(0.999, ge=0, lt=1, description="moving average of weights; 0 turns it off")
    keep: Literal["best", "last"] = Field(
        "best",
        description="which epoch's model: that of the lowest dev error, or the last, which leaves dev without a choice "
        "to flatter and is as good where weights are averaged and the learning rate ends low",
    )
    patience: int = Field(
        20, ge=1, description="epochs without a better dev error before stopping (keep: best)"
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    accelerator: str = "auto"
    devices: int = Field(1, ge=1, description="how many GPUs (or CPU processes) train together")
    threads: int = Field(0, ge=0, description="CPU threads inside an operation; 0 leaves torch's choice")
    workers: int | None = Field(
        None, ge=0, description="processes that read and augment; as fits the machine if none"
    )

    @property
    def worker_count(self) -> int:
        """Data workers: where the model itself trains on one or two cores, a worker would only slow it down."""
        if self.workers is not None:
            return self.workers
        cores = os.cpu_count() or 1
        return 0 if cores <= 2 else min(4, cores // 2)
