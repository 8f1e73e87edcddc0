"""A domain of your own: a grammar file in, a recognizer, a tagger and their report out, in one run directory."""
