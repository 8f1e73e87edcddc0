"""Recipes of slot taggers, and what they are compared in."""
