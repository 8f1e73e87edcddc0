import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr.audio import containers
from asr.audio.reading import AudioError, audio_info, check_samples, find_audio, read_audio, resample
from tests.conftest import real_corpus


def tone(seconds: float = 1.0, rate: int = 16000, hz: float = 440.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def cut(path: Path, share: float = 0.5) -> Path:
    """Keep only the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def refused(path: Path, **part: float) -> str:
    with pytest.raises(AudioError) as caught:
        read_audio(path, **part)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize(
    ("name", "options", "largest_error"),
    [
        ("a.wav", {}, 1e-4),
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.wav", {"subtype": "PCM_24"}, 1e-6),
        ("a.flac", {}, 1e-4),
        ("a.aiff", {}, 1e-4),
        ("a.au", {}, 1e-4),
        ("a.sph", {"format": "NIST", "subtype": "PCM_16"}, 1e-4),
        ("a.sph", {"format": "NIST", "subtype": "ULAW"}, 0.02),
        ("a.ogg", {}, 0.05),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 0.05),
        ("a.mp3", {}, 0.05),
    ],
)
def test_formats(tmp_path, name, options, largest_error):
    samples = tone()
    soundfile.write(tmp_path / name, samples, 16000, **options)
    read, rate = read_audio(tmp_path / name)
    assert (rate, read.dtype, read.shape) == (16000, np.float32, samples.shape)
    middle = slice(1000, -1000)  # lossy codecs smear the edges
    assert np.abs(read - samples)[middle].max() <= largest_error
    info = audio_info(tmp_path / name)
    assert (info.sample_rate, info.channels, info.frames, info.duration_seconds) == (16000, 1, 16000, 1.0)


def test_high_rate_and_many_channels_become_mono_at_the_wanted_rate(tmp_path):
    channels = np.stack([tone(1, 192000, level=level) for level in (0.1, 0.2, 0.3, 0.4, 0.5)], axis=1)
    soundfile.write(tmp_path / "five.wav", channels, 192000, subtype="FLOAT")
    read, rate = read_audio(tmp_path / "five.wav", 16000)
    assert (rate, len(read)) == (16000, 16000)
    np.testing.assert_allclose(read[500:-500], tone(level=0.3)[500:-500], atol=1e-4)
    assert audio_info(tmp_path / "five.wav").channels == 5


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_block_by_block_is_the_same_as_at_once(tmp_path, monkeypatch, rate):
    import soxr

    channels = noise(2 * rate).reshape(rate, 2)
    soundfile.write(tmp_path / "a.wav", channels, rate, subtype="FLOAT")
    monkeypatch.setattr(containers, "BLOCK_FRAMES", 997)
    read, _ = read_audio(tmp_path / "a.wav", 16000)
    expected = soxr.resample(channels.mean(axis=1), rate, 16000, quality="HQ")
    np.testing.assert_allclose(read, expected, atol=1e-6)
    np.testing.assert_allclose(resample(channels.mean(axis=1), rate, 16000), expected, atol=0)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_part_is_what_lies_between_its_times(tmp_path, name):
    soundfile.write(tmp_path / name, noise(32000), 16000)
    whole, _ = read_audio(tmp_path / name)
    part, _ = read_audio(tmp_path / name, start_seconds=0.5, end_seconds=1.25)
    np.testing.assert_allclose(part, whole[8000:20000], atol=1e-6)
    tail, _ = read_audio(tmp_path / name, start_seconds=1.5)
    np.testing.assert_allclose(tail, whole[24000:], atol=1e-6)
    head, _ = read_audio(tmp_path / name, end_seconds=0.25)
    np.testing.assert_allclose(head, whole[:4000], atol=1e-6)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_an_mp3_has_the_same_samples_in_blocks_and_in_parts_as_at_once(tmp_path, rate, monkeypatch):
    # soundfile 0.14.0 seeks after every read, and libsndfile 1.2.2 decodes the first tenths of a second after a seek in
    # an MP3 wrongly, by up to full scale where the sound is a tone: its frames borrow bits from those before them.
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4 * rate) / rate)
    soundfile.write(tmp_path / "a.mp3", tone.astype(np.float32), rate)
    whole = soundfile.read(tmp_path / "a.mp3", dtype="float32")[0]
    monkeypatch.setattr(containers, "BLOCK_FRAMES", rate // 2)
    np.testing.assert_allclose(read_audio(tmp_path / "a.mp3")[0], whole, atol=1e-5)
    for start in (0.25, 1.0, 2.5):
        part, _ = read_audio(tmp_path / "a.mp3", start_seconds=start, end_seconds=start + 0.75)
        np.testing.assert_allclose(part, whole[round(start * rate) :][: len(part)], atol=1e-5)


def test_an_end_that_rounding_put_past_the_file_is_the_end(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(15990), 16000)
    part, _ = read_audio(tmp_path / "a.wav", start_seconds=0.5, end_seconds=1.0)
    assert len(part) == 7990


def test_parts_outside_the_file_name_the_times(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(16000), 16000)
    message = refused(tmp_path / "a.wav", start_seconds=0.5, end_seconds=1.5)
    assert "from 0.500 s to 1.500 s reaches past the end of the file, which is 1.000 s long" in message
    assert "past the end" in refused(tmp_path / "a.wav", start_seconds=2.0)
    assert "begin at 0.700 s and end at 0.300 s" in refused(
        tmp_path / "a.wav", start_seconds=0.7, end_seconds=0.3
    )
    assert "begin at -1.000 s" in refused(tmp_path / "a.wav", start_seconds=-1.0)


def test_missing_file_and_directory(tmp_path):
    assert "No such file" in refused(tmp_path / "none.wav")
    assert "is a directory" in refused(tmp_path)


def test_names_that_no_file_can_have(tmp_path):
    assert "too long" in refused(tmp_path / ("a" * 5000))
    with pytest.raises(AudioError, match=r"b\\x00\.wav': no file's name holds a NUL"):
        audio_info("b\0.wav")


def test_empty_file(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    assert "empty (0 bytes)" in refused(tmp_path / "a.wav")


def test_header_only(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    assert "counts no samples, in a file of 44 bytes" in refused(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="counts no samples"):
        audio_info(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "text", ["hello\n", "id,text\n" * 500, "好棒棒\n" * 200, "#EXTM3U\nhttp://example.org/a.ts\n"]
)
def test_text_named_wav(tmp_path, text):
    (tmp_path / "a.wav").write_text(text, encoding="utf-8")
    message = refused(tmp_path / "a.wav")
    assert "is a text file, not audio" in message
    assert text[:2] in message


def test_bytes_that_are_no_audio(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(np.random.default_rng(0).bytes(5000))
    with monkeypatch.context() as patch:
        patch.setattr(containers, "_have_av", lambda: False)
        assert "cannot be read without the extra" in refused(tmp_path / "a.wav")
    pytest.importorskip("av", reason="needs the extra 'formats'")
    assert "is not an audio file that can be read" in refused(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("name", "options", "held"),
    [
        ("a.wav", {}, "1.00 s"),
        ("a.aiff", {}, "1.00 s"),
        ("a.au", {}, "1.00 s"),
        ("a.sph", {"format": "NIST", "subtype": "PCM_16"}, "0.98 s"),  # its header alone takes 1 KiB
    ],
)
def test_truncated_files_are_found_by_their_header(tmp_path, name, options, held):
    soundfile.write(tmp_path / name, noise(32000), 16000, **options)
    cut(tmp_path / name)
    message = refused(tmp_path / name)
    assert f"truncated or damaged: its header promises 2.00 s of audio, {held} can be read" in message
    with pytest.raises(AudioError, match="truncated"):
        audio_info(tmp_path / name)


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_truncated_files_are_found_by_decoding(tmp_path, name):
    soundfile.write(tmp_path / name, noise(64000), 16000)
    message = refused(cut(tmp_path / name))
    assert "truncated" in message
    assert "promises 4.00 s" in message
    held = float(message.split(" s can be read")[0].split()[-1])
    assert 1.5 < held < 2.1


def test_a_part_of_a_truncated_file_that_is_there_no_more(tmp_path):
    soundfile.write(tmp_path / "a.flac", noise(64000), 16000)
    cut(tmp_path / "a.flac")
    assert "truncated" in refused(tmp_path / "a.flac", start_seconds=3.0)


def test_a_few_missing_samples_are_no_damage(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(16000), 16000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:-100])
    assert len(read_audio(tmp_path / "a.wav")[0]) == 15950


def test_wav_written_to_a_pipe_has_no_length_and_is_read_to_its_end(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(16000), 16000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    at = content.find(b"data") + 4
    content[4:8] = content[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(content)
    assert len(read_audio(tmp_path / "a.wav")[0]) == 16000


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, value):
    samples = noise(16000)
    samples[8000:8003] = value
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    message = refused(tmp_path / "a.wav")
    assert "3 of 16000 samples are NaN or infinite, the first at 0.500 s" in message


def test_too_short(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(160), 16000)
    assert "10.0 ms of audio is too short; at least 20 ms" in refused(tmp_path / "a.wav")
    soundfile.write(tmp_path / "a.wav", noise(320), 16000)
    assert len(read_audio(tmp_path / "a.wav")[0]) == 320
    soundfile.write(tmp_path / "a.wav", noise(16000), 16000)
    assert "too short" in refused(tmp_path / "a.wav", start_seconds=0.5, end_seconds=0.51)


def test_shortened_sphere_says_what_to_do(tmp_path):
    header = b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    (tmp_path / "a.sph").write_bytes(header.ljust(1024) + b"ajkg\x02" + bytes(range(128, 256)))
    assert "sph2pipe" in refused(tmp_path / "a.sph")


def test_sphere_as_the_corpora_have_it():
    path = real_corpus("an4") / "wav" / "an4_clstk" / "mkem" / "cen6-mkem-b.sph"
    samples, rate = read_audio(path)
    assert (rate, len(samples)) == (16000, 33600)
    assert round(float(samples.max()) * 32768) == 8747  # sample_max in its header


def test_samples_of_every_kind_become_floats():
    floats = noise(1000)
    for samples in (floats, floats.astype(np.float64), floats.tolist(), torch.from_numpy(floats)):
        checked = check_samples(samples, 16000, "x")
        assert checked.dtype == np.float32
        np.testing.assert_allclose(checked, floats, atol=1e-7)
    for kind in (np.int16, np.int32):
        scaled = (floats * np.iinfo(kind).max).astype(kind)
        np.testing.assert_allclose(check_samples(scaled, 16000, "x"), floats, atol=1e-4)
        np.testing.assert_allclose(check_samples(torch.from_numpy(scaled), 16000, "x"), floats, atol=1e-4)
    eight = np.round(floats * 127 + 128).astype(np.uint8)
    np.testing.assert_allclose(check_samples(eight, 16000, "x"), floats, atol=0.01)
    half = torch.from_numpy(floats).to(torch.bfloat16).requires_grad_()
    np.testing.assert_allclose(check_samples(half, 16000, "x"), floats, atol=0.01)


def test_the_shorter_axis_is_the_channels():
    channels = noise(3000).reshape(3, 1000)
    expected = channels.mean(axis=0)
    np.testing.assert_allclose(check_samples(channels, 16000, "x"), expected, atol=1e-7)
    np.testing.assert_allclose(check_samples(channels.T, 16000, "x"), expected, atol=1e-7)
    np.testing.assert_allclose(check_samples(expected[:, None], 16000, "x"), expected, atol=0)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.float32), "holds no samples"),
        (np.zeros((2, 0), np.float32), "holds no samples"),
        (np.zeros((2, 2, 1000), np.float32), r"found an array of shape \[2, 2, 1000\]"),
        (np.zeros(1000, np.int64), "found int64"),
        (np.zeros(1000, bool), "found bool"),
        (["a", "b"], "expected an array of"),
        ([[1.0], [1.0, 2.0]], "expected an array of numbers"),
        (np.full(1000, 1e300), "NaN or infinite"),
        (np.full(1000, 1e9, np.float32), "as large as 1e\\+09"),
        (np.zeros(100, np.float32), "6.2 ms of audio is too short"),
    ],
)
def test_samples_that_are_refused(samples, message):
    with pytest.raises(AudioError, match=message) as caught:
        check_samples(samples, 16000, "microphone")
    assert str(caught.value).startswith("microphone: ")


@pytest.mark.parametrize("rate", [0, -8000, np.nan, np.inf])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(AudioError, match=f"positive number of Hz, not {rate}"):
        check_samples(noise(1000), rate, "x")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    soundfile.write(tmp_path / "a.wav", noise(16000), 16000)
    (tmp_path / "a.wav").rename(tmp_path / name)
    (path,) = find_audio([tmp_path])
    assert len(read_audio(path)[0]) == 16000
    cut(tmp_path / name)
    assert "truncated" in refused(tmp_path / name)
    encode(tmp_path / "a.m4a", "aac")
    (tmp_path / "a.m4a").rename(tmp_path / os.fsdecode(b"\xe9.m4a"))
    assert audio_info(tmp_path / os.fsdecode(b"\xe9.m4a")).channels == 1


def test_find_audio(tmp_path):
    for name in ("b.wav", "a.FLAC", "deep/er/c.mp3", "deep/notes.txt", "take[1].wav", ".hidden.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(*patterns: str) -> list[str]:
        return [str(path.relative_to(tmp_path)) for path in find_audio(tmp_path / p for p in patterns)]

    assert names("") == ["a.FLAC", "b.wav", "deep/er/c.mp3", "take[1].wav"]
    assert names("*.wav") == ["b.wav", "take[1].wav"]
    assert names("**/*.mp3") == ["deep/er/c.mp3"]
    assert names("take[1].wav") == ["take[1].wav"]
    assert names("deep/notes.txt") == ["deep/notes.txt"]  # named by the person: reading it says what it is
    assert names("b.wav", "*.wav", "") == ["b.wav", "take[1].wav", "a.FLAC", "deep/er/c.mp3"]


def test_find_audio_says_what_yielded_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(AudioError, match=r"folder: no audio files in this folder"):
        find_audio([tmp_path / "folder"])
    with pytest.raises(AudioError, match=r"none\.wav: no such file"):
        find_audio([tmp_path / "none.wav"])
    with pytest.raises(AudioError, match=r"aaa: no such file"):
        find_audio(["a" * 5000])
    with pytest.raises(AudioError, match=r"\*\.wav: no such file"):
        find_audio([str(tmp_path / "*.wav")])


def encode(path: Path, codec: str, channels: int = 1, rate: int = 48000, metadata=None) -> None:
    """Write two seconds of a tone with FFmpeg."""
    av = pytest.importorskip("av", reason="M4A and WebM need the extra 'formats'")
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    samples = np.repeat(tone(2, rate)[None], channels, axis=0)
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, layout=layout)
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate, frame_size=960)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate = rate
        for resampled in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "codec", "channels"),
    [("a.m4a", "aac", 1), ("six.m4a", "aac", 6), ("a.webm", "libopus", 2), ("a.aac", "aac", 1)],
)
def test_containers(tmp_path, name, codec, channels):
    encode(tmp_path / name, codec, channels)
    read, rate = read_audio(tmp_path / name, 16000)
    assert rate == 16000
    assert 1.99 < len(read) / 16000 < 2.06  # AAC adds codec frames
    spectrum = np.abs(np.fft.rfft(read[4000:20000]))
    assert int(spectrum.argmax()) == 440  # one bin is one Hz
    info = audio_info(tmp_path / name)
    assert (info.sample_rate, info.channels) == (48000, channels)
    part, _ = read_audio(tmp_path / name, 16000, start_seconds=0.5, end_seconds=1.0)
    np.testing.assert_allclose(part[200:-200], read[8200:15800], atol=1e-3)


def test_truncated_containers(tmp_path):
    encode(tmp_path / "a.webm", "libopus")
    encode(tmp_path / "a.m4a", "aac")
    assert "promises 2.01 s" in refused(cut(tmp_path / "a.webm"))
    assert "is not an audio file that can be read" in refused(
        cut(tmp_path / "a.m4a")
    )  # its index is at the end


def test_tags_in_any_encoding_do_not_matter(tmp_path):
    encode(tmp_path / "a.m4a", "aac", metadata={"title": "café"})
    content = (tmp_path / "a.m4a").read_bytes()
    assert "café".encode() in content
    (tmp_path / "a.m4a").write_bytes(content.replace("café".encode(), "café ".encode("latin-1")))
    assert 1.99 < len(read_audio(tmp_path / "a.m4a", 16000)[0]) / 16000 < 2.06


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_channels_may_change_within_a_recording(tmp_path, before, after):
    encode(tmp_path / "before.aac", "aac", before)
    encode(tmp_path / "after.aac", "aac", after)
    paths = [tmp_path / "before.aac", tmp_path / "after.aac"]
    (tmp_path / "a.aac").write_bytes(b"".join(path.read_bytes() for path in paths))
    assert audio_info(tmp_path / "a.aac").channels == before
    read, _ = read_audio(tmp_path / "a.aac")
    first, second = (read_audio(path)[0] for path in paths)
    assert len(read) == len(first) + len(second)
    np.testing.assert_allclose(read[: len(first)], first, atol=1e-6)
    smeared = 4096  # where they meet
    np.testing.assert_allclose(read[len(first) + smeared :], second[smeared:], atol=1e-3)


def test_audio_that_nothing_decodes(tmp_path):
    pytest.importorskip("av", reason="needs the extra 'formats'")
    soundfile.write(tmp_path / "a.wav", noise(16000), 16000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[20:22] = b"\x34\x12"  # the kind of encoding: none is called so
    (tmp_path / "a.wav").write_bytes(content)
    assert "there is no decoder for its audio" in refused(tmp_path / "a.wav")


def test_a_header_without_a_rate(tmp_path):
    pytest.importorskip("av", reason="needs the extra 'formats'")
    soundfile.write(tmp_path / "a.caf", noise(16000), 16000)
    content = bytearray((tmp_path / "a.caf").read_bytes())
    content[20:28] = bytes(8)
    (tmp_path / "a.caf").write_bytes(content)
    assert "damaged: its header tells no sample rate" in refused(tmp_path / "a.caf")


def test_video_without_sound(tmp_path):
    av = pytest.importorskip("av", reason="needs the extra 'formats'")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert "holds no audio" in refused(tmp_path / "a.mp4")


def test_flac_without_a_length_needs_ffmpeg(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", noise(32000), 16000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count samples
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    with monkeypatch.context() as patch:
        patch.setattr(containers, "_have_av", lambda: False)
        assert "does not say how long it is" in refused(tmp_path / "a.flac")
    pytest.importorskip("av", reason="needs the extra 'formats'")
    assert len(read_audio(tmp_path / "a.flac")[0]) == 32000


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "_have_av", lambda: False)
    (tmp_path / "a.m4a").write_bytes(b"\x00\x00\x00\x1cftypM4A \x00\x00\x02\x00" + bytes(100))
    assert "pip install 'sluice-speech[formats]'" in refused(tmp_path / "a.m4a")


def test_importing_costs_little():
    heavy = "{'torch', 'librosa', 'soundfile', 'soxr', 'av'}"
    code = f"import sys, asr.audio.reading; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
