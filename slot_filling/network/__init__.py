"""The tagger's network: words to vectors in context, and scores of tags."""
