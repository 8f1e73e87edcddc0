"""Subcommands: each module's first line is its help; `add_arguments` and `run` are all it needs."""
