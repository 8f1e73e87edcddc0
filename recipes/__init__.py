"""Experiments larger than one YAML file: comparisons of cells and taggers, and speech to slots as a whole."""
