"""Whole experiments: settings as YAML, and what a run of them showed."""
