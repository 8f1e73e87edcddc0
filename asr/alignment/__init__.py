"""When each word was said, and how sure the recognizer is of it."""
