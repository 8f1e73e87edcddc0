"""Comparisons of slot taggers."""
