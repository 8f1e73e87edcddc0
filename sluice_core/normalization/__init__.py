"""Numbers, dates and times between their spoken and their written forms."""
