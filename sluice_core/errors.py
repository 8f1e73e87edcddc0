"""The one base of every error that speaks to the person rather than to the programmer."""


class UserError(ValueError):
    """Bad input, settings or surroundings: the message says what was wrong, where, and what to do.

    The command line prints it without a traceback and ends with a non-zero exit code.
    """


class TrainingError(UserError):
    """Training cannot go on; the message says what to change."""
