"""What is planned to be said: shares, splits, held-out engines, repeated and shuffled texts, words nobody can say."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from asr.synthesis.plan import PlanSettings, check_words, draw_texts, plan_corpus, share_out
from asr.synthesis.speak import SpeechJob
from sluice_core.corpus_files import CorpusError
from sluice_core.grammar.grammar import Grammar, split_of
from sluice_core.grammar.travel import TRAVEL
from tests.asr.synthesis.fake_engine import FakeEngine

COUNTS = {"train": 120, "dev": 20, "test": 20}
SPLITS = ("train", "dev", "test")
TINY = Grammar.of({"light": ["light {colour:colour}"]}, {"colour": ["red", "green"]})


def plan(*engines: FakeEngine, held_out: tuple[FakeEngine, ...] = (), grammar: Grammar = TRAVEL, **settings):
    counts = settings.pop("counts", COUNTS)
    return plan_corpus(grammar, engines, held_out, PlanSettings(counts, **settings))


def by(jobs: list[SpeechJob], split: str) -> list[SpeechJob]:
    return [job for job in jobs if job.split == split]


@pytest.fixture
def two():
    train_only = {"train": ("x",), "dev": (), "test": ()}
    return FakeEngine("one"), FakeEngine("two", train_only)


def test_counts_and_seed(two):
    jobs = plan(*two)
    assert {split: len(by(jobs, split)) for split in SPLITS} == COUNTS
    assert len({job.id for job in jobs}) == len(jobs)
    assert plan(*two) == jobs
    assert plan(*two, seed=18) != jobs


def test_no_text_and_no_voice_is_in_two_splits(two):
    jobs = plan(*two)
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not {job.speaker for job in by(jobs, one)} & {job.speaker for job in by(jobs, other)}
        assert not {job.text for job in by(jobs, one)} & {job.text for job in by(jobs, other)}


def test_engines_speak_as_often_as_their_shares_where_they_have_voices(two):
    jobs = plan(*two, shares={"one": 1, "two": 3})
    assert Counter(job.engine for job in by(jobs, "train")) == {"one": 30, "two": 90}
    assert Counter(job.engine for job in by(jobs, "dev")) == {"one": 20}  # the other has no voice to hold out


@pytest.mark.parametrize("shares", [{"one": -1}, {"one": 0, "two": 0}])
def test_impossible_shares_are_refused(two, shares):
    with pytest.raises(CorpusError, match="must be positive"):
        plan(*two, shares=shares)


def test_counts_add_up_however_they_are_divided():
    for total in range(20):
        counts = share_out(total, {"espeak": 3, "piper": 3, "flite": 2, "kokoro": 1})
        assert sum(counts.values()) == total


def test_a_held_out_engine_speaks_in_test_alone_with_all_of_its_voices(two):
    jobs = plan(two[0], held_out=(FakeEngine("unheard"),))
    assert {job.split for job in jobs if job.engine == "unheard"} == {"test"}
    assert {job.voice for job in jobs if job.engine == "unheard"} == {"a", "b", "c", "d", "e"}
    assert {job.engine for job in by(jobs, "test")} == {"one", "unheard"}


def test_another_engine_or_more_utterances_leave_what_an_engine_says_as_it_is(two):
    def of_one(jobs: list[SpeechJob]) -> set[SpeechJob]:
        return {job for job in jobs if job.engine == "one" and job.split == "train"}

    alone = of_one(plan(two[0]))
    shared = of_one(plan(*two))
    assert len(shared) == 60
    assert shared < alone
    assert alone < of_one(plan(two[0], counts={**COUNTS, "train": 200}))


def test_engines_take_turns_in_the_manifest(two):
    first = by(plan(*two), "train")[:10]
    assert Counter(job.engine for job in first) == {"one": 5, "two": 5}


def test_neural_voices_speak_half_of_dev_and_no_more_of_the_rest():
    neural = FakeEngine("neural")
    neural.neural = True
    jobs = plan(FakeEngine("one"), neural, shares={"one": 9, "neural": 1})
    spoken = {split: Counter(job.engine for job in by(jobs, split)) for split in SPLITS}
    assert spoken == {
        "train": {"one": 108, "neural": 12},
        "dev": {"one": 10, "neural": 10},
        "test": {"one": 18, "neural": 2},
    }
    without = plan(FakeEngine("one"), neural, shares={"one": 9, "neural": 0})
    assert {job.engine for job in without} == {"one"}


def test_renderings_are_by_different_voices(two):
    texts = defaultdict(set)
    for job in by(plan(two[0], renderings=3), "train"):
        texts[job.text].add((job.voice, job.seed))
    assert len(texts) == 40
    assert all({voice for voice, _ in said} == {"a", "b", "c"} for said in texts.values())


def test_shuffled_texts_have_the_words_of_the_grammar_and_none_of_its_order(two):
    plain = by(plan(two[0]), "train")
    some = by(plan(two[0], shuffled_share=0.5), "train")
    changed = [new for old, new in zip(plain, some, strict=True) if old.text != new.text]
    assert 40 <= len(changed) <= 80
    assert {word for job in changed for word in job.text.split()} <= TRAVEL.vocabulary()
    assert [len(job.said) for job in some] == [len(job.text.split()) for job in plain]
    jobs = plan(two[0], shuffled_share=1.0)
    assert {job.text for job in by(jobs, "dev")} == {job.text for job in by(plan(two[0]), "dev")}
    pairs = {pair for job in by(jobs, "train") for pair in zip(job.said, job.said[1:], strict=False)}
    usual = {pair for job in plain for pair in zip(job.said, job.said[1:], strict=False)}
    assert len(pairs - usual) > len(pairs & usual)


def test_sounds_are_what_engines_get_and_texts_stay(two):
    grammar = replace(TINY, sounds={"red": "wred red"})
    for job in plan(two[0], grammar=grammar):
        assert job.said == tuple("wred red" if word == "red" else word for word in job.text.split())


def test_a_grammar_of_two_sentences_still_has_all_splits(two):
    jobs = plan(*two, grammar=TINY)
    assert {split: len(by(jobs, split)) for split in SPLITS} == COUNTS
    assert {job.text for job in jobs} == {"light red", "light green"}


def test_texts_belong_to_their_split_and_longer_lists_begin_with_shorter_ones():
    texts = draw_texts(TRAVEL, 30, "17", "dev")
    assert all(split_of(text) == "dev" for text in texts)
    assert draw_texts(TRAVEL, 10, "17", "dev") == texts[:10]
    assert len(set(texts)) == 30


def test_a_word_that_nobody_can_say_is_named(two):
    grammar = Grammar.of({"go": ["to {city:city} please"]}, {"city": ["rome", "łomża"]})
    with pytest.raises(CorpusError, match=r"no synthesizer can say 'ł' in 'łomża': .*sounds: \{łomża: …\}"):
        plan(*two, grammar=grammar)
    check_words(replace(grammar, sounds={"łomża": "womzha"}), two)


def test_an_engine_leaves_sentences_that_it_cannot_say_to_others():
    class Reader(FakeEngine):
        def unsayable(self, text: str) -> str:
            return ""

    grammar = Grammar.of({"go": ["to {city:city}"]}, {"city": ["łódź", "rome", "paris"]})
    jobs = plan(FakeEngine("ascii"), Reader("reader"), grammar=grammar)
    assert "to łódź" not in {job.text for job in jobs if job.engine == "ascii"}
    assert "to łódź" in {job.text for job in jobs if job.engine == "reader"}


def test_a_split_without_voices_says_so(two):
    with pytest.raises(CorpusError, match="none of the engines has a voice for dev"):
        plan(two[1])
