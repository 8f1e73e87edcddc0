"""Every engine keeps the protocol: voices by split, reasons for absence, and the same sound for the same call."""

import json
import subprocess
import tarfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from asr.synthesis import engines
from asr.synthesis.corpus import make_chunks
from asr.synthesis.engines import CLASSES, choose_engines, make_engine
from asr.synthesis.engines.kokoro import VOICES, Kokoro
from asr.synthesis.engines.piper import Piper, describe
from asr.synthesis.engines.protocol import Engine
from asr.synthesis.kokoro_styles import _take_out, fetch_styles, fetched_styles, styles_folder
from asr.synthesis.speak import SpeechJob, seconds_needed, speak
from asr.synthesis.speech import EngineError
from tests.asr.synthesis.fake_engine import FakeEngine

TEXT = "ten past two"


def installed(name: str) -> Engine:
    engine = make_engine(name)
    if reason := engine.available():
        pytest.skip(reason)
    return engine


def job(**changes) -> SpeechJob:
    text = changes.pop("text", TEXT)
    fields = {
        "id": "train-fake-0000",
        "text": text,
        "said": tuple(text.split()),
        "engine": "fake",
        "voice": "a",
        "seed": 7,
        "peak_db": -6.0,
        "noise_db": -70.0,
        "before_seconds": 0.1,
        "after_seconds": 0.2,
    }
    return SpeechJob(**{**fields, **changes})


# The protocol, by each engine that is installed.


@pytest.mark.parametrize("name", CLASSES)
def test_engines_describe_themselves(name):
    engine = make_engine(name)
    assert engine.name == name
    assert engine.licence and engine.install
    reason = engine.available()
    assert reason is None or engine.install in reason


@pytest.mark.parametrize("name", CLASSES)
def test_no_voice_is_in_two_splits(name):
    engine = installed(name)
    voices = engine.voices("en")
    assert voices["train"]
    for one, other in combinations(voices.values(), 2):
        assert not set(one) & set(other)
    assert not any(engine.voices("xx").values())
    assert engine.version()


@pytest.mark.parametrize("name", CLASSES)
def test_speech_has_sound_and_follows_pace_and_seed(name):
    engine = installed(name)
    voice = engine.voices("en")["train"][0]
    speech = engine.speak(TEXT, voice, seed=1)
    assert speech.samples.ndim == 1
    assert np.abs(speech.samples).max() > 0
    assert 0.4 < len(speech.samples) / speech.sample_rate < 5
    assert speech.words is None or [word.text for word in speech.words] == TEXT.split()
    slow = engine.speak(TEXT, voice, seed=1, pace=0.7)
    assert len(slow.samples) > 1.1 * len(speech.samples)
    assert len(engine.speak(TEXT, voice, seed=2).samples) != len(speech.samples)


@pytest.mark.parametrize("name", CLASSES)
def test_unknown_voices_and_empty_texts_are_errors(name):
    engine = installed(name)
    with pytest.raises(EngineError, match="no voice"):
        engine.speak(TEXT, "nobody", seed=1)
    with pytest.raises(EngineError, match="nothing to say"):
        engine.speak("...", engine.voices("en")["train"][0], seed=1)


@pytest.mark.parametrize("name", CLASSES)
def test_symbols_are_not_sayable_and_letters_are(name):
    engine = make_engine(name)
    assert engine.unsayable("i'd like a café-crème") == ""
    assert engine.unsayable("a ☕") == "☕"


# Choosing engines.


def replace_engines(monkeypatch: pytest.MonkeyPatch, *fakes: FakeEngine) -> None:
    monkeypatch.setattr(
        engines, "make_engine", lambda name, files=(): {fake.name: fake for fake in fakes}[name]
    )
    monkeypatch.setattr(engines, "CLASSES", {fake.name: "" for fake in fakes})


def test_auto_takes_what_pip_brings_and_all_takes_the_systems_too(monkeypatch):
    system = FakeEngine("system")
    system.by_pip = False
    replace_engines(
        monkeypatch, FakeEngine("here"), FakeEngine("missing", reason="missing is missing"), system
    )
    assert [engine.name for engine in choose_engines("auto", "en")] == ["here"]
    assert [engine.name for engine in choose_engines("all", "en")] == ["here", "system"]
    with pytest.raises(EngineError, match="no synthesizer speaks 'de' here: missing is missing"):
        choose_engines("auto", "de")


def test_an_engine_that_is_named_must_be_there_and_speak_the_language(monkeypatch):
    with pytest.raises(
        EngineError, match="there is no synthesizer 'speak-and-spell'; there are espeak, hibari"
    ):
        choose_engines(["speak-and-spell"], "en")
    replace_engines(monkeypatch, FakeEngine("here"), FakeEngine("missing", reason="missing is missing"))
    with pytest.raises(EngineError, match="missing is missing"):
        choose_engines(["missing"], "en")
    with pytest.raises(EngineError, match="here has no voice for the language 'de'"):
        choose_engines(["here"], "de")


@pytest.mark.parametrize(
    ("name", "command"), [("flite", "apt install flite"), ("festival", "apt install festival")]
)
def test_programs_of_the_system_say_how_to_install_them(monkeypatch, name, command):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match=f"{name} is not available: install it with {command}"):
        choose_engines([name], "en")


@pytest.mark.parametrize("name", ["piper", "kokoro"])
def test_packages_that_are_missing_are_named(monkeypatch, name):
    monkeypatch.setattr(
        f"asr.synthesis.engines.{name}.missing", lambda *modules: [m for m in modules if m == "onnxruntime"]
    )
    with pytest.raises(
        EngineError, match=r"onnxruntime missing\): install it with .*sluice-speech\[voices\]"
    ):
        choose_engines([name], "en")


# Speaking a job.


def test_a_job_has_its_level_and_its_pauses():
    samples, words = speak(job(text="abcabcabcabc"), FakeEngine())
    assert words == []
    assert np.abs(samples).max() == pytest.approx(10 ** (-6 / 20), rel=0.05)
    assert np.abs(samples[: int(0.09 * 16_000)]).max() < 0.01
    assert np.abs(samples[-int(0.19 * 16_000) :]).max() < 0.01


def test_speech_too_short_for_ctc_is_said_again_slower_and_at_last_refused():
    engine = FakeEngine(seconds=0.02)
    samples, _ = speak(job(text="abcabcabcabcabc"), engine)
    assert len(samples) / 16_000 >= seconds_needed("abcabcabcabcabc")
    assert [pace for *_, pace in engine.said] == sorted((pace for *_, pace in engine.said), reverse=True)
    assert len(engine.said) > 1
    with pytest.raises(EngineError, match="too few for its letters"):
        speak(job(text="abcabcabcabcabc"), FakeEngine(seconds=0.002))


def test_words_keep_their_times_when_they_are_respelled():
    engine = installed("espeak")
    text, said = "call eva now", ("call", "eh vah", "now")
    _, words = speak(job(text=text, said=said, engine="espeak", voice="en-us"), engine)
    assert [word.text for word in words] == text.split()
    times = [time for word in words for time in (word.start_seconds, word.end_seconds)]
    assert times == sorted(times)


# Kokoro's voices.


def test_kokoros_voices_differ_and_held_out_ones_are_apart():
    kokoro = Kokoro()
    if reason := kokoro.available():
        pytest.skip(reason)
    styles = {name: kokoro.style(name)[20, 0] for names in VOICES.values() for name in names}

    def nearest(name: str, among: tuple[str, ...]) -> float:
        return min(float(np.linalg.norm(styles[name] - styles[other])) for other in among if other != name)

    assert all(nearest(name, tuple(styles)) > 0.01 for name in styles)
    between = np.median([nearest(name, VOICES["train"]) for name in VOICES["train"]])
    assert all(nearest(name, VOICES["train"]) > between for name in VOICES["dev"])
    assert np.array_equal(kokoro.style("mix-07"), Kokoro().style("mix-07"))


def test_damaged_weights_are_refused(monkeypatch):
    installed("kokoro")
    monkeypatch.setattr("asr.synthesis.engines.kokoro.PARTS", [])
    with pytest.raises(EngineError, match="network is damaged"):
        Kokoro().speak(TEXT, "mix-00", 1)


def test_styles_in_files_join_the_splits_and_the_mixtures(tmp_path):
    installed("kokoro")
    generator = np.random.default_rng(1)
    for number in range(60):
        (generator.standard_normal((510, 256)) / 10).astype("<f4").tofile(tmp_path / f"af_{number}.bin")
    plain, more = Kokoro(), make_engine("kokoro", [tmp_path])
    voices = more.voices("en")
    for split in ("dev", "test"):
        assert 2 <= len(voices[split]) - len(VOICES[split]) <= 15
        assert more.style(voices[split][-1]).shape == (510, 1, 256)
    mixed = [not np.allclose(plain.style(name), more.style(name)) for name in VOICES["train"]]
    assert sum(mixed) > 80
    (tmp_path / "jf_tebukuro.bin").write_bytes((tmp_path / "af_1.bin").read_bytes())
    held_out = make_engine(
        "kokoro", [tmp_path]
    )  # with a file of a style that the package brings and dev is built on
    assert held_out.voices("en") == voices
    assert np.array_equal(held_out.style("tebukuro-0"), plain.style("tebukuro-0"))
    for content in (b"", b"1234", np.full(256, np.nan, "<f4").tobytes()):
        (tmp_path / "af_bad.bin").write_bytes(content)
        with pytest.raises(EngineError, match=r"af_bad.bin: not a style of Kokoro"):
            make_engine("kokoro", [tmp_path / "af_bad.bin"]).speak(TEXT, "mix-00", 1)


def test_other_files_of_voices_make_other_chunks(tmp_path):
    jobs = [job(engine="kokoro", voice="mix-00"), job(engine="espeak", voice="en-us")]

    def keys() -> dict[str, str]:
        return {chunk.engine: chunk.key for chunk in make_chunks(jobs, [tmp_path])}

    (tmp_path / "af_1.bin").write_bytes(b"one")
    before = keys()
    assert keys() == before
    (tmp_path / "af_1.bin").write_bytes(b"two")
    assert keys()["kokoro"] != before["kokoro"]
    assert keys()["espeak"] == before["espeak"]


@pytest.mark.parametrize("name", ["voices.txt", "nothing.onnx", "folder"])
def test_what_is_no_file_of_voices_is_named(tmp_path, name):
    (tmp_path / "voices.txt").write_text("hello")
    (tmp_path / "folder").mkdir()
    with pytest.raises(EngineError, match=f"{name}: no file or folder of voices: there are .onnx for Piper"):
        choose_engines("auto", "en", [tmp_path / name])


# Piper's files.


def write_voice(path: Path, speakers: int, language: str = "en") -> Path:
    path.write_bytes(b"")
    tree = {
        "audio": {"sample_rate": 16000},
        "espeak": {"voice": f"{language}-us"},
        "num_speakers": speakers,
        "speaker_id_map": {f"p{number}": number for number in range(speakers)} if speakers > 1 else {},
        "num_symbols": 256,
        "phoneme_id_map": {},
    }
    Path(f"{path}.json").write_text(json.dumps(tree))
    return path


def test_a_piper_voice_without_its_json_is_named(tmp_path):
    path = tmp_path / "amy.onnx"
    path.write_bytes(b"")
    with pytest.raises(
        EngineError, match=r"amy.onnx: a voice of Piper needs its JSON beside it, amy.onnx.json"
    ):
        describe(path)
    with pytest.raises(EngineError, match="there is no such voice of Piper"):
        describe(tmp_path / "none.onnx")
    for content in ("[]", "{", "{}"):
        Path(f"{path}.json").write_text(content)
        with pytest.raises(EngineError, match=r"amy.onnx.json"):
            describe(path)


def test_each_speaker_of_a_piper_file_is_a_voice_and_many_are_divided(tmp_path):
    installed("piper")
    piper = Piper([write_voice(tmp_path / "few.onnx", 4), write_voice(tmp_path / "many.onnx", 80)])
    voices = piper.voices("en")
    assert {f"few#p{number}" for number in range(4)} <= set(voices["train"])
    assert all(
        4 <= len([v for v in voices[split] if v.startswith("many#")]) <= 20 for split in ("dev", "test")
    )
    assert sum(len(names) for names in voices.values()) >= 84
    assert Piper([write_voice(tmp_path / "lessac.onnx", 1, "de")]).voices("de")["train"] == ("lessac",)


def test_two_files_of_one_name_are_refused(tmp_path):
    installed("piper")
    (tmp_path / "other").mkdir()
    paths = [write_voice(folder / "amy.onnx", 1) for folder in (tmp_path, tmp_path / "other")]
    with pytest.raises(EngineError, match="two voices of Piper are called amy"):
        Piper(paths).voices("en")


def test_without_a_voice_piper_says_so(monkeypatch):
    installed("piper")
    monkeypatch.setattr(
        "asr.synthesis.engines.piper.missing", lambda *modules: [m for m in modules if m.startswith("joe")]
    )
    assert "Piper has no voice" in str(Piper().available())


# Kokoro's published styles.


def test_fetched_styles_are_voices_by_themselves_and_in_mixtures(monkeypatch, tmp_path):
    installed("kokoro")
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    few = Kokoro()
    styles_folder().mkdir(parents=True)
    names = [f"{accent}m_{number}" for accent in "abz" for number in range(10)]
    for name in names:
        np.random.default_rng(len(name)).standard_normal(3 * 256).astype("<f4").tofile(
            styles_folder() / f"{name}.bin"
        )
    many = Kokoro()
    assert many.version() != few.version()
    voices = many.voices("en")
    assert {name for among in voices.values() for name in among if "_" in name} == set(names)
    assert sum("_" in name for name in voices["train"][:10]) == 5
    assert any(
        not np.array_equal(many.style(f"mix-{n:02d}")[:3], few.style(f"mix-{n:02d}")[:3]) for n in range(9)
    )


def test_styles_are_taken_from_a_source_archive(monkeypatch, tmp_path):
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    assert fetched_styles() == []
    for name in ("af_x.bin", "other.txt"):
        (tmp_path / name).write_text("style")
    with tarfile.open(tmp_path / "source.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "af_x.bin", "kokoro-0/kokoro.js/voices/af_x.bin")
        archive.add(tmp_path / "other.txt", "kokoro-0/kokoro.js/voices/other.txt")
        archive.add(tmp_path / "af_x.bin", "kokoro-0/kokoro.js/af_y.bin")
    styles_folder().mkdir(parents=True)
    assert _take_out(tmp_path / "source.tar.gz", styles_folder()) == 1
    assert [path.name for path in fetched_styles()] == ["af_x.bin"]


def test_what_pip_fetches_must_be_what_it_was(monkeypatch, tmp_path):
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))

    def download(command, **options):
        (Path(command[command.index("--dest") + 1]) / "kokoro-0.9.4.tar.gz").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(EngineError, match="another checksum"):
        fetch_styles()
    failed = subprocess.CompletedProcess([], 1, "", "looking\nERROR: No matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *command, **options: failed)
    with pytest.raises(EngineError, match=r"pip cannot fetch .*No matching distribution"):
        fetch_styles()
    assert fetched_styles() == []
