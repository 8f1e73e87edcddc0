"""The subcommands of `sluice`, one module each.

The first line of a module's docstring is the command's help. `add_arguments` adds its options to a parser, and `run`
executes it and returns the exit code.
"""
