"""Word and character n-grams: training, ARPA and binary files, scores."""

from sluice_core.language_models.ngram.model import LanguageModelError, NGram, lookup

__all__ = ["LanguageModelError", "NGram", "lookup"]
