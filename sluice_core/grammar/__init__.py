"""Small languages: grammars of annotated sentences that the recognizer and the tagger share."""
