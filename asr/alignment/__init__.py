"""From hypotheses to transcripts: word times, confidences of words, and the alignment of known texts."""
