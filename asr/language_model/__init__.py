"""Word and character n-grams: training, ARPA and binary files, scores."""

from asr.language_model.ngram import LanguageModelError, NGram, lookup

__all__ = ["LanguageModelError", "NGram", "lookup"]
