"""Speak sentences with synthesizers, to train recognizers without recordings."""
