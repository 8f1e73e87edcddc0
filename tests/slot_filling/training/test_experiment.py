"""A whole experiment on the embedded corpus: trained, measured, reported; killed it goes on; a run starts another."""

import json
import logging
import math
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from slot_filling.config import TaggerConfig
from slot_filling.tagger import Tagger
from slot_filling.temperatures import Temperatures
from slot_filling.training.experiment import MOST_WORDS, fit, prepare, train
from slot_filling.word_shapes import fold
from sluice_core.errors import TrainingError, UserError
from sluice_core.files import CheckpointError
from tests.conftest import ROOT
from tests.pages import check_self_contained
from tests.processes import start

RECIPES = ROOT / "sluice" / "recipes" / "slots"
SMALL = (
    "corpus.sentences=300",
    "encoder.hidden_size=30",
    "encoder.word_size=30",
    "encoder.engine=native",
    "training.warmup_steps=0",
    "training.learning_rate=1e-2",
    "training.average_decay=0.9",
    "training.max_epochs=4",
    "training.batch_size=8",
)


def config(name: str = "tiny", *changes: str) -> TaggerConfig:
    return TaggerConfig.read(RECIPES / "travel.yaml", [f"name={name}", *SMALL, *changes])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished run "tiny", trained by one thread: weights depend on their number in the last bits."""
    folder = tmp_path_factory.mktemp("slots")
    process = start(train_recipe, write_recipe(folder), folder)
    process.join()
    assert process.exitcode == 0
    return folder


def write_recipe(folder: Path) -> Path:
    recipe = folder / "recipe.yaml"
    recipe.write_text(config().to_yaml(), encoding="utf-8")
    return recipe


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
def test_a_run_has_its_model_figures_answers_and_report(runs: Path) -> None:
    run = runs / "tiny"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["seed"] == 17 and metrics["parameters"] > 1000 and metrics["machine"]
    for part in ("dev", "test"):
        assert metrics[part]["sentences"] == 30 and metrics[part]["f1"] > 0.1
        answers = (run / f"answers-{part}.tsv").read_text(encoding="utf-8").splitlines()
        right = [line.split("\t")[0] for line in answers[1:]]
        assert right.count("yes") / 30 == pytest.approx(metrics[part]["whole_sentences"])
    history = json.loads((run / "history.json").read_text())
    assert min(epoch["dev_error"] for epoch in history) == pytest.approx(1 - metrics["dev"]["f1"], abs=1e-6)
    check_self_contained((run / "report.html").read_text(encoding="utf-8"))
    tagger = Tagger.load(run)
    assert tagger.tag("to Taipei").text == "to Taipei"
    assert asdict(tagger.temperatures) == metrics["temperatures"] != asdict(Temperatures())


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(runs: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = (runs / "tiny" / "model.safetensors").stat().st_mtime_ns
    with caplog.at_level(logging.WARNING):
        metrics = train(config(), runs, quiet=True)
    assert "finished already" in caplog.text
    assert metrics == json.loads((runs / "tiny" / "metrics.json").read_text())
    assert (runs / "tiny" / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.slow
def test_other_settings_for_the_same_run_are_refused(runs: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.layers: 1 there, 2 here"):
        train(config("tiny", "encoder.layers=2"), runs, quiet=True)


def train_recipe(recipe: Path, runs: Path) -> None:
    train(TaggerConfig.read(recipe), runs, quiet=True)


def epochs(run: Path) -> list[dict[str, Any]]:
    file = run / "history.json"
    done = json.loads(file.read_text()) if file.exists() else []
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in done]


@pytest.mark.slow
def test_killed_it_goes_on_and_ends_with_the_same_weights(runs: Path, tmp_path: Path) -> None:
    recipe, run = write_recipe(tmp_path), tmp_path / "tiny"
    process = start(train_recipe, recipe, tmp_path)
    deadline = time.monotonic() + 240
    while len(epochs(run)) < 2:
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.join()
    assert len(epochs(run)) < 4, "killed too late to show anything"
    Tagger.load(run)  # the best so far is whole and usable
    process = start(train_recipe, recipe, tmp_path)
    process.join()
    assert process.exitcode == 0
    assert epochs(run) == epochs(runs / "tiny")
    resumed, whole = weights(run), weights(runs / "tiny")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.slow
def test_a_run_starts_another_with_its_words_and_weights(runs: Path, tmp_path: Path) -> None:
    changes = (
        "corpus.split_seed=5",
        "encoder.hidden_size=7",
        "ensemble=[{}, {}]",
        "training.max_epochs=1",
        "training.learning_rate=1e-9",
    )
    train(config("fine", *changes), tmp_path, start=runs / "tiny", quiet=True)
    first, second = Tagger.load(runs / "tiny"), Tagger.load(tmp_path / "fine")
    assert second.vocabulary == first.vocabulary and second.config.encoders == first.config.encoders
    assert second.config.corpus.split_seed == 5
    for name, weight in first.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], weight, atol=1e-5, rtol=1e-4)


def test_the_vocabulary_is_that_of_training_alone(tmp_path: Path) -> None:
    experiment = prepare(config(), tmp_path / "run")
    train_words, dev_words = (
        {fold(word) for each in experiment.sentences[part] for word in each.words}
        for part in ("train", "dev")
    )
    assert dev_words - train_words, "dev has words of its own"
    assert set(experiment.tagger.vocabulary.words) < train_words
    with pytest.raises(CheckpointError):
        Tagger.load(tmp_path / "run")  # nothing is trained yet


def test_labels_that_only_dev_has_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "train.txt").write_text("to O\nOslo B-city\n\n" * 3)
    (tmp_path / "dev.txt").write_text("to O\nMars B-planet\n\n")
    changed = TaggerConfig.read(RECIPES / "conll.yaml", [f"corpus.data={tmp_path}", "name=x"])
    with caplog.at_level(logging.WARNING):
        prepare(changed, tmp_path / "run")
    assert "dev has labels that training has not, so they cannot be found: planet (1)" in caplog.text


def test_a_corpus_that_is_not_there_claims_no_name(tmp_path: Path) -> None:
    for recipe in ("atis", "snips", "conll", "jsonl"):
        changed = TaggerConfig.read(RECIPES / f"{recipe}.yaml", [f"corpus.data={tmp_path / 'nowhere'}"])
        with pytest.raises(UserError, match="nowhere"):
            prepare(changed, tmp_path / "run")
    with pytest.raises(UserError, match=r"no such run directory"):
        prepare(config(), tmp_path / "run", tmp_path / "no-run")
    assert not (tmp_path / "run").exists()


def test_one_long_sentence_does_not_widen_many(tmp_path: Path) -> None:
    rows = "".join("word O\n" * length + "\n" for length in [1000] * 3 + [3] * 60)
    (tmp_path / "train.txt").write_text(rows)
    (tmp_path / "dev.txt").write_text("word O\n\n")
    changed = TaggerConfig.read(RECIPES / "conll.yaml", [f"corpus.data={tmp_path}", "name=x"])
    shapes = [
        tuple(b.words.words.shape) for b in prepare(changed, tmp_path / "run").loader("train", train=True)
    ]
    assert (
        sum(batch for batch, _ in shapes) == 63 and max(batch * time for batch, time in shapes) <= MOST_WORDS
    )
    assert max(shapes)[0] == 32


def test_devices_share_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = prepare(config("shared", "training.devices=2"), tmp_path / "run")
    for split in ("train", "dev"):
        shares = []
        for rank in ("0", "1"):
            monkeypatch.setenv("LOCAL_RANK", rank)
            shares.append([batch.items for batch in experiment.loader(split, train=split == "train")])
        counts = Counter(item for share in shares for batch in share for item in batch)
        assert counts.keys() == set(range(len(experiment.sentences[split])))
        if split == "train":  # as many batches each: where they do not come out even, one of them comes twice
            assert len(shares[0]) == len(shares[1])
            assert max(counts.values()) == 1 or not set(map(tuple, shares[0])).isdisjoint(
                map(tuple, shares[1])
            )
        else:
            assert all(shares) and set(counts.values()) == {1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["encoder.cell=peephole_lstm", "encoder.engine=native"],
            "encoder.engine: .*native engine cannot run PeepholeLSTM.*encoder.engine=auto",
        ),
        (
            ["encoder.engine=native", "ensemble=[{}, {cell: peephole_lstm}]"],
            "encoder.engine: .*native engine cannot",
        ),
        (["encoder.engine=fast"], "encoder.engine: .*no C.. compiler"),
    ],
)
def test_an_engine_that_cannot_run_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[str], message: str
) -> None:
    monkeypatch.setattr("sluice_cells.compiler.compiler", lambda: None)
    with pytest.raises(UserError, match=message):
        prepare(config("x", "corpus.data=nowhere", *changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_fine_tuning_keeps_the_networks_and_takes_the_engine_it_is_told(tmp_path: Path) -> None:
    ensemble = "ensemble=[{}, {cell: gru}]"
    base = prepare(config("base", ensemble), tmp_path / "base")
    base.tagger.save(tmp_path / "base")
    experiment = prepare(config("x", "encoder.engine=reference"), tmp_path / "x", tmp_path / "base")
    kept = base.config.encoder.model_copy(update={"engine": "reference"})
    assert (experiment.config.encoder, experiment.config.ensemble) == (kept, base.config.ensemble)
    assert [each.stack.engine for each in experiment.tagger.model.encoders] == ["reference"] * 2


def test_an_ensemble_may_be_given_by_its_old_name() -> None:
    assert config("x", "voices=[{}, {cell: gru}]") == config("x", "ensemble=[{}, {cell: gru}]")


def test_a_training_that_diverges_ends_with_advice(tmp_path: Path) -> None:
    experiment = prepare(config(), tmp_path / "run")
    torch.nn.init.constant_(experiment.tagger.model.output.weight, math.nan)
    with pytest.raises(
        TrainingError, match=r"diverged\. Lower training\.learning_rate .*the labelled sentences"
    ):
        fit(experiment, quiet=True)
    assert not (tmp_path / "run" / "model.safetensors").exists()
