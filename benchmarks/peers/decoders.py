"""Other CTC decoders, for `benchmarks.decoding`, which runs this file with the Python that has them installed.

    python benchmarks/peers/decoders.py FOLDER

FOLDER has `emissions.npz` (log-probabilities `[steps, tokens]` of each utterance), `task.json` and `words.arpa`. Each
line of standard input is a JSON object that names a decoder and its settings; the line that answers has the CPU seconds
for all utterances and their texts, or why the decoder is not available. Beside the decoders only NumPy is needed.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

Decode = Callable[[np.ndarray], str]


class PeerInput:
    """The input of all decoders."""

    def __init__(self, folder: Path) -> None:
        """Read it from a folder."""
        arrays = np.load(folder / "emissions.npz")
        self.emissions = [np.ascontiguousarray(arrays[name], np.float32) for name in arrays.files]
        facts = json.loads((folder / "task.json").read_text(encoding="utf-8"))
        self.symbols: list[str] = facts["symbols"]
        self.words: list[str] = facts["words"]
        self.weight: float = facts["weight"]
        self.bonus: float = facts["bonus"]
        self.model = str(folder / "words.arpa")
        self.space = self.symbols.index(" ")


def flashlight(task: PeerInput, setting: dict[str, Any]) -> Decode:
    """Return the decoder of flashlight-text, with lexicon and KenLM or without both; it sums the paths of a prefix."""
    from flashlight.lib.text import decoder as library

    size = len(task.symbols)
    thresholds = (setting["tokens"], setting["beam_threshold"])
    after = (0.0, True, library.CriterionType.CTC)
    if not setting["language"]:
        options = library.LexiconFreeDecoderOptions(setting["beam"], *thresholds, 0.0, *after)
        search = library.LexiconFreeDecoder(options, library.ZeroLM(), task.space, 0, [])
    else:
        from flashlight.lib.text.decoder.kenlm import KenLM
        from flashlight.lib.text.dictionary import Dictionary

        names = Dictionary([*task.words, "<unk>"])
        model, trie = KenLM(task.model, names), library.Trie(size, task.space)
        start = model.start(False)
        for word in task.words:
            number = names.get_index(word)
            letters = [task.symbols.index(letter) for letter in word]
            trie.insert([*letters, task.space], number, model.score(start, number)[1])
        trie.smear(library.SmearingMode.MAX)
        weight = task.weight * math.log(10)  # its scores are decimal logarithms
        options = library.LexiconDecoderOptions(
            setting["beam"], *thresholds, weight, task.bonus, -math.inf, *after
        )
        unknown = names.get_index("<unk>")
        search = library.LexiconDecoder(options, trie, model, task.space, 0, unknown, [], False)
    last = np.full((1, size), -100.0, np.float32)
    last[0, task.space] = 0.0  # its words end with a space, so the last one needs one too

    def decode(emission: np.ndarray) -> str:
        whole = np.concatenate([emission, last])
        best = search.decode(whole.ctypes.data, *whole.shape)[0]
        if setting["language"]:
            return " ".join(names.get_entry(number) for number in best.words if number >= 0)
        return "".join(task.symbols[token] for token, _ in groupby(best.tokens) if token > 0)

    return decode


def pyctcdecode(task: PeerInput, setting: dict[str, Any]) -> Decode:
    """Return the decoder of pyctcdecode with KenLM and an open vocabulary, in which an unknown word costs 10."""
    from pyctcdecode import build_ctcdecoder

    labels = ["", *task.symbols[1:]]
    language = {"kenlm_model_path": task.model, "unigrams": task.words} if setting["language"] else {}
    search = build_ctcdecoder(labels, **language, alpha=task.weight, beta=task.bonus)
    token = math.log(setting["token_threshold"]) if setting["token_threshold"] else -1e9
    beam_threshold = -min(setting["beam_threshold"], 1e9)
    return lambda emission: search.decode(emission, setting["beam"], beam_threshold, token)


def fast_ctc_decode(task: PeerInput, setting: dict[str, Any]) -> Decode:
    """Return the decoder of fast-ctc-decode, which has no language model and no beam threshold."""
    from fast_ctc_decode import beam_search

    if setting["language"]:
        raise NotImplementedError("it has no language model")
    alphabet = ["~", *task.symbols[1:]]
    least = setting["token_threshold"]
    return lambda emission: beam_search(np.exp(emission), alphabet, setting["beam"], least)[0]


DECODERS: dict[str, tuple[str, Callable[[PeerInput, dict[str, Any]], Decode]]] = {
    "flashlight-text": ("flashlight-text", flashlight),
    "pyctcdecode": ("pyctcdecode", pyctcdecode),
    "fast-ctc-decode": ("fast-ctc-decode", fast_ctc_decode),
}
"""The package of each decoder, and the function that creates the decoder from its settings."""


def answer(task: PeerInput, setting: dict[str, Any], ready: dict[str, Decode]) -> dict[str, Any]:
    """Decode all utterances repeatedly, for the least time asked for, and return the seconds of one pass."""
    package, make = DECODERS[setting["decoder"]]
    key = json.dumps(setting, sort_keys=True)
    try:
        if key not in ready:
            ready[key] = make(task, setting)
            ready[key](task.emissions[0])
    except (ImportError, NotImplementedError, RuntimeError) as error:
        return {"missing": f"{type(error).__name__}: {error}"}
    begun, seconds, passes = time.process_time(), 0.0, 0
    while seconds < setting["least_seconds"]:
        texts = [ready[key](emission) for emission in task.emissions]
        seconds, passes = time.process_time() - begun, passes + 1
    return {"seconds": seconds / passes, "texts": texts, "version": version(package)}


def main() -> None:
    """Answer each line of standard input."""
    task = PeerInput(Path(sys.argv[1]))
    ready: dict[str, Decode] = {}
    for line in sys.stdin:
        print(json.dumps(answer(task, json.loads(line), ready)), flush=True)


if __name__ == "__main__":
    main()
