"""Sluice's binary form of n-grams: safetensors files whose arrays are memory-mapped, so that opening one is quick."""

import json
import mmap
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np

from sluice_core.language_models.ngram.model import NGram
from sluice_core.language_models.ngram.trie import NGramTrie
from sluice_core.language_models.units import RESERVED, LanguageModelError, Unit

FORMAT = "sluice n-gram 1"
TYPES = {"I32": np.int32, "F32": np.float32, "U8": np.uint8, "I64": np.int64}
"""The types by their names in a safetensors header."""
CONTENTS = {
    "first_child": "I32", "word": "I32", "log_prob": "F32", "backoff": "F32", "suffix": "I32",
    "vocabulary": "U8",  # the words in UTF-8, one after another
    "vocabulary_bounds": "I64",  # [words + 1] where each begins, and where the last ends
}  # fmt: skip


def write_binary(path: Path, model: NGram) -> None:
    """Write a model as a file that `read_binary` maps."""
    from safetensors.numpy import save

    encoded = [word.encode("utf-8") for word in model.words]
    tensors = {
        **model.trie._asdict(),
        "vocabulary": np.frombuffer(b"".join(encoded), np.uint8),
        "vocabulary_bounds": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
    }
    facts = {"format": FORMAT, "order": str(model.order), "unit": model.unit}
    path.write_bytes(save(tensors, facts))  # `save_file` would write a file that only its owner may read


def read_binary(path: Path) -> NGram:
    """Map a model that `write_binary` wrote; arrays are read from the file where and when they are used.

    Raises:
        LanguageModelError: the file is something else, is cut off, or its arrays do not fit together.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(
            path, framework="numpy"
        ) as file:  # checks the header and the length, and reads nothing else
            facts = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise LanguageModelError(
            f"{path}: cut off, or damaged: {error}. Copy it again, or train anew."
        ) from error
    if facts.get("format") != FORMAT:
        raise LanguageModelError(
            f"{path}: a safetensors file, but no language model that this version reads; "
            "`sluice lm train` and `sluice lm convert` write those"
        )
    try:
        arrays = _map(path)
        _check(arrays)
        words = _words(arrays.pop("vocabulary"), arrays.pop("vocabulary_bounds"))
        model = NGram(int(facts["order"]), facts["unit"], words, NGramTrie(**arrays))
        if model.unit not in get_args(Unit) or model.level_bounds[-1] != len(model.word):
            raise ValueError(f"it says that it is of order {model.order} and of unit {model.unit}")
        return model
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise LanguageModelError(
            f"{path}: damaged: {error or type(error).__name__}; train or convert it anew"
        ) from error


def _map(path: Path) -> dict[str, np.ndarray]:
    """Return views of the file by name, at the offsets of the header, which safetensors has checked."""
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    begin = 8 + int.from_bytes(mapping[:8], "little")
    header = json.loads(mapping[8:begin])
    arrays = {}
    for name, type_name in CONTENTS.items():
        entry = header[name]
        if entry["dtype"] != type_name or len(entry["shape"]) != 1:
            raise ValueError(f"{name} is {entry['dtype']} {entry['shape']}")
        start = begin + entry["data_offsets"][0]
        arrays[name] = np.frombuffer(mapping, TYPES[type_name], entry["shape"][0], start)
    return arrays


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Compare sizes and bounds with one another; the values inside are not checked, since that would read them all."""
    nodes = len(arrays["word"])
    sizes = {name: len(arrays[name]) for name in ("log_prob", "backoff", "suffix")}
    if set(sizes.values()) != {nodes} or len(arrays["first_child"]) != nodes + 1:
        raise ValueError("the arrays of its n-grams are of different lengths")
    first_child, bounds = arrays["first_child"], arrays["vocabulary_bounds"]
    if first_child[0] != 1 or first_child[1] != len(bounds) or first_child[-1] != nodes:
        raise ValueError("vocabulary and n-grams do not belong together")


def _words(letters: np.ndarray, bounds: np.ndarray) -> list[str]:
    """Decode the vocabulary from its letters and where each word begins."""
    if bounds[0] != 0 or bounds[-1] != len(letters) or (np.diff(bounds) < 0).any():
        raise ValueError("the words' bounds are not in order")
    text = letters.tobytes()
    words = [text[start:end].decode("utf-8") for start, end in pairwise(bounds.tolist())]
    if tuple(words[: len(RESERVED)]) != RESERVED:
        raise ValueError(f"the vocabulary does not begin with {' '.join(RESERVED)}")
    return words
