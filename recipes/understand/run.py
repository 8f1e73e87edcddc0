"""Speech to slots, whole: `python -m recipes.understand [--quick] [--set name=value ...]`.

Trains a recognizer and a tagger on the embedded travel requests (or takes the runs that are there), joins them, and
measures both on voices and sentences that neither has met. Writes `runs/understand-travel`, which `sluice understand`
takes, with `report.html` and `metrics.json` in it. After an interrupt the same command goes on.
"""

import json
import time
from pathlib import Path

from recipes.command import guarded, option_parser, print_table
from recipes.understand import halves
from recipes.understand.evaluation import evaluate_requests
from recipes.understand.report import figures_table, page
from recipes.understand.settings import UnderstandSettings
from sluice.understanding import Understander
from sluice_core.devices import describe_machine
from sluice_core.files import write_text

HERE = Path(__file__).resolve().parent
QUICK = (
    "name=understand-quick",
    "recognizer_changes=[name=understand-quick-recognizer, corpus.utterances=60, training.max_epochs=2]",
    "tagger_changes=[name=understand-quick-tagger, corpus.sentences=300, training.max_epochs=4]",
)
"""Settings that show within two minutes that everything works, and nothing else."""


def main(arguments: list[str] | None = None) -> int:
    """Run the recipe with the arguments of the command line, and return the exit code."""
    parser = option_parser("recipes.understand", __doc__, "understand-quick")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="where the spoken corpus is kept")
    given = parser.parse_args(arguments)

    def work() -> None:
        changes = [*(QUICK if given.quick else ()), *given.set]
        settings = UnderstandSettings.read(HERE / "understand.yaml", changes)
        run(settings, given.runs, given.cache, given.quiet)

    return guarded(work)


def run(settings: UnderstandSettings, runs: Path, cache: Path, quiet: bool = False) -> None:
    """Train what is not trained yet, evaluate, and leave the understander with figures and report in its folder."""
    begun = time.monotonic()
    transcriber = halves.recognizer(settings, runs, cache, quiet)
    taggers = halves.taggers(settings, runs, quiet)
    evaluation = evaluate_requests(settings, transcriber, taggers, cache, quiet)
    folder, robust = runs / settings.name, next(iter(taggers.values()))
    understander = Understander(
        transcriber, robust, candidates=settings.candidates, tagger_weight=evaluation.weight
    )
    understander.save(folder)
    print_table(figures_table(evaluation))
    machine = describe_machine()
    facts = {
        "machine": machine,
        "settings": settings.model_dump(mode="json"),
        "minutes": round((time.monotonic() - begun) / 60, 2),
        **evaluation.to_dict(),
    }
    write_text(folder / "metrics.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    report = page(evaluation, settings, machine).write(folder)
    print(
        f"{facts['minutes']:.1f} minutes, {machine}\nreport: {report}\n"
        f"try it: sluice understand {folder} FILE…"
    )
