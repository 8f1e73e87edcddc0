import numpy as np
import pytest
import soundfile

from asr.audio.reading import AudioError
from asr.config import FeatureConfig
from asr.evaluation import plots
from asr.evaluation.plots import PlotError, plot_features

pytest.importorskip("matplotlib", reason="pictures need the extra 'train'")


def picture_of(path) -> np.ndarray:
    from matplotlib import image

    return image.imread(path)


@pytest.fixture
def recording(tmp_path):
    """A second of silence, then a second of a 1 kHz tone."""
    samples = np.sin(2 * np.pi * 1000 * np.arange(32000) / 16000) * (np.arange(32000) >= 16000)
    soundfile.write(tmp_path / "a.wav", 0.3 * samples, 16000)
    return tmp_path / "a.wav"


def test_the_tone_is_bright_where_it_sounds(recording, tmp_path):
    plot_features(recording, FeatureConfig(), tmp_path / "out.png")
    picture = picture_of(tmp_path / "out.png")
    assert picture.shape[0] > 600 and picture.shape[1] > 1000
    spectrogram = picture[picture.shape[0] // 2 : -100, 100:-200]  # inside the lower axes
    middle = spectrogram.shape[1] // 2
    before, after = spectrogram[:, : middle - 60], spectrogram[:, middle + 120 :]
    assert before[..., :3].max() < 0.1  # silence is black
    assert after[..., :3].max() > 0.9


def test_mfcc_add_a_panel(recording, tmp_path):
    plot_features(recording, FeatureConfig(), tmp_path / "mel.png")
    plot_features(recording, FeatureConfig(kind="mfcc", deltas=1), tmp_path / "mfcc.png")
    plot_features(recording, FeatureConfig(kind="mfcc", normalize="none"), tmp_path / "raw.png")
    assert picture_of(tmp_path / "mfcc.png").shape[0] > picture_of(tmp_path / "mel.png").shape[0]
    assert (tmp_path / "raw.png").stat().st_size > 10_000


def test_of_long_files_the_beginning_is_drawn(recording, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "LONGEST_SECONDS", 1.0)
    plot_features(recording, FeatureConfig(), tmp_path / "out.png")  # the silent second
    assert picture_of(tmp_path / "out.png")[400:-100, 150:-200, :3].max() < 0.1


def test_pyplot_is_left_alone(recording, tmp_path):
    from matplotlib import pyplot

    plot_features(recording, FeatureConfig(), tmp_path / "out.png")
    assert pyplot.get_fignums() == []


def test_bad_input(recording, tmp_path):
    with pytest.raises(AudioError, match="No such file"):
        plot_features(tmp_path / "none.wav", FeatureConfig(), tmp_path / "out.png")
    with pytest.raises(PlotError, match="cannot write the picture: No such file or directory"):
        plot_features(recording, FeatureConfig(), tmp_path / "none" / "out.png")


def test_silence_can_be_drawn(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16000)
    plot_features(tmp_path / "a.wav", FeatureConfig(), tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_size > 5_000
