"""Compare the speed of the CRF head with pytorch-crf: `python -m benchmarks.heads [--quick] [--json]`.

It needs `pip install pytorch-crf`, which `make bench` does. The loss is measured together with the gradients of
emissions and of all parameters; decoding finds the best path of each sentence. Both get the same batch of 32 sentences
of up to 50 words, and the same scores, and take turns in one process. The ratio is the median time of pytorch-crf
divided by ours, with the smallest acceptable one beside it where there is one. A ragged batch has lengths from 1 to 50;
a padded one has 50 words in every sentence. Measure on an idle machine only.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor

from slot_filling.heads.head import make_head
from slot_filling.heads.viterbi import best_paths
from sluice_core.devices import describe_machine, keep_memory
from sluice_core.errors import UserError
from sluice_core.progress import track

BATCH, TIME = 32, 50
LIMITS = {"loss": 15.0, "decode": 10.0}
"""The smallest acceptable ratio with 127 labels, on one thread and on two."""


@dataclass(frozen=True)
class HeadWorkload:
    """The computation that is timed."""

    work: str
    layout: str
    labels: int
    threads: int

    @property
    def limit(self) -> float | None:
        """The smallest acceptable ratio; None if there is no limit."""
        return LIMITS[self.work] if self.labels == 127 else None


@dataclass(frozen=True)
class HeadRatio:
    """The times of one computation, which are a row of the table."""

    workload: HeadWorkload
    seconds: float
    peer_seconds: float
    rounds: int

    @property
    def ratio(self) -> float:
        """The time of pytorch-crf divided by ours."""
        return self.peer_seconds / self.seconds

    def row(self) -> tuple[object, ...]:
        """Return the cells of the row."""
        workload, limit = self.workload, self.workload.limit
        wanted = "" if limit is None else f"≥{limit:g}{' UNDER' if self.ratio < limit else ''}"
        times = (f"{1000 * self.seconds:.2f}", f"{1000 * self.peer_seconds:.2f}", f"{self.ratio:.1f}")
        return (workload.work, workload.layout, workload.labels, workload.threads, *times, wanted)

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values."""
        return {**asdict(self), "ratio": self.ratio, "limit": self.workload.limit}


def works(workload: HeadWorkload, time_steps: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return our function and that of pytorch-crf, after checking that they compute the same."""
    try:
        from torchcrf import CRF
    except ImportError:
        raise UserError(
            "pytorch-crf is not installed; the benchmark needs it: pip install pytorch-crf"
        ) from None
    generator = torch.Generator().manual_seed(0)
    labels = workload.labels
    head = make_head("crf", labels, np.ones(labels), np.ones((labels, labels)), np.ones(labels))
    peer = CRF(labels, batch_first=True)
    parameters = dict(head.named_parameters())
    ours = [parameters[name] for name in ("transitions", "start", "end")]
    theirs = [peer.transitions, peer.start_transitions, peer.end_transitions]
    with torch.no_grad():
        for left, right in zip(ours, theirs, strict=True):
            left.normal_(generator=generator)
            right.copy_(left)
    emissions = torch.randn(BATCH, time_steps, labels, generator=generator, requires_grad=True)
    tags = torch.randint(labels, (BATCH, time_steps), generator=generator)
    lengths = torch.full((BATCH,), time_steps)
    if workload.layout == "ragged":
        lengths = torch.randint(1, time_steps + 1, (BATCH,), generator=generator)
    mask = torch.arange(time_steps) < lengths[:, None]
    given = emissions.detach()

    def our_loss() -> tuple[Tensor, ...]:
        losses = head.loss(emissions, tags, lengths)
        return losses, *torch.autograd.grad(losses.sum(), [emissions, *ours])

    def their_loss() -> tuple[Tensor, ...]:
        losses = -peer(emissions, tags, mask, reduction="none")
        return losses, *torch.autograd.grad(losses.sum(), [emissions, *theirs])

    for mine, other in zip(our_loss(), their_loss(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-3, rtol=1e-3)  # the peer's float32 is the limit
    if workload.work == "loss":
        return our_loss, their_loss
    paths = [path.tolist() for path in best_paths(head.chain(given, lengths))[0]]
    assert paths == peer.decode(given, mask), "the two do not decode alike"
    return lambda: best_paths(head.chain(given, lengths)), torch.no_grad()(lambda: peer.decode(given, mask))


def measure(rounds: int, time_steps: int, quiet: bool) -> Iterator[HeadRatio]:
    """Measure all ratios; the two take turns."""
    workloads = [
        HeadWorkload(work, layout, labels, threads)
        for labels in (127, 9)
        for threads in (1, 2)
        for work in LIMITS
        for layout in ("padded", "ragged")
    ]
    for workload in track(workloads, "measuring", quiet=quiet):
        torch.set_num_threads(workload.threads)
        both = works(workload, time_steps)
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(rounds + 1):
            for work, kept in zip(both, times, strict=True):
                begun = time.perf_counter()
                work()
                if turn:  # the first warms up
                    kept.append(time.perf_counter() - begun)
        yield HeadRatio(workload, statistics.median(times[0]), statistics.median(times[1]), rounds)


def main() -> None:
    """Print the table, or all figures as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.heads", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help="short sentences, few turns: whether it runs at all"
    )
    parser.add_argument("--json", action="store_true", help="every figure, for programs")
    arguments = parser.parse_args()
    keep_memory()  # as training does; both sides gain by it
    rounds, time_steps = (3, 8) if arguments.quick else (9, TIME)
    machine = describe_machine().rpartition(", ")[0]  # without its threads, which the table says
    try:
        measurements = list(measure(rounds, time_steps, arguments.json))
    except UserError as error:
        sys.exit(str(error))
    if arguments.json:
        print(json.dumps({"machine": machine, "ratios": [each.to_dict() for each in measurements]}, indent=1))
        return
    print(f"{machine}; batch {BATCH}, {time_steps} words; medians of {rounds} turns\n")
    heads = ("work", "batch", "labels", "threads", "ours, ms", "pytorch-crf, ms", "ratio", "wanted")
    print(tabulate([each.row() for each in measurements], heads, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
