"""The recognizer and the tagger that the recipe joins: finished runs are taken as they are, others are trained."""

from pathlib import Path

from asr import Transcriber
from asr.config import RecognizerConfig
from recipes.understand.settings import ROOT, UnderstandSettings
from slot_filling import Tagger
from slot_filling.config import NoiseConfig, TaggerConfig
from sluice.recipes import find_recipe
from sluice_core.run_directory import METRICS_FILE

CLEAN = "-clean"
"""The name of the run of the tagger without noise ends with this, after the name of the other."""


def recognizer(settings: UnderstandSettings, runs: Path, cache: Path, quiet: bool) -> Transcriber:
    """Return the recognizer of the run, which is trained and tuned unless that is done."""
    from asr.training import experiment

    config = RecognizerConfig.read(find_recipe(settings.recognizer), settings.recognizer_changes)
    run = runs / config.name
    if not (run / METRICS_FILE).exists():
        experiment.train(config, runs, cache, quiet=quiet)
    transcriber = Transcriber.load(run)
    if transcriber.decoding.method == "beam":
        return transcriber
    _tune(transcriber, cache, quiet)
    return Transcriber.load(run)


def _tune(transcriber: Transcriber, cache: Path, quiet: bool) -> None:
    """Tune the recognizer as `sluice tune RUN` does."""
    from asr.corpora import load_corpus
    from asr.tuning import candidates_from_transcripts, save_tuning, tune_run

    corpus = load_corpus(transcriber.config.corpus, cache)
    candidates = candidates_from_transcripts(list(corpus["train"]["text"]))
    save_tuning(transcriber, tune_run(transcriber, corpus["dev"], candidates, quiet=quiet))


def taggers(settings: UnderstandSettings, runs: Path, quiet: bool) -> dict[str, Tagger]:
    """Return the tagger trained with noise and the one trained without, by name."""
    from slot_filling.training import experiment

    config = TaggerConfig.read(ROOT / settings.tagger, settings.tagger_changes)
    clean = config.model_copy(update={"name": config.name + CLEAN, "noise": NoiseConfig()})
    for each in (config, clean):
        if not (runs / each.name / METRICS_FILE).exists():
            experiment.train(each, runs, quiet=quiet)
    return {"trained with noise": Tagger.load(runs / config.name), "without": Tagger.load(runs / clean.name)}
