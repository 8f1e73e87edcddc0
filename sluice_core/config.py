"""One typed tree of settings: read from YAML, overridden from the command line, checked as a whole."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice_core.errors import UserError

log = logging.getLogger("sluice")

Override = str | tuple[str, Any]
"""`"dotted.name=value"` as typed, its value in YAML, or the dotted name and the value itself."""


class ConfigError(UserError):
    """A setting is unknown, of the wrong type, or out of range."""


class Settings(BaseModel):
    """A node of the tree: unknown names are errors, values do not change once checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    renamed: ClassVar[Mapping[str, str]] = {}
    """Old names of settings, each with its name of today; they are still read, with a remark in the log."""

    @classmethod
    def read(cls, path: str | Path, overrides: Iterable[Override] = ()) -> Self:
        """Read settings from a YAML file, then apply `overrides` such as `"model.layers=3"`.

        Raises:
            ConfigError: the file is missing, is not YAML, or a setting is wrong; names the setting.
        """
        return cls.check(read_tree(Path(path)), str(path), overrides)

    @classmethod
    def check(cls, tree: Mapping[str, Any], where: str, overrides: Iterable[Override] = ()) -> Self:
        """Build the settings from a plain tree, which is left as it is, and from overrides.

        Args:
            tree: names and values.
            where: the tree is from; opens the message of any error.
            overrides: are applied in their order.

        Raises:
            ConfigError: a setting is wrong; names the setting.
        """
        tree = cls._with_new_names(tree, where)
        for override in overrides:
            name, value = _parse(override) if isinstance(override, str) else override
            _set_value(tree, cls._new_name(name), value)
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            lines = []
            for item in error.errors():
                setting = ".".join(str(part) for part in item["loc"]) or "(top)"
                lines.append(f"  {setting}: {item['msg'].removeprefix('Value error, ')}")
            raise ConfigError(f"{where}: settings are wrong:\n" + "\n".join(lines)) from error

    def to_yaml(self) -> str:
        """Return the whole tree, defaults included, as YAML text."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    @classmethod
    def _with_new_names(cls, tree: Mapping[str, Any], where: str, prefix: str = "") -> dict[str, Any]:
        """Copy a tree, calling its settings what they are called today."""
        copy: dict[str, Any] = {}
        for name, value in tree.items():
            new = cls.renamed.get(name, name)
            if new != name:
                if new in tree:
                    raise ConfigError(
                        f"{where}: {prefix}{name} is the old name of {prefix}{new}, and both are given: "
                        f"leave {prefix}{name} out"
                    )
                log.warning(
                    f"{where}: {prefix}{name} is called {prefix}{new} now; the old name is still read"
                )
            group = cls._group(new)
            if group and isinstance(value, dict):
                value = group._with_new_names(value, where, f"{prefix}{new}.")
            copy[new] = value
        return copy

    @classmethod
    def _new_name(cls, name: str) -> str:
        """Return what a setting with a dotted name is called today, with a remark where that is something else."""
        group: type[Settings] | None = cls
        names: list[str] = []
        for old in name.split("."):
            names.append(group.renamed.get(old, old) if group else old)
            group = group._group(names[-1]) if group else None
        new = ".".join(names)
        if new != name:
            log.warning(f"the setting {name} is called {new} now; the old name is still understood")
        return new

    @classmethod
    def _group(cls, name: str) -> "type[Settings] | None":
        """Return the class of a setting that is a group of settings itself."""
        field = cls.model_fields.get(name)
        types = [field.annotation, *get_args(field.annotation)] if field else []
        return next((each for each in types if isinstance(each, type) and issubclass(each, Settings)), None)


def read_tree(path: Path) -> dict[str, Any]:
    """Read the names and values of a YAML file, as plain values.

    Raises:
        ConfigError: the file is missing or is not YAML.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected names and values at the top, found {type(tree).__name__}")
    return tree


def _set_value(tree: dict[str, Any], name: str, value: Any) -> None:
    """Set the value of a dotted name in a plain tree."""
    *parents, leaf = name.split(".")
    node = tree
    for parent in parents:
        child = node.get(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"override of {name}: {parent} is a value, not a group of settings")
        child = dict(child)  # whoever gave the tree keeps it as it was
        node[parent] = child
        node = child
    node[leaf] = value


def _parse(override: str) -> tuple[str, Any]:
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
