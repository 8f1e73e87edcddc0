"""Where utterances come from: one file per corpus, all giving the same rows (see `rows`)."""

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

# Imported only when asked for: one corpus needs nothing of another's.
MODULES = {
    kind: f"asr.corpora.{kind}" for kind in ("travel", "an4", "fsdd", "ljspeech", "librispeech", "manifest")
}


def load_corpus(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """The corpus's rows as "train", "dev" and, where there is one, "test".

    Rows are kept in `cache` as memory-mapped Arrow files and read again only when the source or the
    settings change. Training utterances longer than `config.max_seconds` are left out, and counted in
    the log.

    Raises:
        CorpusError: the corpus is not where, or not what, it was said to be; says what and where.
    """
    parts = import_module(MODULES[config.kind]).load(config, Path(cache))
    return {**parts, "train": leave_out_long(parts["train"], config.max_seconds)}


def leave_out_long(dataset: "Dataset", max_seconds: float) -> "Dataset":
    """The rows of at most `max_seconds`; says in the log how many were longer.

    Raises:
        CorpusError: every row is longer.
    """
    from pyarrow import compute

    from asr.corpora.utterances import CorpusError

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
