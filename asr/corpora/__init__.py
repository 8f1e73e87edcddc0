"""Where utterances come from: each corpus has a module, and all give the columns of `utterances.Utterance`."""

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig
from sluice_core.corpus_files import CorpusError

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

# Imported only when asked for: no corpus needs anything of another.
MODULES = {
    **{
        kind: f"asr.corpora.{kind}"
        for kind in ("grammar", "an4", "fsdd", "ljspeech", "librispeech", "manifest")
    },
    "travel": "asr.corpora.grammar",  # the grammar that comes with the package
}


def load_corpus(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Load the utterances of a corpus as "train", "dev" and, where there is one, "test".

    Utterances are kept in `cache` as memory-mapped Arrow files, and read again only when the source or the
    settings change. Training utterances longer than `config.max_seconds` are left out, and counted in
    the log.

    Raises:
        CorpusError: the corpus is not where, or not what, the settings say; the message says what and where.
    """
    splits = import_module(MODULES[config.kind]).load(config, Path(cache))
    return {**splits, "train": leave_out_long(splits["train"], config.max_seconds)}


def leave_out_long(dataset: "Dataset", max_seconds: float) -> "Dataset":
    """Return the utterances of at most `max_seconds`, and log how many are longer.

    Raises:
        CorpusError: every utterance is longer.
    """
    from pyarrow import compute

    short = compute.less_equal(dataset.data.column("duration_seconds"), max_seconds).combine_chunks()
    left_out = len(short) - (short.true_count or 0)
    if not left_out:
        return dataset
    if left_out == len(short):
        raise CorpusError(f"every training utterance is longer than corpus.max_seconds ({max_seconds:g})")
    log.warning(
        "left out %d of %d training utterances, longer than %g seconds (corpus.max_seconds)",
        left_out, len(short), max_seconds,
    )  # fmt: skip
    return dataset.select(short.to_numpy(zero_copy_only=False).nonzero()[0])
