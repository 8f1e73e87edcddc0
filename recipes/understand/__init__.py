"""Speech to slots: a recognizer and a tagger, trained and evaluated together."""
