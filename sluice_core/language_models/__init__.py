"""Language models that recognizers and generators share."""
