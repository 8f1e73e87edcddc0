"""Speech by espeak-ng: voices, determinism, word times."""

import hashlib
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from asr.synthesis import espeak
from asr.synthesis.espeak import EspeakError, SpeechMark, Synthesizer, Voice, align_words, synthesizer
from sluice_core.grammar.travel import generate

ROOT = Path(__file__).resolve().parents[3]
WORD, PHONEME = espeak.WORD_EVENT, espeak.PHONEME_EVENT


@pytest.fixture
def speaker():
    pytest.importorskip(
        "espeakng_loader", reason="espeak-ng is not installed (the extra sluice-speech[espeak])"
    )
    return synthesizer()


def test_without_espeak_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(EspeakError, match=r"pip install 'sluice-speech\[espeak\]'"):
        Synthesizer()


def test_missing_voice_data_is_an_error_and_not_the_end_of_the_process(monkeypatch, tmp_path, speaker):
    import espeakng_loader

    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(EspeakError, match="phontab is missing"):
        Synthesizer()


def test_voices_are_known_by_language_and_identifier(speaker):
    assert {"en", "en-gb", "gmw/en", "en-us", "en-gb-scotland", "cmn"} <= set(speaker.languages())
    for language in ("en-gb", "gmw/en", "GMW/EN-US"):
        assert speaker.synthesize("hello", Voice(language)).samples.any()


@pytest.mark.parametrize(
    ("voice", "message"),
    [
        (Voice("en-xx"), "no voice 'en-xx'; known: en, "),
        (Voice("en", "f99"), "no voice variant 'f99'; known: "),
    ],
)
def test_an_unknown_voice_is_an_error_that_names_it(speaker, voice, message):
    with pytest.raises(EspeakError, match=message):
        speaker.synthesize("hello", voice)


@pytest.mark.parametrize("text", ["", "   ", "..."])
def test_nothing_to_say_is_an_error(speaker, text):
    with pytest.raises(EspeakError, match="nothing to say"):
        speaker.synthesize(text)


def test_samples_rate_and_pace(speaker):
    text = "two seats from boston to denver on monday morning"
    slow, fast = (speaker.synthesize(text, Voice(rate=rate)) for rate in (120, 200))
    assert slow.samples.dtype == np.int16
    assert slow.sample_rate == 22_050
    assert len(slow.samples) > 1.3 * len(fast.samples)
    assert 1.5 < len(fast.samples) / fast.sample_rate < 4


def test_voices_sound_different(speaker):
    heard = {
        hashlib.sha256(speaker.synthesize("hello there", voice).samples.tobytes()).digest()
        for voice in (
            Voice(),
            Voice(variant="f2"),
            Voice("en-gb-scotland"),
            Voice(pitch=80),
            Voice(pitch_range=0),
        )
    }
    assert len(heard) == 5


def test_the_loudest_variants_are_not_cut_off(speaker):
    for variant in ("ed", "paul", "Gene2"):  # at espeak-ng's usual volume these are
        samples = speaker.synthesize("two seats from boston to denver", Voice(variant=variant)).samples
        assert np.abs(samples.astype(int)).max() < 32_000


def test_words_one_for_one_in_order_and_inside_the_sound(speaker):
    voices = [
        Voice(),
        Voice("en-gb-scotland", "f3"),
        Voice("en-029", "Andrea", 180),
        Voice("en-us-nyc", "klatt4"),
    ]
    for index, sentence in enumerate(generate(300, seed=11)):
        samples, sample_rate, words = speaker.synthesize(sentence.text, voices[index % len(voices)])
        assert [word.text for word in words] == list(sentence.words)
        assert words[0].start_seconds >= 0
        assert words[-1].end_seconds <= len(samples) / sample_rate
        for word, following in pairwise(words):
            assert word.end_seconds <= following.start_seconds + 1e-9, sentence.text
        for word in words:
            assert 0.02 < word.end_seconds - word.start_seconds < 1.5, (sentence.text, words)


def test_word_times_are_where_the_words_are_heard(speaker):
    """The vowel of "see" is loud in the middle of its time; the pause before it is not."""
    samples, sample_rate, words = speaker.synthesize("stop, see")
    stop, see = words
    assert see.start_seconds - stop.end_seconds > 0.1

    def level(start: float, end: float) -> float:
        return float(np.abs(samples[int(start * sample_rate) : int(end * sample_rate)].astype(float)).mean())

    pause = level(stop.end_seconds + 0.03, see.start_seconds - 0.03)
    assert level(see.start_seconds, see.end_seconds) > 20 * (pause + 1)
    assert level(stop.start_seconds, stop.end_seconds) > 20 * (pause + 1)


def test_text_without_spaces_is_one_word(speaker):
    samples, sample_rate, words = speaker.synthesize("好棒棒", Voice("cmn"))
    assert [word.text for word in words] == ["好棒棒"]
    assert words[0].end_seconds > 0.8 * len(samples) / sample_rate


SPEAK = """
import hashlib
from asr.synthesis.espeak import Voice, synthesizer
digest = hashlib.sha256()
for text in ["arrive taipei on november second", "two seats", "two seats"]:
    for voice in (Voice(), Voice("en-gb", "f3", 150, 60)):
        digest.update(synthesizer().synthesize(text, voice).samples.tobytes())
print(digest.hexdigest())
"""


def test_fresh_processes_say_the_same(speaker):
    said = []
    for _ in range(2):
        command = [sys.executable, "-c", SPEAK]
        said.append(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        time.sleep(1.1)  # the library's own seed is the time in seconds
    assert said[0] == said[1]
    assert len(said[0].strip()) == 64


LONG_PATH = """
import sys, espeakng_loader
espeakng_loader.get_data_path = lambda: sys.argv[1]
from asr.synthesis.espeak import Voice, synthesizer
print(len(synthesizer().synthesize("hello", Voice("en-us", "f2")).samples))
"""


def test_data_at_a_path_longer_than_the_library_takes(speaker, tmp_path):
    folder = tmp_path / ("deep" * 40)
    folder.mkdir()
    data = folder / "espeak-ng-data"
    data.symlink_to(speaker.data, target_is_directory=True)
    done = subprocess.run(
        [sys.executable, "-c", LONG_PATH, str(data)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 4000


def test_merged_words_share_their_time_by_letters():
    # "all" is at character 1, "of" at 5, "the" at 8, "day" at 12.
    marks = [SpeechMark(WORD, 1, 0, False), SpeechMark(WORD, 5, 100, False), SpeechMark(WORD, 12, 300, False)]
    words = align_words("all of the day", marks, 400, 100)
    assert [word.text for word in words] == ["all", "of", "the", "day"]
    assert [word.start_seconds for word in words] == pytest.approx([0, 1, 1.8, 3])
    assert [word.end_seconds for word in words] == pytest.approx([1, 1.8, 3, 4])


def test_a_word_ends_at_the_pause_before_the_next():
    marks = [
        SpeechMark(WORD, 1, 0, False), SpeechMark(PHONEME, 1, 0, False), SpeechMark(PHONEME, 1, 30, True),
        SpeechMark(PHONEME, 1, 40, False), SpeechMark(PHONEME, 3, 80, True), SpeechMark(PHONEME, 3, 90, True),
        SpeechMark(WORD, 4, 120, False), SpeechMark(PHONEME, 4, 120, False), SpeechMark(PHONEME, 5, 180, True),
    ]  # fmt: skip
    words = align_words("so yes", marks, 200, 100)
    # The pause at 30 is inside "so", which goes on at 40.
    assert [(word.start_seconds, word.end_seconds) for word in words] == [(0.0, 0.8), (1.2, 1.8)]
