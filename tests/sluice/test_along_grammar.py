"""Understanding along a grammar: modes, rejection, confidences, and the run directory that keeps it all."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile

from asr import Transcriber
from asr.acoustic.emissions import Emission
from asr.decoding.grammar_search import GrammarHypothesis
from asr.decoding.hypothesis import Hypothesis
from asr.tokens import Tokens
from slot_filling.tagger import Tagger
from sluice.along_grammar import AlongGrammar
from sluice.cli import main
from sluice.fitting_rejection import draw_noise, fit_rejection, operating_point
from sluice.rejection import SENTENCE_FEATURES, SLOT_FEATURES, RejectionConfig, slot_features, weigh
from sluice.understanding import Understander, Understanding
from sluice.understood import join
from sluice_core.config import ConfigError
from sluice_core.errors import UserError
from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.reading import read_grammar
from tests.conftest import ToneRun
from tests.tones import RATE, say

GRAMMAR = Grammar.of(
    {"find": ["abb {thing}", "bed {thing} da"], "stop": ["dad"]}, {"thing": ["ace", "cab", "bad dab"]}
)
SENTENCES = [f"abb {thing}" for thing in ("ace", "cab", "bad dab")]
SENTENCES += [f"bed {thing} da" for thing in ("ace", "cab", "bad dab")] + ["dad"]
OTHERS = ["ebb da", "cab ace", "dab", "eee", "acc bed", "da abb", "bead", "ace ace", "ba dad ba", "ea"]


def test_weights_must_fit_the_features() -> None:
    with pytest.raises(ConfigError, match=rf"weights.*{len(SENTENCE_FEATURES) + 1} finite numbers"):
        RejectionConfig.check({"weights": [1.0]}, "rejection.yaml")
    with pytest.raises(ConfigError, match=rf"slot_weights.*{len(SLOT_FEATURES) + 1} finite numbers"):
        RejectionConfig.check({"slot_weights": [math.nan] * (len(SLOT_FEATURES) + 1)}, "rejection.yaml")
    assert RejectionConfig.check({}, "rejection.yaml").probability(np.zeros(len(SENTENCE_FEATURES))) > 0.9


def test_the_operating_point_accepts_one_other_in_two_hundred() -> None:
    others = np.random.default_rng(0).permutation(np.linspace(0, 0.9, 1000))
    threshold = operating_point(others)
    assert (others >= threshold).sum() == 5
    assert (others >= operating_point(others, silent=1000)).sum() == 10
    assert operating_point(np.array([0.2, 0.4])) == pytest.approx(0.4, abs=1e-5)


def hypothesis_of(
    path: list[int], words: tuple[str, ...], steps: tuple[tuple[int, int], ...]
) -> GrammarHypothesis:
    """A sentence whose tokens last one step each; token 1 is the space."""
    starts = tuple(step for step, token in enumerate(path) if token)
    tokens = tuple(path[step] for step in starts)
    labelling = Hypothesis(tokens, starts, tuple(s + 1 for s in starts), (0.5,) * len(tokens), -3.0, -3.0)
    return GrammarHypothesis((0, 1), words, -3.0, -3.0, -1.0, steps, labelling)


def test_what_speaks_against_a_sentence_is_found_where_it_is() -> None:
    path = [0, 2, 3, 1, 0, 3, 0, 0]
    best = hypothesis_of(path, ("ab", "b"), ((1, 3), (5, 6)))
    log_probs = np.full((8, 4), math.log(0.02), np.float32)
    log_probs[np.arange(8), path] = math.log(0.9)
    clean = dict(zip(SENTENCE_FEATURES, weigh(best, log_probs, 0.1).sentence, strict=True))
    assert clean["letters"] == clean["worst word"] == clean["outside"] == 0
    assert clean["confidence"] == clean["least confidence"] == pytest.approx(math.log(0.5))
    assert clean["free confidence"] == pytest.approx(math.log(0.9), abs=1e-4)
    assert clean["length"] == pytest.approx(math.log(3))
    assert clean["rate"] == pytest.approx(math.log(3 / 0.5))
    log_probs[5] = np.log([0.02, 0.02, 0.9, 0.06])  # another letter in the second word
    log_probs[7] = np.log([0.02, 0.02, 0.02, 0.9])  # one more after the sentence
    found = weigh(best, log_probs, 0.1)
    features = dict(zip(SENTENCE_FEATURES, found.sentence, strict=True))
    assert found.word_loss == pytest.approx([0.0, math.log(15)], abs=1e-4)
    assert features["worst word"] == pytest.approx(math.log(15), abs=1e-4)
    assert features["outside"] == pytest.approx(math.log(45) / 3, abs=1e-4)
    assert features["letters"] == pytest.approx((math.log(15) + math.log(45)) / 3, abs=1e-4)
    slot = dict(zip(SLOT_FEATURES, slot_features(0.5, slice(0, 1), found, 0.5), strict=True))
    assert slot["worst word"] == 0.0
    assert slot["agreement"] == slot["sentence"] == 0.0


def test_noise_is_of_many_kinds_and_bounded() -> None:
    drawn = [draw_noise(np.random.default_rng(seed), RATE) for seed in range(40)]
    assert all(1.0 <= len(each) / RATE <= 6.0 and np.abs(each).max() <= 1 for each in drawn)
    loudness = [20 * math.log10(float(np.abs(each).max())) for each in drawn]
    assert min(loudness) < -40 and max(loudness) > -12
    assert np.array_equal(drawn[0], draw_noise(np.random.default_rng(0), RATE))


def test_a_slot_without_words_is_in_the_answer(tmp_path: Path) -> None:
    file = tmp_path / "lights.yaml"
    file.write_text(
        'intents: {on: ["{light:domain} on {first:floor} {thing}"], off: [off]}\n'
        'lists: {light: [{"": light}], first: [{"": "1"}], thing: [lamp]}\n'
    )
    tokens = Tokens.learn(["on lamp off"])
    text = "on lamp"
    log_probs = np.full((2 * len(text), len(tokens)), math.log(0.02), np.float32)
    log_probs[np.arange(0, 2 * len(text), 2), tokens.encode(text)] = math.log(0.8)
    log_probs[1::2, 0] = math.log(0.8)
    weights = RejectionConfig(slot_weights=[1.0, 0.5, -0.5, 0.5, 0.1])
    for rejection in (None, weights):
        along = AlongGrammar(read_grammar(file), tokens, 0.04, rejection)
        (answer,) = along.answer([Emission(log_probs, 1.0)])
        found = join(answer.transcript, answer.tagging, 0.0, (), words_count=False)
        assert (found.text, found.intent) == (text, "on")
        pieces = [(slot.label, slot.value, slot.text, slot.start, slot.end) for slot in found.slots]
        assert pieces == [
            ("domain", "light", "", 0, 0),
            ("floor", "1", "", 3, 3),
            ("thing", "lamp", "lamp", 3, 7),
        ]
        domain, _, thing = found.slots
        assert (domain.written, domain.written_start, domain.written_end) == ("", 0, 0)
        assert (thing.written, found.written_text[thing.written_start : thing.written_end]) == (
            "lamp",
            "lamp",
        )
        assert domain.start_seconds == domain.end_seconds == 0.0 < thing.start_seconds
        assert all(0.5 < slot.confidence <= 1 for slot in found.slots)
        if rejection:
            assert found.confidence == pytest.approx(thing.confidence * answer.probability)
        json.dumps(found.to_dict(), allow_nan=False)


@dataclass(frozen=True)
class Domain:
    """A recognizer of tones with a grammar, and where it is saved."""

    understander: Understander
    folder: Path


@pytest.fixture(scope="module")
def domain(tone_run: ToneRun, random_tagger: Path, tmp_path_factory: pytest.TempPathFactory) -> Domain:
    transcriber = Transcriber.load(tone_run.run)
    random = np.random.default_rng(1)
    said = [(say(text, random), text) for text in [*SENTENCES * 5, *OTHERS]]
    mixed = [" ".join(Random(n).choices(["abb", "bed", "dad", "eca", "da"], k=1 + n % 4)) for n in range(40)]
    others = [say(text, random) for text in mixed if text not in SENTENCES]
    understander = Understander(transcriber, Tagger.load(random_tagger), grammar=GRAMMAR)
    understander.reject_by(fit_rejection(understander, said, others))
    folder = tmp_path_factory.mktemp("domains") / "tones"
    understander.save(folder)
    return Domain(Understander.load(folder), folder)


@pytest.mark.slow
def test_sentences_are_accepted_with_their_meaning_and_others_are_not(domain: Domain) -> None:
    random = np.random.default_rng(7)
    found = list(
        domain.understander.understand_many([say(t, random) for t in SENTENCES], RATE, mode="grammar")
    )
    assert [each.text for each in found] == SENTENCES
    assert all(each.along_grammar and not each.no_match and each.grammar_confidence for each in found)
    first, long = found[0], found[5]
    assert (first.intent, long.text) == ("find", "bed bad dab da")
    ((slot,),) = [long.slots]
    assert (slot.label, slot.value, long.text[slot.start : slot.end]) == ("thing", "bad dab", "bad dab")
    assert 0.5 < slot.confidence <= 1.0
    assert (slot.start_seconds, slot.end_seconds) == (long.words[1].start, long.words[2].end)
    rejected = list(
        domain.understander.understand_many([say(t, random) for t in OTHERS], RATE, mode="grammar")
    )
    assert sum(each.no_match for each in rejected) >= len(OTHERS) - 1
    nothing = next(each for each in rejected if each.no_match)
    assert (nothing.text, nothing.slots, nothing.intent, nothing.alternatives) == ("", (), None, ())
    silence = domain.understander.understand(np.zeros(RATE, np.float32), RATE, mode="grammar", alternatives=2)
    assert silence.no_match
    json.dumps(silence.to_dict(), allow_nan=False)


@pytest.mark.slow
def test_auto_is_the_grammar_where_it_holds_and_open_elsewhere(domain: Domain) -> None:
    samples = [say("abb cab"), say("ea eee ab"), say("dad")]
    auto, along, openly = (
        list(domain.understander.understand_many(samples, RATE, mode=mode, alternatives=2))  # type: ignore[arg-type]
        for mode in ("auto", "grammar", "open")
    )
    assert [each.no_match for each in auto] == [False, True, False]
    assert auto[0] == along[0] and auto[2] == along[2]
    assert (auto[1].text, auto[1].slots) == (openly[1].text, openly[1].slots)
    assert not any(each.no_match or each.along_grammar for each in openly)
    assert all(each.grammar_confidence is None for each in openly)
    assert 1 <= len(along[1].alternatives) <= 2
    assert {each.text for each in along[1].alternatives} <= set(SENTENCES), "what came nearest"
    values = [[(slot.label, slot.value) for slot in each.slots] for each in along[1].alternatives]
    assert len({str(each) for each in values}) == len(values), "no two mean the same"
    alone = [domain.understander.understand(each, RATE, alternatives=2) for each in samples]
    assert [texts(each) for each in alone] == [texts(each) for each in auto]


def texts(found: Understanding) -> list[str]:
    return [found.text, *(each.text for each in found.alternatives)]


@pytest.mark.slow
def test_the_command_says_when_it_is_none_of_these(
    domain: Domain, random_tagger: Path, tone_run: ToneRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("a", "abb ace"), ("b", "ea eee ab")):
        soundfile.write(tmp_path / f"{name}.wav", say(text), RATE)
    arguments = ["understand", str(domain.folder), str(tmp_path), "--quiet", "--mode", "grammar"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "a.wav: abb ace" in out.lower() and "in the grammar (" in out
    assert "b.wav: none of these" in out and "not in the grammar (" in out
    plain = ["understand", str(tone_run.run), "--tagger", str(random_tagger), str(tmp_path), "--quiet"]
    assert main([*plain, "--mode", "grammar"]) != 0
    assert "has no grammar" in capsys.readouterr().err


@pytest.mark.slow
def test_too_few_utterances_fit_nothing(domain: Domain) -> None:
    with pytest.raises(UserError, match=r"0 sentences .* 20 of each are needed"):
        fit_rejection(domain.understander, [], [say("eee")], noises=[])


@pytest.mark.slow
def test_a_run_says_what_its_rejection_was_fitted_to(domain: Domain) -> None:
    rejection = domain.understander.rejection
    assert rejection is not None and domain.understander.along_grammar.rejection is rejection
    assert 20 <= rejection.sentences <= 2 * 5 * len(SENTENCES)  # as they are and in noise, where understood
    assert 130 < rejection.others <= 100 + 40 + len(OTHERS)
    assert rejection.accepted is not None and 0 < rejection.accepted <= 1


@pytest.mark.slow
def test_recordings_of_minutes_are_no_sentence(domain: Domain) -> None:
    long = np.tile(say("abb ace"), 55)
    assert len(long) / RATE > 60
    along = domain.understander.understand(long, RATE, mode="grammar")
    assert along.no_match and along.text == ""
    auto = domain.understander.understand(long, RATE)
    assert auto.no_match and "abb ace" in auto.text
