"""Typed trees of settings: read from YAML, overridden from the command line, checked as a whole."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from sluice_core.errors import UserError

log = logging.getLogger("sluice")

Override = str | tuple[str, Any]
"""A changed setting: `"dotted.name=value"` with the value in YAML, or the dotted name and the value itself."""


class ConfigError(UserError):
    """A setting is unknown, of the wrong type, or out of range."""


class Settings(BaseModel):
    """A group of settings: unknown names are errors, and values do not change once they are checked."""

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
    def check(
        cls,
        tree: Mapping[str, Any],
        where: str,
        overrides: Iterable[Override] = (),
        remarks: int = logging.WARNING,
    ) -> Self:
        """Build the settings from a plain tree, which is left as it is, and from overrides.

        Args:
            tree: names and values.
            where: the tree is from; opens the message of any error.
            overrides: are applied in their order.
            remarks: the log's level for remarks on old names in the tree.

        Raises:
            ConfigError: a setting is wrong; names the setting.
        """
        tree = cls._with_new_names(tree, where, remarks)
        for override in overrides:
            name, value = _parse(override) if isinstance(override, str) else override
            name, group = cls._new_name(name)
            if group and isinstance(value, dict):
                value = group._with_new_names(value, where, remarks, f"{name}.")
            _set_value(tree, name, value)
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            lines = []
            for item in error.errors():
                setting = ".".join(str(part) for part in item["loc"]) or "(top)"
                problem = item["msg"].removeprefix("Value error, ")
                if item["type"] == "extra_forbidden":  # pydantic speaks of extra inputs
                    problem = f"there is no setting of this name; {cls._advice(setting)}"
                lines.append(f"  {setting}: {problem}")
            raise ConfigError(f"{where}: settings are wrong:\n" + "\n".join(lines)) from error

    def to_yaml(self) -> str:
        """Return the whole tree, defaults included, as YAML text."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    @classmethod
    def _with_new_names(
        cls, tree: Mapping[str, Any], where: str, remarks: int, prefix: str = ""
    ) -> dict[str, Any]:
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
                log.log(
                    remarks,
                    f"{where}: {prefix}{name} is called {prefix}{new} now; the old name is still read",
                )
            group = cls._group(new)
            if group and isinstance(value, dict):
                value = group._with_new_names(value, where, remarks, f"{prefix}{new}.")
            copy[new] = value
        return copy

    @classmethod
    def _new_name(cls, name: str) -> "tuple[str, type[Settings] | None]":
        """Return what a setting with a dotted name is called today, and the class of a group of settings.

        A remark is logged where the name is an old one.
        """
        group: type[Settings] | None = cls
        names: list[str] = []
        for old in name.split("."):
            names.append(group.renamed.get(old, old) if group else old)
            group = group._group(names[-1]) if group else None
        new = ".".join(names)
        if new != name:
            log.warning(f"the setting {name} is called {new} now; the old name is still understood")
        return new, group

    @classmethod
    def _advice(cls, name: str) -> str:
        """Return what to do about a dotted name that is none: take the nearest of its group, or of all."""
        names = list(cls._names())
        group, dot, leaf = name.rpartition(".")
        beside = [each.rpartition(".")[2] for each in names if each.rpartition(".")[0] == group]
        near = [f"{group}{dot}{each}" for each in get_close_matches(leaf, beside, 1, 0.7)]
        near = near or [each for each in names if each.rpartition(".")[2] == leaf]
        near = near or get_close_matches(name, names, 1, 0.8)
        return f"did you mean {near[0]}?" if near else "check its spelling"

    @classmethod
    def _names(cls, prefix: str = "") -> Iterator[str]:
        """Yield the dotted names of all settings, groups included."""
        for name in cls.model_fields:
            yield prefix + name
            if group := cls._group(name):
                yield from group._names(f"{prefix}{name}.")

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
