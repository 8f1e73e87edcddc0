"""A domain's whole experiment: from one grammar file to a run directory that understands people.

Each stage leaves its result in the run directory, so that the same command goes on where it was killed. The last thing
written is `metrics.json`: a run that has it is finished.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sluice.domain import halves
from sluice.domain.evaluation import choose_weight, evaluate_test, listen, weigh_tagger
from sluice.domain.other_speech import learn_to_reject
from sluice.domain.report import page
from sluice.domain.settings import DomainConfig
from sluice.understanding import GRAMMAR_FILE, Understander, UnderstandingConfig
from sluice_core.config import ConfigError
from sluice_core.devices import describe_machine
from sluice_core.files import write_text
from sluice_core.grammar.canonical_values import CanonicalValues
from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.reading import BUILT_IN, read_grammar
from sluice_core.run_directory import CONFIG_FILE, JOINED_FILE
from sluice_core.training.experiment import check_same_settings, finished_metrics, write_metrics
from sluice_core.wording import plural

log = logging.getLogger("sluice")
Result = TypeVar("Result")

STAGES = 6


def train_domain(config: DomainConfig, runs: Path, cache: Path, *, quiet: bool = False) -> dict[str, Any]:
    """Train and join a domain's recognizer and tagger, or go on with it, and write its report.

    Args:
        config: what to do.
        runs: the folder of run directories; this one is `runs/NAME`.
        cache: where what is spoken is kept.
        quiet: show no progress.

    Returns:
        The metrics that `metrics.json` holds.

    Raises:
        UserError: the grammar, the settings or the folders are not as they must be; says what to do.
    """
    begun, run = time.monotonic(), runs / config.name
    grammar = open_run(config, run)
    metrics = finished_metrics(run)
    if metrics is not None:
        return metrics
    stage = StageLog(STAGES)
    stage("speaking and training the recognizer", lambda: halves.train_recognizer(config, run, cache, quiet))
    transcriber = stage(
        "tuning it with a language model of the grammar",
        lambda: halves.tune_recognizer(config, run, grammar, cache, quiet),
    )
    tagger = stage("training the tagger", lambda: halves.train_tagger(config, run, quiet))

    def join() -> list[Any]:
        dev = listen(transcriber, grammar, "dev", config.candidates, cache, quiet)
        by_weight = weigh_tagger(config, tagger, CanonicalValues(grammar), dev)
        joined = UnderstandingConfig(
            recognizer=Path(halves.RECOGNIZER),
            tagger=Path(halves.TAGGER),
            candidates=config.candidates,
            tagger_weight=choose_weight(by_weight),
        )
        write_text(run / JOINED_FILE, joined.to_yaml())
        return by_weight

    by_weight = stage("joining the two", join)

    understander = Understander.load(run)
    stage("learning what is none of these", lambda: learn_to_reject(config, run, understander, cache))

    def evaluate() -> dict[str, Any]:
        test = listen(understander.transcriber, grammar, "test", config.candidates, cache, quiet)
        evaluation = evaluate_test(config, understander, CanonicalValues(grammar), by_weight, test)
        machine = describe_machine()
        page(evaluation, config, grammar, machine, str(run)).write(run)
        parameters = sum(
            parameter.numel()
            for model in (understander.transcriber.model, tagger.model)
            for parameter in model.parameters()
        )
        minutes = (time.monotonic() - begun) / 60
        facts = {"seed": transcriber.config.training.seed, "machine": machine, "parameters": parameters}
        facts["minutes"] = round(minutes, 2)
        return {**facts, **evaluation.to_dict()}

    metrics = stage("evaluating and writing the report", evaluate)
    write_metrics(run, metrics)
    return metrics


def open_run(config: DomainConfig, run: Path) -> Grammar:
    """Read the grammar, and write it and the settings into the run directory, unless they are there.

    Raises:
        GrammarError: the grammar cannot be read.
        ConfigError: the run directory is of another grammar or of other settings.
    """
    grammar = read_grammar(config.grammar)
    text, file = grammar.to_yaml(), run / GRAMMAR_FILE
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise ConfigError(
            f"{run} was made of another grammar than {config.grammar} is now: give this training another --name, or "
            "delete that directory"
        )
    own = config.grammar not in BUILT_IN  # a file may be moved; its content is compared
    kept = config.model_copy(update={"grammar": GRAMMAR_FILE}) if own else config
    check_same_settings(run, kept)
    halves.recognizer_config(config, run)  # errors of either recipe come before anything long
    halves.tagger_config(config, run)
    write_text(file, text)
    write_text(run / CONFIG_FILE, kept.to_yaml())
    intents = plural(len(grammar.intents), "intent")
    log.info(f"{config.name}: {intents}, {plural(grammar.count(), 'sentence')}, language {grammar.language}")
    return grammar


class StageLog:
    """The stages of an experiment, each announced with its number and, once done, its minutes."""

    def __init__(self, count: int) -> None:
        self.count, self.number = count, 0

    def __call__(self, what: str, do: Callable[[], Result]) -> Result:
        """Do the next stage and return its result."""
        self.number += 1
        log.info(f"[{self.number}/{self.count}] {what}")
        begun = time.monotonic()
        result = do()
        log.info(f"[{self.number}/{self.count}] done in {(time.monotonic() - begun) / 60:.1f} minutes")
        return result
