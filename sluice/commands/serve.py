"""Serve a run over HTTP: transcription as OpenAI's clients ask for it, tagging, understanding, and a page."""

import argparse
import os
from functools import partial
from pathlib import Path

from sluice.commands.options import add_model, add_quiet
from sluice_core.errors import UserError

KEY = "SLUICE_API_KEY"
MOST_WORKERS = 4
"""By default: each has some 400 MB of its own."""
NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "--tagger", type=Path, metavar="RUN", help="a tagger's run, where RUN is only a recognizer's"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port (default: 8000; 0: any that is free)")
    parser.add_argument(
        "--api-key", metavar="KEY", help=f"what clients must send (default: ${KEY}; others can see arguments)"
    )
    parser.add_argument(
        "--max-upload-mb", type=float, default=25.0, metavar="MB", help="largest upload (default: 25)"
    )
    parser.add_argument(
        "--max-seconds", type=float, default=600.0, metavar="S", help="longest recording (default: 600)"
    )
    parser.add_argument(
        "--queue", type=int, default=64, metavar="N", help="most requests at once; more get 429 (default: 64)"
    )
    parser.add_argument(
        "--batch", type=int, default=16, metavar="N", help="most requests answered together (default: 16)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="batches that are answered at the same time, each in a process of its own from 2 on (default: one for "
        f"each core, at most {MOST_WORKERS}; 1 on a GPU)",
    )
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Listen until SIGTERM or Ctrl-C; what was accepted by then is answered, and the exit code is 0."""
    _check_installed()
    from sluice.server.lifecycle import serve
    from sluice.server.models import load_parts
    from sluice.server.settings import ServerSettings

    workers = options.workers if options.workers is not None else _workers(options.device)
    settings = ServerSettings(
        host=options.host,
        port=options.port,
        api_key=options.api_key if options.api_key is not None else os.environ.get(KEY),
        max_upload_mb=options.max_upload_mb,
        max_seconds=options.max_seconds,
        queue=options.queue,
        batch=options.batch,
        workers=workers,
    )
    load = partial(load_parts, options.model, options.tagger, options.device)
    # Decoders, event loop and clients on this machine want cores too: torch on all of them answers half as many.
    serve(load, settings, options.threads or max(1, (os.cpu_count() or 1) // 2 // workers))
    return 0


def _workers(device: str) -> int:
    return min(MOST_WORKERS, os.cpu_count() or 1) if device == "cpu" else 1


def _check_installed() -> None:
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"serving needs the extra 'serve' (pip install 'sluice-speech[serve]'); not installed: {', '.join(missing)}"
        )
