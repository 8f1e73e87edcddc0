"""Serve a run over HTTP: an OpenAI-compatible transcription API, slot tagging, and a web page."""

import argparse
import os
from functools import partial

from sluice.commands.extras import require_extra
from sluice.commands.options import add_model, add_quiet, add_renamed, add_tagger

API_KEY_VARIABLE = "SLUICE_API_KEY"
MAX_DEFAULT_WORKERS = 4
"""Upper bound of the default, because each worker takes about 400 MB."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    add_model(parser)
    add_tagger(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port (default: 8000; 0 takes a free one)")
    parser.add_argument(
        "--api-key",
        metavar="KEY",
        help=f"key that clients must send (default: ${API_KEY_VARIABLE}, which other users of the machine cannot see)",
    )
    parser.add_argument(
        "--max-upload-mb", type=float, default=25.0, metavar="MB", help="largest upload in MiB (default: 25)"
    )
    parser.add_argument(
        "--max-seconds",
        type=float,
        default=600.0,
        metavar="S",
        help="longest recording in seconds (default: 600)",
    )
    parser.add_argument(
        "--queue-size",
        type=int,
        default=64,
        metavar="N",
        help="requests at the same time, at most; further ones get status 429 (default: 64)",
    )
    add_renamed(parser, "--queue", "--queue-size", type=int)
    parser.add_argument(
        "--batch-size",
        type=int,
        default=16,
        metavar="N",
        help="requests per batch, at most (dynamic batching; default: 16)",
    )
    add_renamed(parser, "--batch", "--batch-size", type=int)
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="batches that are computed at the same time; from 2 on, each worker is a process with its own models "
        f"(default: the number of cores, at most {MAX_DEFAULT_WORKERS}; 1 on a GPU)",
    )
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Listen until SIGTERM or Ctrl-C; then finish the requests that were accepted, and return 0."""
    require_extra("serve", "serving")
    from sluice.server.lifecycle import serve
    from sluice.server.models import load_models
    from sluice.server.settings import ServerSettings

    workers = options.workers if options.workers is not None else _default_workers(options.device)
    settings = ServerSettings(
        host=options.host,
        port=options.port,
        api_key=options.api_key if options.api_key is not None else os.environ.get(API_KEY_VARIABLE),
        max_upload_mb=options.max_upload_mb,
        max_seconds=options.max_seconds,
        queue_size=options.queue_size,
        batch_size=options.batch_size,
        workers=workers,
    )
    load = partial(load_models, options.model, options.tagger, options.device)
    # Audio decoders, event loop and local clients need cores too: with PyTorch on all of them, throughput halves.
    serve(load, settings, options.threads or max(1, (os.cpu_count() or 1) // 2 // workers))
    return 0


def _default_workers(device: str) -> int:
    return min(MAX_DEFAULT_WORKERS, os.cpu_count() or 1) if device == "cpu" else 1
