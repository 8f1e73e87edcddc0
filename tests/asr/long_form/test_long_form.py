"""Long recordings: nothing is lost or doubled by segmentation and stitching, times are right, memory does not grow."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.acoustic.ctc import BLANK
from asr.acoustic.voice_activity import CHUNK_SECONDS, detect_speech, frame_samples
from asr.audio.reading import AudioError, resample
from asr.decoding import Hypothesis, greedy_decode
from asr.long_form.fit_segmentation import fit_segmentation
from asr.long_form.segmentation import SegmentationSettings, Segmenter, Window
from asr.long_form.stitching import EDGE_SHARE, find_stitch, find_word_gap, stitch_windows
from asr.tokens import Tokens
from sluice_core.config import ConfigError
from tests.asr.long_form.spoken_code import (
    RATE,
    STEP,
    CodeReader,
    Speaker,
    brisk_settings,
    brisk_speech,
    log_posteriors,
    random_settings,
    random_speech,
    transcribe_long,
    transcribe_pieces,
)


def check_layout(reader: CodeReader, speaker: Speaker, settings: SegmentationSettings, seed: int) -> None:
    edge = int(EDGE_SHARE * settings.overlap_seconds * RATE / STEP) - 1
    reader.begin(seed, edge)
    heard = transcribe_long(reader, speaker.recording(), segmentation=settings)
    assert heard.text == " ".join(speaker.words), seed
    starts = np.array([word.start for word in heard.words])
    assert np.abs(starts - speaker.starts).max() < 0.13, seed  # a step late and a step of rounding


def test_no_word_is_lost_or_doubled_in_random_layouts() -> None:
    reader = CodeReader()
    for seed in range(60):
        speaker = random_speech(seed, 8)
        check_layout(reader, speaker, random_settings(speaker.random), seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 2000, 125))  # so that several workers share them
def test_no_word_is_lost_or_doubled_in_thousands_of_layouts(first: int) -> None:
    """Half of them brisk: those have more and shorter windows, the others find faults that need long words."""
    reader = CodeReader()
    for seed in range(first, first + 125):
        speaker = random_speech(seed, 8)
        check_layout(reader, speaker, random_settings(speaker.random), seed)
        speaker = brisk_speech(seed, 6)
        check_layout(reader, speaker, brisk_settings(speaker.random), seed)


def test_alternatives_have_the_recordings_times_too() -> None:
    speaker = Speaker(0)
    speaker.pause(5)
    speaker.say(1)
    speaker.pause(1)

    class Two:
        def decode(
            self, log_probs: np.ndarray, lengths: np.ndarray, *, n_best: int = 1
        ) -> list[list[Hypothesis]]:
            return [[best, best] for best in greedy_decode(log_probs, lengths)]

    (piece,) = transcribe_pieces(CodeReader(), speaker.recording(), decoder=Two(), alternatives=1)
    assert piece.words[0].start == pytest.approx(speaker.starts[0], abs=0.1)
    assert [other.words for other in piece.alternatives] == [piece.words]


def test_pieces_come_while_the_recording_is_still_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[float] = []

    def blocks(path: Path, sample_rate: int) -> Iterator[np.ndarray]:
        for seed in range(90):
            speaker = Speaker(seed)
            speaker.say(10)
            speaker.pause(1)
            read.append(speaker.count / sample_rate)
            yield speaker.recording()

    monkeypatch.setattr("asr.long_form.transcribe.audio_blocks", blocks)
    pieces = transcribe_pieces(CodeReader(), Path("stream.wav"))
    next(pieces)
    so_far = len(read)
    assert so_far < 60
    assert len(list(pieces)) == 89
    assert len(read) == 90


def test_minutes_of_silence_or_noise_cost_nothing_and_give_no_words() -> None:
    random = np.random.default_rng(0)
    for samples in (np.zeros(600 * RATE), 0.1 * random.standard_normal(600 * RATE)):
        reader = CodeReader()
        heard = transcribe_long(reader, samples)
        assert (heard.text, heard.words, heard.duration_seconds) == ("", (), 600)
        assert reader.seconds == []


def test_speech_after_minutes_of_silence_is_found_at_its_time() -> None:
    speaker = Speaker(1)
    speaker.pause(400)
    speaker.say(3)
    speaker.pause(400)
    speaker.say(2)
    reader = CodeReader()
    heard = transcribe_long(reader, speaker.recording())
    assert heard.text == " ".join(speaker.words)
    assert np.abs(np.array([word.start for word in heard.words]) - speaker.starts).max() < 0.13
    assert sum(reader.seconds) < 12


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_file_of_another_rate_with_two_channels_is_the_same(tmp_path: Path, suffix: str) -> None:
    speaker = random_speech(3, 6)
    samples = resample(speaker.recording(), RATE, 11025)
    path = tmp_path / f"long{suffix}"
    soundfile.write(path, np.stack([samples, samples], axis=1), 11025)
    heard = transcribe_long(CodeReader(), path)
    assert heard.text == " ".join(speaker.words)
    assert heard.source == str(path)
    assert heard.duration_seconds == pytest.approx(speaker.count / RATE, abs=0.01)


def test_what_is_wrong_with_a_file_is_said_wherever_it_is(tmp_path: Path) -> None:
    samples = random_speech(4, 20).recording()
    samples[100 * RATE] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"nan\.wav: 1 of .* the first at 100\.000 s"):
        transcribe_long(CodeReader(), tmp_path / "nan.wav")
    soundfile.write(tmp_path / "short.wav", samples[:40], RATE)
    with pytest.raises(AudioError, match="too short"):
        transcribe_long(CodeReader(), tmp_path / "short.wav")
    with pytest.raises(AudioError, match="cannot read"):
        transcribe_long(CodeReader(), tmp_path / "none.wav")


def test_short_recordings_work_too() -> None:
    for count in (80, 200, 4001):
        samples = 0.1 * np.random.default_rng(0).standard_normal(count)
        assert transcribe_long(CodeReader(), samples).duration_seconds == count / RATE


def test_progress_is_in_seconds_of_the_recording(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sluice_core.progress.LINE_SECONDS", 0.0)
    transcribe_long(CodeReader(), np.zeros(20 * RATE), quiet=False)
    assert "transcribing (seconds): 19 of 20" in capsys.readouterr().err
    transcribe_long(CodeReader(), np.zeros(20 * RATE))
    assert capsys.readouterr().err == ""


def test_little_is_held_however_long_somebody_talks_or_is_silent() -> None:
    settings = SegmentationSettings()
    segmenter = Segmenter(settings, RATE, STEP)
    speaker = Speaker(5)
    speaker.say(200)
    speaker.pause(1)
    speech = speaker.recording()
    silence = np.zeros(500 * RATE, np.float32)
    blocks = [silence, speech, silence, speech, speech]
    held, windows = [], 0
    for window in segmenter.segment(detect_speech(blocks, RATE)):
        held.append(len(segmenter.held) / RATE)
        assert len(window.samples) <= segmenter.window_samples + segmenter.margin_samples
        windows += 1
    assert windows > 90
    assert max(held) <= settings.window_seconds + CHUNK_SECONDS + settings.margin_seconds + 1


def test_windows_hold_the_recording_at_their_place_and_all_that_is_spoken() -> None:
    samples = random_speech(6, 20).recording()
    marks = np.concatenate([marks for _, marks in detect_speech([samples], RATE)])
    kept = np.zeros(len(samples), bool)
    for window in Segmenter(SegmentationSettings(click_seconds=0), RATE, STEP).segment(
        detect_speech([samples], RATE)
    ):
        end = window.start + len(window.samples)
        assert (window.samples == samples[window.start : end]).all()
        assert (window.speech == marks[window.start // 40 : -(-end // 40)]).all()
        kept[window.start : end] = True
    assert kept[: len(marks) * 40][np.repeat(marks, 40)].all()
    assert not kept.all()


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="overlap_seconds must be at most half"):
        SegmentationSettings.check({"window_seconds": 6, "overlap_seconds": 4}, "here")
    with pytest.raises(ConfigError, match="short_pause_seconds must be at most"):
        SegmentationSettings.check({"short_pause_seconds": 2}, "here")
    assert SegmentationSettings().needed_seconds(0) == SegmentationSettings().long_pause_seconds
    assert SegmentationSettings().needed_seconds(99) == pytest.approx(
        SegmentationSettings().short_pause_seconds
    )


def test_pieces_are_cut_like_the_recordings_of_training() -> None:
    noise = 1e-4 * np.random.default_rng(0).standard_normal(30 * 16000)

    def utterances(seconds: float, around: float) -> Iterator[np.ndarray]:
        silence = np.zeros(round(around * 16000))
        for share in (0.5, 1, 1, 1, 1.2):
            samples = np.concatenate([silence, voiced(share * seconds, 0.1), silence])
            yield samples + noise[: len(samples)]

    long, short = fit_segmentation(utterances(10, 0.1), 16000), fit_segmentation(utterances(0.4, 0.05), 16000)
    assert long.piece_seconds == pytest.approx(7, abs=0.2)
    assert long.window_seconds == pytest.approx(17.5, abs=0.7)  # the longest but for a fifth is near 11.6 s
    assert long.margin_seconds == pytest.approx(0.1, abs=0.03)
    assert (short.window_seconds, short.long_pause_seconds, short.short_pause_seconds) == (2, 0.2, 0.1)
    assert short.piece_seconds == pytest.approx(0.28, abs=0.05)
    assert fit_segmentation([np.zeros(16000)], 16000) == SegmentationSettings()
    patient = fit_segmentation(utterances(0.4, 0.05), 16000, over_speech=True)  # silence does no harm
    assert (
        patient.window_seconds == pytest.approx(10.7, abs=0.2)
        and patient.piece_seconds == short.piece_seconds
    )


def spikes(places: dict[int, int], steps: int, tokens: int = 4) -> np.ndarray:
    """Log-probabilities `[steps, tokens]` of tokens at their steps, blanks elsewhere."""
    return log_posteriors(tokens)[[places.get(step, BLANK) for step in range(steps)]]


def test_the_seam_is_where_both_windows_are_silent_nearest_the_middle() -> None:
    crowded = {step: 1 + step % 3 for step in range(0, 40, 2) if step not in (26, 28)}
    later = {step + 1: token for step, token in crowded.items()}
    assert (
        find_stitch(spikes(crowded, 40), spikes(later, 40)) == 28
    )  # 25 to 29 are blank in one, 26 to 30 in the other
    assert find_stitch(spikes({}, 40), spikes({}, 40)) == 20


def test_a_token_heard_a_step_apart_by_two_windows_is_kept_once() -> None:
    for place in range(100, 120):
        first = Window(0, np.zeros(120 * STEP), np.ones(480, bool), continues=True)
        second = Window(80 * STEP, np.zeros(100 * STEP), np.ones(400, bool), continues=False)
        for late in (-1, 0, 1):
            posteriors = [spikes({place: 2}, 120), spikes({place + late - 80: 2}, 100)]
            (stretch,) = stitch_windows(
                zip([first, second], posteriors, strict=True), STEP, STEP // 4, 1000, len
            )
            (heard,) = greedy_decode(stretch.log_probs[None], np.array([180]))
            assert heard.tokens == (2,)
            assert (stretch.start, stretch.end, len(stretch.log_probs)) == (0, 180 * STEP, 180)
            assert len(stretch.speech) == 4 * 180


def test_a_very_long_chain_is_divided_between_words() -> None:
    tokens = Tokens(["<blank>", " ", "a", "b"])
    text = {10: 2, 12: 3, 14: 1, 40: 2, 42: 1, 60: 3, 62: 3}
    assert (
        find_word_gap(spikes(text, 70), tokens) == 51
    )  # between 43 and 60, not the longer gap of the first half
    assert find_word_gap(spikes({10: 2, 12: 1, 20: 3}, 70), tokens) == 16  # no gap in the second half
    assert find_word_gap(spikes({40: 2}, 70), tokens) == 70


def marks_of(samples: np.ndarray) -> np.ndarray:
    return np.concatenate([marks for _, marks in detect_speech(np.array_split(samples, 7), 16000)])


def voiced(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    """Syllables of 200 ms with 50 ms between them: a buzz of 120 Hz."""
    time = np.arange(round(seconds * 16000)) / 16000
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    return level * buzz * (time % 0.25 < 0.2)


@pytest.mark.parametrize("noise", ["hiss", "rumble", "offset", "zeros"])
def test_speech_is_told_from_noise(noise: str) -> None:
    random = np.random.default_rng(0)
    count = 60 * 16000
    background = {
        "hiss": 0.01 * random.standard_normal(count),
        "rumble": 0.3 * np.sin(2 * np.pi * 25 * np.arange(count) / 16000)
        + 1e-3 * random.standard_normal(count),
        "offset": 0.3 + 1e-3 * random.standard_normal(count),
        "zeros": np.zeros(count),
    }[noise]
    samples = background.copy()
    for start in (5, 12, 21, 40):
        samples[start * 16000 : (start + 2) * 16000] += voiced(2, 0.05)
    marks = marks_of(samples)
    assert len(marks) == len(samples) // frame_samples(16000)
    wanted = np.zeros(6000, bool)
    for start in (500, 1200, 2100, 4000):
        inside = marks[start : start + 200]
        assert inside[:3].any()  # to the syllable
        assert inside[-8:-4].any()
        assert inside.mean() > 0.75
        wanted[start - 4 : start + 204] = True
    assert not marks[~wanted].any()


def test_a_quiet_speaker_after_a_loud_one_is_heard() -> None:
    random = np.random.default_rng(0)
    loud, quiet, pause = voiced(20, 0.5), voiced(20, 0.005), np.zeros(32000)
    samples = np.concatenate([loud, pause, quiet, pause])
    marks = marks_of(samples + 1e-4 * random.standard_normal(len(samples)))
    assert marks[:2000].mean() > 0.75
    assert marks[2200:4200].mean() > 0.75
    assert not marks[2010:2190].any()


def test_what_goes_on_for_long_is_told_from_noise_by_the_silence_before_or_after() -> None:
    time = np.arange(50 * 16000) / 16000
    samples = np.sin(2 * np.pi * 200 * time) * ((time >= 10) & (time < 29.9))
    marks = marks_of(0.1 * samples + 1e-4 * np.random.default_rng(0).standard_normal(len(samples)))
    assert marks[1000:2990].all()
    assert not marks[:996].any()
    assert not marks[2995:].any()
