"""The tagger's network, which turns words into vectors in their context, and these into scores of tags and intents."""
