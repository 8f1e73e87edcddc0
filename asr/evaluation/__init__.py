"""Error rates of a recognizer, what went wrong, and the report of a run."""
