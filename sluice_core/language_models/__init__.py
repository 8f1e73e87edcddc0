"""Language models: their units and texts, and n-grams."""
