"""Files that keep which library computes which kind of product, for this user and for each training."""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from sluice_cells.compiler import processor_name

logger = logging.getLogger(__name__)

Entry = dict[str, Any]
"""`taken`, the name of a candidate, and `gflops`, the measured speed of each."""


class ProductTable:
    """A JSON file of choices: `machine`, `torch`, `mode` and, by the name of each kind, `products`.

    A file that is damaged or of another machine is not read, which is said, and is written anew. Several processes may
    add to one file: what is in it stays, so that all of them agree.
    """

    def __init__(self, path: Path, mode: str | None = None) -> None:
        """Read a file, if it exists; `mode` is for a new one."""
        self.path = path
        self.mode = mode
        self.products: dict[str, Entry] = {}
        self._mute = False
        found = self._read()
        if found is not None:
            self.mode, self.products = found

    def add(self, kind: str, entry: Entry) -> Entry:
        """Add a choice and return it, or the one that another process has added meanwhile."""
        self._mute = True  # what was to be said of the file has been said
        found = self._read()
        if found is not None:
            self.products = {**self.products, **found[1]}
        entry = self.products.setdefault(kind, entry)
        self.write()
        return entry

    def write(self) -> None:
        """Write the file, whole or not at all; where that fails, it is said and everything goes on."""
        tree = {
            "machine": processor_name(),
            "torch": torch.__version__,
            "mode": self.mode,
            "products": self.products,
        }
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
            temporary.replace(self.path)
        except OSError as error:
            logger.warning("%s: cannot write: %s; it is left as it was", self.path, error.strerror or error)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _read(self) -> tuple[str | None, dict[str, Entry]] | None:
        try:
            tree = json.loads(self.path.read_text(encoding="utf-8"))
            machine, version = str(tree["machine"]), str(tree["torch"])
            mode, products = tree["mode"], tree["products"]
            if not all(isinstance(entry["taken"], str) for entry in products.values()):
                raise TypeError("a product names no library")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self._say("%s: damaged (%s); products of matrices are measured anew", self.path, error)
            return None
        if (machine, version) != (processor_name(), torch.__version__):
            self._say(
                "%s: measured on another machine (%s, torch %s); products of matrices are measured anew here, so "
                "that weights differ from those of that machine in their last digits",
                *(self.path, machine, version),
            )
            return mode, {}
        return mode, products

    def _say(self, message: str, *values: object) -> None:
        if not self._mute:
            logger.warning(message, *values)
