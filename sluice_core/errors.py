"""The base class of all errors that a person, rather than a programmer, can do something about."""


class UserError(ValueError):
    """Input, settings or surroundings are wrong; the message says what, where, and what to do.

    The command line prints it without a traceback and ends with a non-zero exit code.
    """


class TrainingError(UserError):
    """Training cannot go on; the message says what to change."""
