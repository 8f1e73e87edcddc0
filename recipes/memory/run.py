"""How long recurrent cells remember: `python -m recipes.memory [--quick] [--again] [--set name=value ...]`.

Does the experiments of `memory.yaml`, prints their tables and writes `runs/memory/report.html`. What is finished is
kept in `runs/memory/results`: the same command after an interrupt goes on, and after a change of settings does anew
only what they touch.
"""

import json
import shutil
import time
from pathlib import Path

from recipes.command import guarded, option_parser, print_table
from recipes.jobs import ResultStore, run_jobs
from recipes.memory.jobs import jobs_of
from recipes.memory.report import highlights, page, tables
from recipes.memory.settings import MemorySettings
from sluice_core.devices import describe_machine
from sluice_core.files import write_text

HERE = Path(__file__).resolve().parent
QUICK = (
    "adding.lags=[3, 6]",
    "adding.steps=50",
    "adding.learning_rates=[0.01]",
    "copying.lags=[3, 6]",
    "copying.steps=50",
    "copying.learning_rates=[0.01]",
    "gradients.steps_back=40",
    "gradients.steps=50",
    "generation.steps=50",
    "generation.learning_rates=[0.01]",
    "generation.targets=2",
)
"""Settings that show within seconds that everything works, and nothing else."""


def main(arguments: list[str] | None = None) -> int:
    """Run the recipe with the arguments of the command line, and return the exit code."""
    given = option_parser("recipes.memory", __doc__, "memory-quick").parse_args(arguments)

    def work() -> None:
        quick = ("name=memory-quick", *QUICK) if given.quick else ()
        settings = MemorySettings.read(HERE / "memory.yaml", [*quick, *given.set])
        run(settings, given.runs / settings.name, given.again, given.quiet)

    return guarded(work)


def run(settings: MemorySettings, folder: Path, again: bool = False, quiet: bool = False) -> None:
    """Do the experiments, print their tables, and leave `results/`, `results.json` and `report.html` in a folder."""
    begun = time.monotonic()
    if again:
        shutil.rmtree(folder / "results", ignore_errors=True)
    jobs = jobs_of(settings)
    found = run_jobs(jobs, ResultStore(folder / "results"), settings.processes, quiet)
    for table in tables(found, settings):
        print_table(table)
    for what, figure in highlights(found, settings):
        print(f"{what}: {figure}")
    machine = describe_machine()
    facts = {"machine": machine, "settings": settings.model_dump(mode="json"), "results": found}
    write_text(folder / "results.json", json.dumps(facts))
    report = page(found, settings, machine).write(folder)
    print(f"{machine}\n{time.monotonic() - begun:.0f} seconds; {report}")
