"""Words → slots: labelled sentences in, a tagger of spans and values out."""
