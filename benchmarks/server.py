"""Measure `sluice serve` with many clients at once, compared with one client: throughput, latency, statuses, memory.

    python -m benchmarks.server [RUN] [--tagger RUN] [--clients 32] [--seconds 60] [--audio FILE …]

RUN is what `sluice serve` takes; without it an untrained model of the AN4 recipe is served. Each client sends clips of
mixed lengths one after another over one connection, to `/v1/audio/transcriptions` and, if the server has a tagger, half
of them to `/v1/understand`.
"""

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tabulate import tabulate

from asr.audio.reading import audio_info
from benchmarks.common import recordings
from benchmarks.transcribe import random_run
from sluice_core.devices import describe_machine

BOUNDARY = "sluice-benchmark"
TURNS = 6
"""One client and many take turns, so that other load affects both; throughputs are medians over the turns."""


@dataclass(frozen=True)
class Clip:
    """The body of a request, and the duration of its audio."""

    body: bytes
    seconds: float


@dataclass(frozen=True)
class Reply:
    """The result of a request."""

    status: int
    """The HTTP status; 0 if the connection broke."""
    latency_seconds: float
    audio_seconds: float
    at_seconds: float
    """When the answer was complete."""


def clip(path: Path) -> Clip:
    """Return a file as the body of a form."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    body = head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Clip(body, audio_info(path).duration_seconds)


def start(arguments: Sequence[str]) -> tuple["subprocess.Popen[str]", int]:
    """Start a server; return its process and port once it listens."""
    command = [sys.executable, "-m", "sluice.cli", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Listening on "):
            port = int(line.split()[2].rpartition(":")[2])
            threading.Thread(target=process.stderr.read, daemon=True).start()  # so that its pipe never fills
            return process, port
    raise SystemExit(f"the server ended with {process.wait()}")


def memory_mb(process: "subprocess.Popen[str]") -> float:
    """Return the memory of a process and its children, shared pages counted once (Linux; NaN elsewhere)."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return sum(map(_share_kb, [str(process.pid), *children])) / 1024
    except OSError:
        return float("nan")


def _share_kb(pid: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1])


def ask(line: http.client.HTTPConnection, endpoint: str, sent: Clip) -> Reply:
    """Send a request and wait for the answer."""
    started = time.perf_counter()
    try:
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        line.request("POST", endpoint, sent.body, kind)
        response = line.getresponse()
        response.read()
        status = response.status
    except (OSError, http.client.HTTPException):
        line.close()
        status = 0
    ended = time.perf_counter()
    return Reply(status, ended - started, sent.seconds, ended)


@dataclass(eq=False)
class Load:
    """The results of a number of clients, over all turns."""

    clients: int
    replies: list[Reply] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    """Requests answered a second, in each turn."""
    audio_per_second: list[float] = field(default_factory=list)
    """Seconds of audio answered a second, in each turn."""
    memory_mb: list[float] = field(default_factory=list)
    """The server's memory after each turn."""

    def add(self, replies: Sequence[Reply], until: float, seconds: float, megabytes: float) -> None:
        """Add a turn of `seconds` that ended at `until`; later answers, with fewer clients waiting, do not count."""
        good = [reply for reply in replies if reply.status == 200 and reply.at_seconds <= until]
        self.replies += replies
        self.per_second.append(len(good) / seconds)
        self.audio_per_second.append(sum(reply.audio_seconds for reply in good) / seconds)
        self.memory_mb.append(megabytes)

    def row(self) -> list[str]:
        """Return a row of the table."""
        latencies = [reply.latency_seconds for reply in self.replies if reply.status == 200] or [float("nan")]
        statuses = Counter(reply.status for reply in self.replies)
        return [
            f"{self.clients}",
            f"{statistics.median(self.per_second):.1f}",
            f"{statistics.median(self.audio_per_second):.1f}",
            *(f"{1000 * np.percentile(latencies, share):.0f}" for share in (50, 99)),
            ", ".join(f"{status or 'broken'}: {count}" for status, count in sorted(statuses.items())),
            ", ".join(f"{megabytes:.0f}" for megabytes in self.memory_mb),
        ]


def turn(
    port: int, clips: Sequence[Clip], endpoints: Sequence[str], clients: int, seconds: float, seed: int
) -> tuple[list[Reply], float]:
    """Return all replies to a number of clients, and when the turn ended; requests sent by then are waited for."""
    replies: list[Reply] = []
    until = time.perf_counter() + seconds

    def client(number: int) -> None:
        generator = random.Random(f"{seed} {number}")
        line = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < until:
            replies.append(ask(line, generator.choice(endpoints), generator.choice(clips)))
        line.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies, until


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.server", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="what to serve (default: an untrained recognizer)"
    )
    parser.add_argument("--tagger", metavar="RUN", help="a tagger's run beside it")
    parser.add_argument("--clients", type=int, default=32, help="clients at once (default: 32)")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="how long, all turns together (default: 60)"
    )
    parser.add_argument(
        "--alone", type=float, metavar="S", help="how long one client alone (default: a quarter)"
    )
    parser.add_argument("--audio", nargs="+", type=Path, help="files to send (default: AN4's, or noise)")
    parser.add_argument(
        "--serve", default="", metavar="OPTIONS", help='of sluice serve, such as "--batch-size 8"'
    )
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    options = read_options()
    files, what = (options.audio, f"{len(options.audio)} files") if options.audio else recordings(100)
    clips = [clip(path) for path in files]
    arguments = [str(options.run or random_run()), *options.serve.split()]
    arguments += ["--tagger", options.tagger] if options.tagger else []
    process, port = start(arguments)
    try:
        line = http.client.HTTPConnection("127.0.0.1", port)
        line.request("GET", "/health")
        tags = json.loads(line.getresponse().read())["tags"]
        line.close()
        endpoints = ["/v1/audio/transcriptions"] + ["/v1/understand"] * tags
        alone = options.seconds / 4 if options.alone is None else options.alone
        loads = {Load(1): alone, Load(options.clients): options.seconds}
        for number in range(TURNS):
            for found, seconds in loads.items():
                replies, until = turn(port, clips, endpoints, found.clients, seconds / TURNS, number)
                found.add(replies, until, seconds / TURNS, memory_mb(process))
    finally:
        process.terminate()
        ended = process.wait()
    lengths = sorted(each.seconds for each in clips)
    print(f"{describe_machine()}\n{what}, {lengths[0]:.1f} to {lengths[-1]:.1f} s; {' and '.join(endpoints)}")
    print(f"after SIGTERM the server ended with {ended}\n")
    header = [
        "clients",
        "requests/s",
        "audio s/s",
        "p50 ms",
        "p99 ms",
        "statuses",
        "MB after each turn",
    ]
    rows = [found.row() for found in loads]
    print(tabulate(rows, header, tablefmt="github", disable_numparse=True))
    ratios = [many / one for one, many in zip(*(found.per_second for found in loads), strict=True)]
    print(f"\n{options.clients} clients get {statistics.median(ratios):.2f} times the answers of one")


if __name__ == "__main__":
    main()
