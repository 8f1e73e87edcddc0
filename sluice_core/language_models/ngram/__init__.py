"""N-gram language models over words or characters: training, ARPA and binary files, scores."""

from sluice_core.language_models.ngram.files import load_ngram, save_ngram
from sluice_core.language_models.ngram.model import NGram, lookup

__all__ = ["NGram", "load_ngram", "lookup", "save_ngram"]
