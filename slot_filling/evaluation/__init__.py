"""Metrics of a tagger on labelled sentences, and the report of a run."""
