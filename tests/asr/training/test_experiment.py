"""What is found before training begins."""

import csv
import logging
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr.acoustic.ctc import required_steps
from asr.config import HearingConfig, RecognizerConfig
from asr.tokens import Tokens
from asr.training.experiment import WORDS_FILE, find_words, fit, prepare
from asr.training.word_exchange import load_words
from asr.transcriber import Transcriber
from sluice_core.errors import TrainingError, UserError
from sluice_core.run_directory import WEIGHTS_FILE
from sluice_core.weights import load_weights
from tests.conftest import RECIPES
from tests.tones import RATE, SETTINGS, say, write_corpus


def config(manifest: Path, *changes: str) -> RecognizerConfig:
    overrides = [*SETTINGS, f"corpus.data={manifest}", "name=tones", *changes]
    return RecognizerConfig.read(RECIPES / "manifest.yaml", overrides)


def add(manifest: Path, name: str, text: str, samples: np.ndarray) -> None:
    soundfile.write(manifest.parent / name, samples, RATE)
    with manifest.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow([name, text, "speaker-0"])


def test_texts_that_do_not_fit_their_frames_are_named_and_left_out(tmp_path: Path, caplog) -> None:
    manifest = write_corpus(tmp_path / "train", 30)
    text = "abba" * 20  # 80 tokens, 19 of them after their like: 99 steps
    add(manifest, "hasty.wav", text, say("ab"))
    add(manifest, "dev.wav", "ab", say("ab"))
    changes = ("corpus.dev_fraction=0.01",)
    with caplog.at_level(logging.WARNING):
        experiment = prepare(config(manifest, *changes), tmp_path / "run", tmp_path / "cache")
    (said,) = [
        record.getMessage() for record in caplog.records if "left out of training: " in record.getMessage()
    ]
    assert f"needs {required_steps(text)} steps (80 tokens" in said
    assert "hasty" in said and "its audio has" in said
    assert not any("hasty" in path for path in experiment.utterances["train"]["audio"])


def test_nothing_fits(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("audio,text,speaker\n")
    for number in range(10):
        add(tmp_path / "m.csv", f"{number}.wav", "a" * 40, say("a"))
    with pytest.raises(UserError, match=r"frames enough.*model\.subsampling=2"):
        prepare(config(tmp_path / "m.csv"), tmp_path / "run", tmp_path / "cache")


def test_characters_that_only_dev_has_are_told(tmp_path: Path, caplog) -> None:
    train, dev = write_corpus(tmp_path / "train", 10), write_corpus(tmp_path / "dev", 3)
    dev.write_text(dev.read_text().replace("b", "好"))
    with caplog.at_level(logging.WARNING):
        experiment = prepare(config(train, f"corpus.dev={dev}"), tmp_path / "run", tmp_path / "cache")
    told = [r.getMessage() for r in caplog.records if r.getMessage().startswith("dev has characters")]
    assert told and "'好'" in told[0]
    examples = experiment.loader("dev", train=False).dataset
    for item, text in enumerate(experiment.utterances["dev"]["text"]):
        assert len(examples[(0, item)].tokens) == len(text) - text.count("好")


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_split_whose_audio_is_gone_ends_training_with_its_name(tmp_path: Path, split: str, caplog) -> None:
    train, dev = write_corpus(tmp_path / "train", 10), write_corpus(tmp_path / "dev", 3)
    experiment = prepare(config(train, f"corpus.dev={dev}"), tmp_path / "run", tmp_path / "cache")
    (tmp_path / split).rename(tmp_path / "elsewhere")
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(UserError, match=f"no utterance of {split} can be read"),
    ):
        fit(experiment, quiet=True)
    assert any(record.getMessage().startswith("left out: ") for record in caplog.records)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_missing_corpus_folder_is_named(tmp_path: Path) -> None:
    for kind in ("an4", "fsdd", "ljspeech", "librispeech"):
        changed = config(tmp_path / "nowhere", f"corpus.kind={kind}")
        with pytest.raises(UserError, match="nowhere"):
            prepare(changed, tmp_path / "run", tmp_path / "cache")
        (tmp_path / "wrong").mkdir(exist_ok=True)
        changed = config(tmp_path / "wrong", f"corpus.kind={kind}")
        with pytest.raises(UserError, match="wrong"):
            prepare(changed, tmp_path / "run", tmp_path / "cache")


def test_batches_of_examples_are_the_same_whoever_makes_them(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    changes = ("augment.start_epoch=0", "augment.noise_probability=1", "augment.time_masks=1")
    batches = []
    for workers in (0, 2):
        experiment = prepare(
            config(manifest, *changes, f"training.workers={workers}"),
            tmp_path / f"run{workers}",
            tmp_path / "cache",
        )
        batches.append(list(experiment.loader("train", train=True)))
    for one, other in zip(*batches, strict=True):
        assert one.items == other.items
        assert one.features.equal(other.features)


def test_augmentation_differs_between_epochs_and_is_off_at_evaluation(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    experiment = prepare(
        config(manifest, "augment.noise_probability=1"), tmp_path / "run", tmp_path / "cache"
    )
    train = experiment.loader("train", train=True).dataset
    assert train[(0, 3)].features.equal(train[(0, 3)].features)  # start_epoch is 10
    assert not train[(10, 3)].features.equal(train[(11, 3)].features)
    assert train[(10, 3)].features.equal(train[(10, 3)].features)
    dev = experiment.loader("dev", train=False).dataset
    assert dev[(0, 0)].features.equal(dev[(11, 0)].features)


def test_training_hears_once_what_use_hears_at_several_vocal_tracts(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    heard = []
    for name, factors in (("once", "[1]"), ("thrice", "[0.9, 1, 1.1]")):
        settings = config(manifest, f"hearing.vocal_tracts={factors}")
        experiment = prepare(settings, tmp_path / name, tmp_path / "cache")
        find_words(experiment, experiment.transcriber.model, quiet=True)
        splits = {"train": True, "dev": False}
        sets = [experiment.loader(split, train=train).dataset for split, train in splits.items()]
        emissions = experiment.transcriber.emissions([say("ab")])[0]
        words = (tmp_path / name / WORDS_FILE).read_bytes()
        heard.append(([each[(0, 0)].features for each in sets], words, emissions))
    (once, words, emitted), (thrice, same_words, averaged) = heard
    assert all(one.equal(other) for one, other in zip(once, thrice, strict=True)) and words == same_words
    assert not np.array_equal(emitted, averaged)


def test_in_parts_the_weights_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    manifest, threads = write_corpus(tmp_path / "train", 16), torch.get_num_threads()
    changes = ("training.parts=2", "training.products=torch", "training.max_epochs=2", "training.workers=0")
    trained = []
    for count in (1, 2):
        settings = config(manifest, *changes, f"training.threads={count}", "augment.start_epoch=1")
        run = tmp_path / str(count)
        fit(prepare(settings, run, tmp_path / "cache"), quiet=True)
        trained.append(load_weights(run / WEIGHTS_FILE))
        assert torch.get_num_threads() == count  # as it was before training
    torch.set_num_threads(threads)
    alone, together = trained
    assert alone.keys() == together.keys() and all(alone[name].equal(together[name]) for name in alone)


def test_without_exchanges_nothing_is_drawn_for_them(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    features = []
    for first in (1, 100):
        changes = ("augment.noise_probability=1", "augment.start_epoch=0", f"augment.exchange_epoch={first}")
        experiment = prepare(config(manifest, *changes), tmp_path / f"run{first}", tmp_path / "cache")
        features.append(experiment.loader("train", train=True).dataset[(5, 3)].features)
    assert features[0].equal(features[1])


def test_with_consistency_a_batch_has_two_views_that_differ_in_masks_alone(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    changes = ("augment.consistency=0.2", "augment.start_epoch=1", "augment.noise_probability=1")
    masks = ("augment.frequency_masks=0", "augment.time_masks=1", "augment.time_mask_frames=10")
    experiment = prepare(config(manifest, *changes, *masks), tmp_path / "run", tmp_path / "cache")
    loader = experiment.loader("train", train=True)
    assert all(batch.views == 1 and len(batch.features) == len(batch.items) for batch in loader)  # too early
    loader.batch_sampler.set_epoch(1)
    for batch in loader:
        assert batch.views == 2 and len(batch.features) == 2 * len(batch.items)
        for several in (batch.lengths, batch.targets, batch.target_lengths):
            first, second = several.chunk(2)
            assert first.equal(second)
        first, second = batch.features.chunk(2)
        differing = (first != second).any(2).sum(1)  # frames that one of the two masks covers
        assert (differing <= 20).all() and differing.any()
    assert all(batch.views == 1 for batch in experiment.loader("dev", train=False))


def test_exchanged_words_bring_their_text_and_fit(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    changes = ("augment.exchange_probability=1", "augment.exchange_epoch=2", "augment.start_epoch=1")
    experiment = prepare(config(manifest, *changes), tmp_path / "run", tmp_path / "cache")
    rows, model = experiment.utterances["train"], experiment.transcriber.model
    find_words(experiment, model, quiet=True)
    written = (tmp_path / "run" / WORDS_FILE).read_text()
    found = load_words(tmp_path / "run" / WORDS_FILE)
    assert [[word.text for word in words] for words in found] == [row["text"].split() for row in rows]
    assert model.training  # as it was
    train = experiment.loader("train", train=True).dataset
    own = [train[(1, item)].tokens for item in range(len(rows))]
    assert own == [experiment.transcriber.tokens.encode(row["text"], row["id"]) for row in rows]
    others = [train[(epoch, item)] for epoch in range(2, 12) for item in range(len(rows))]
    assert sum(each.tokens != own[each.item] for each in others) > len(rows)
    for each in others:
        assert int(model.steps(torch.tensor(len(each.features)))) >= required_steps(each.tokens)
        assert len(experiment.transcriber.tokens.decode(each.tokens).split()) == len(
            rows[each.item]["text"].split()
        )
    Path(rows[0]["audio"]).write_text("no audio any more")
    train = experiment.loader("train", train=True).dataset  # which has read nothing yet
    heard = [train[(epoch, item)] for epoch in range(2, 12) for item in range(len(rows))]
    broken = {each.item for each in heard if each.error}
    assert broken == {0}  # those who would have had a word of it keep their own
    (tmp_path / "run" / WORDS_FILE).write_text("[]")
    find_words(
        experiment, model, quiet=True
    )  # what is noted stays, so that a training that goes on has the same
    assert (tmp_path / "run" / WORDS_FILE).read_text() == "[]" != written


def test_utterances_of_one_name_have_words_of_their_own(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    add(manifest, "same.wav", "ab ba ab", say("ab ba ab"))
    add(manifest, "same.flac", "b", say("b"))
    changes = ("corpus.dev_speakers=[speaker-1]", "augment.exchange_probability=1")
    experiment = prepare(config(manifest, *changes), tmp_path / "run", tmp_path / "cache")
    rows = experiment.utterances["train"]
    assert rows["id"].count(rows[-1]["id"]) == 2
    find_words(experiment, experiment.transcriber.model, quiet=True)
    found = load_words(tmp_path / "run" / WORDS_FILE)
    assert [[word.text for word in words] for words in found][-2:] == [["ab", "ba", "ab"], ["b"]]


def test_an_unreadable_file_leaves_its_reason_in_the_batch(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    experiment = prepare(config(manifest), tmp_path / "run", tmp_path / "cache")
    loader = experiment.loader("train", train=True)  # nothing of it is read yet
    Path(experiment.utterances["train"][0]["audio"]).write_text("no audio any more")
    (batch,) = [batch for batch in loader if batch.errors]
    assert len(batch.errors) == 1 and experiment.utterances["train"][0]["id"] in batch.errors[0]
    assert 0 not in batch.items and len(batch.items) == len(batch.features) == 3


@pytest.mark.parametrize(
    ("cell", "engine", "message"),
    [
        (
            "peephole_lstm",
            "native",
            "model.engine: .*native engine cannot run PeepholeLSTM.*model.engine=auto",
        ),
        ("lstm", "fast", "model.engine: .*no C.. compiler"),
    ],
)
def test_an_engine_that_cannot_run_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, engine: str, message: str
) -> None:
    monkeypatch.setattr("sluice_cells.compiler.compiler", lambda: None)
    settings = (f"model.cell={cell}", f"model.engine={engine}")
    with pytest.raises(UserError, match=message):
        prepare(config(tmp_path / "nowhere.csv", *settings), tmp_path / "run", tmp_path / "cache")
    assert not (tmp_path / "run").exists()


def test_a_run_trained_on_the_fast_engine_loads_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(tmp_path / "m.csv", "model.engine=fast", "model.cell=peephole_lstm", "features.mels=24")
    Transcriber(settings, Tokens.learn(["ab"], settings.tokens)).save(tmp_path / "run")
    monkeypatch.setattr("sluice_cells.compiler.compiler", lambda: None)
    transcriber = Transcriber.load(tmp_path / "run")
    assert transcriber.config.model.engine == "fast"
    log_probs, steps = transcriber.emissions([say("ab")])
    assert np.isfinite(log_probs).all() and steps.tolist() == [log_probs.shape[1]]


def test_fine_tuning_keeps_the_cell_and_takes_engine_and_vocal_tracts_as_told(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 12)
    base = config(manifest, "model.engine=native", "model.cell=gru", "hearing.vocal_tracts=[0.9, 1]")
    Transcriber(base, Tokens.learn(["abcde "], base.tokens)).save(tmp_path / "base")
    experiment = prepare(
        config(manifest, "model.engine=reference"), tmp_path / "run", tmp_path / "cache", tmp_path / "base"
    )
    assert experiment.config.model == base.model.model_copy(update={"engine": "reference"})
    assert experiment.transcriber.model.stack.engine == "reference"
    assert experiment.config.hearing == HearingConfig()  # use is the recipe's own, as augmentation is


def test_devices_share_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_corpus(tmp_path / "train", 40)
    experiment = prepare(
        config(manifest, "training.devices=2", "corpus.dev_fraction=0.4"),
        tmp_path / "run",
        tmp_path / "cache",
    )
    for split in ("train", "dev"):
        shares = []
        for rank in ("0", "1"):
            monkeypatch.setenv("LOCAL_RANK", rank)
            shares.append([batch.items for batch in experiment.loader(split, train=split == "train")])
        counts = Counter(item for share in shares for batch in share for item in batch)
        assert counts.keys() == set(range(len(experiment.utterances[split])))
        if split == "train":  # as many batches each: where they do not come out even, one of them comes twice
            assert len(shares[0]) == len(shares[1])
            assert max(counts.values()) == 1 or not set(map(tuple, shares[0])).isdisjoint(
                map(tuple, shares[1])
            )
        else:
            assert all(shares) and set(counts.values()) == {1}


def test_a_training_that_diverges_ends_with_advice(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "train", 40)
    experiment = prepare(config(manifest, "training.batch_size=2"), tmp_path / "run", tmp_path / "cache")
    torch.nn.init.constant_(experiment.transcriber.model.output.weight, math.nan)
    with pytest.raises(
        TrainingError, match=r"diverged\. Lower training\.learning_rate .*`sluice manifest check`"
    ):
        fit(experiment, quiet=True)
    assert not (tmp_path / "run" / "model.safetensors").exists()
