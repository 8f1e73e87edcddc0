"""Check that an optional part of the installation is there before a command needs it."""

from importlib.util import find_spec

from sluice_core.errors import UserError

MODULES = {
    "train": (
        "datasets",
        "jellyfish",
        "jinja2",
        "jiwer",
        "lightning",
        "matplotlib",
        "rapidfuzz",
        "tensorboard",
    ),
    "serve": ("fastapi", "uvicorn", "python_multipart", "prometheus_client"),
}
"""The modules that each extra installs and that its commands import."""


def require_extra(extra: str, purpose: str) -> None:
    """Raise an error that says what to install, if a module of an extra is not installed.

    Args:
        extra: the extra's name, a key of `MODULES`.
        purpose: what needs it; begins the message, such as "training".

    Raises:
        UserError: something is not installed; names it.
    """
    missing = [name for name in MODULES[extra] if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{purpose} needs the extra '{extra}' (pip install 'sluice-speech[{extra}]'); "
            f"not installed: {', '.join(missing)}"
        )
