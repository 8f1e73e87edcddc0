"""Sluice: your own small, offline spoken-language understanding. This package is what people touch."""
