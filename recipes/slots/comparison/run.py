"""Compare taggers: `python -m recipes.slots.comparison cells|heads|ablation --data FOLDER [--set NAME=VALUE]`.

Trains the taggers of `cells/cells.yaml`, `heads/heads.yaml` or `ablation/ablation.yaml`, prints their table and writes
`runs/slots-cells/report.html` (or slots-heads, slots-ablation). What is finished is kept in `results` beside it: the
same command after an interrupt goes on, and after a change of settings does anew only what they touch.
"""

import json
import shutil
import time
from pathlib import Path

from recipes.command import guarded, option_parser, print_table
from recipes.jobs import ResultStore, run_jobs
from recipes.slots.comparison.report import page, table
from recipes.slots.comparison.settings import ComparisonSettings
from recipes.slots.comparison.training import by_cell, jobs_of
from sluice_core.devices import describe_machine
from sluice_core.files import write_text

HERE = Path(__file__).resolve().parent
QUICK = (
    "name=slots-quick",
    "seeds=[17]",
    "tagger.corpus={kind: travel, sentences: 200}",
    "tagger.training.max_epochs=2",
)
"""Settings that show within a minute that everything works, and nothing else."""


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison with the arguments of the command line, and return the exit code."""
    parser = option_parser("recipes.slots.comparison", __doc__, "slots-quick")
    parser.add_argument("what", choices=["cells", "heads", "ablation"])
    parser.add_argument("--data", type=Path, help="the corpus's folder")
    given = parser.parse_args(arguments)

    def work() -> None:
        data = (("tagger.corpus.data", str(given.data)),) if given.data else ()
        changes = [*data, *(QUICK if given.quick else ()), *given.set]
        settings = ComparisonSettings.read(HERE.parent / given.what / f"{given.what}.yaml", changes)
        run(settings, given.runs / settings.name, given.again, given.quiet)

    return guarded(work)


def run(settings: ComparisonSettings, folder: Path, again: bool = False, quiet: bool = False) -> None:
    """Do the trainings, print their table, and leave `results/`, `results.json` and `report.html` in a folder."""
    begun = time.monotonic()
    jobs = jobs_of(settings)
    if again:
        shutil.rmtree(folder / "results", ignore_errors=True)
    found = run_jobs(jobs, ResultStore(folder / "results"), settings.processes, quiet)["training"]
    results = by_cell(found, settings)
    print_table(table(results, settings))
    machine = describe_machine()
    facts = {"machine": machine, "settings": settings.model_dump(mode="json"), "results": found}
    write_text(folder / "results.json", json.dumps(facts))
    report = page(results, settings, machine).write(folder)
    print(f"{machine}\n{time.monotonic() - begun:.0f} seconds; {report}")
