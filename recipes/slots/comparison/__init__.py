"""Taggers that differ in one thing, each trained with several seeds."""
