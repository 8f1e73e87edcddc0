"""The settings of a speech recognizer, from corpus to training: what a recipe's YAML says."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from asr.spectral_config import VOCAL_TRACTS, SpectralConfig
from asr.tokens import TokensConfig
from sluice_core.config import Settings
from sluice_core.corpus_files import CorpusConfig
from sluice_core.run_directory import RunSettings
from sluice_core.stack_config import StackConfig
from sluice_core.training.config import TrainingConfig


class SpeechCorpusConfig(CorpusConfig):
    """Where utterances come from and how they are divided into train, dev and test."""

    kind: Literal["grammar", "travel", "an4", "fsdd", "ljspeech", "librispeech", "manifest"] = Field(
        description="which corpus, or a manifest of your own"
    )
    dev_speakers: list[str] = Field([], description="speakers of dev, by name, instead of a share")
    test_speakers: list[str] = Field(
        [], description="speakers of test, by name, where there is no test split"
    )
    case: Literal["keep", "lower", "upper"] = Field("lower", description="convert the letters of transcripts")
    utterances: int = Field(2000, ge=20, description="size of a spoken corpus (kind: grammar, travel)")
    engines: str | list[str] = Field(
        "auto",
        description="the synthesizers that speak a grammar, by name; auto: those installed that pip alone can install; "
        "all: flite and festival too where the system has them",
    )
    held_out_engines: list[str] = Field(
        [], description="synthesizers that speak in test alone, which shows how unheard ones are understood"
    )
    engine_shares: dict[str, float] = Field(
        {},
        description="parts of the utterances that engines speak; by default espeak 3, piper 3, hibari, "
        "kokoro, pico and flite 2, festival 1",
    )
    voice_files: list[Path] = Field(
        [],
        description="more voices, in files or folders: .onnx of Piper with its JSON beside it, .bin styles of Kokoro",
    )
    renderings: int = Field(1, ge=1, description="how often each engine speaks a text, by voices in turn")
    shuffled_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of training texts that are random sequences of a grammar's words and pieces, so that the "
        "network does not learn the grammar by heart",
    )
    max_seconds: float = Field(30.0, gt=0, description="longer training utterances are left out, and counted")


class FeatureConfig(Settings):
    """Spectral features; times in milliseconds, frequencies in Hz."""

    kind: Literal["log_mel", "mfcc"] = Field(
        "log_mel", description="log mel energies, or cepstral coefficients of them"
    )
    sample_rate: int = Field(16000, ge=4000, le=48000, description="Hz; audio of other rates is resampled")
    window_ms: float = Field(25.0, gt=0, description="length of a frame")
    hop_ms: float = Field(10.0, gt=0, description="from one frame to the next")
    mels: int = Field(80, ge=4, description="bands of the mel scale")
    coefficients: int = Field(13, ge=2, description="cepstral coefficients (kind: mfcc)")
    low_hz: float = Field(20.0, ge=0, description="where the lowest band begins")
    high_hz: float | None = Field(
        None, description="where the highest band ends; half the sample rate if not given"
    )
    deltas: int = Field(0, ge=0, le=2, description="1 adds differences over time, 2 also theirs")
    normalize: Literal["utterance", "speech", "none"] = Field(
        "utterance",
        description="bring each band to mean 0 and deviation 1 over the utterance, or over the frames that may be "
        "speech, so that pauses before and after change nothing, or not",
    )
    noise_floor_db: float | None = Field(
        None,
        ge=0,
        description="add a noise floor, pink and without fluctuations, so far below the level of speech; none if not "
        "given",
    )
    floor: float = Field(1e-8, gt=0, description="smallest mel energy before the logarithm")


class AugmentConfig(Settings):
    """How training audio is varied; audio is never augmented for evaluation."""

    start_epoch: int = Field(0, ge=0, description="first epoch with augmentation (counted from 0)")
    speed: tuple[float, float] = Field(
        (1.0, 1.0), description="the factor is drawn uniformly from this range"
    )
    speed_probability: float = Field(
        1.0, ge=0, le=1, description="probability that the speed of an utterance is changed"
    )
    gain_db: tuple[float, float] = Field(
        (0.0, 0.0), description="the gain is drawn uniformly from this range"
    )
    noise_probability: float = Field(
        0.0, ge=0, le=1, description="probability that noise is added to an utterance"
    )
    noise_snr_db: tuple[float, float] = Field(
        (10.0, 30.0), description="the signal-to-noise ratio is drawn uniformly from this range"
    )
    noise_files: Path | None = Field(
        None, description="folder of recordings of noise; generated if not given"
    )
    frequency_masks: int = Field(0, ge=0, description="masks over bands (SpecAugment)")
    frequency_mask_bins: int = Field(8, ge=0, description="widest frequency mask")
    time_masks: int = Field(0, ge=0, description="masks over frames (SpecAugment)")
    time_mask_frames: int = Field(10, ge=0, description="widest time mask")
    time_mask_share: float = Field(
        0.2, ge=0, le=1, description="largest share of an utterance that masks may cover"
    )
    consistency: float = Field(
        0.0,
        ge=0,
        description="weight of the difference between the outputs for two differently masked copies of each utterance "
        "(CR-CTC); above 0 an epoch takes nearly twice as long, and fewer epochs are needed",
    )
    exchange_probability: float = Field(
        0.0,
        ge=0,
        le=1,
        description="probability that some words of an utterance are exchanged for other words of its speaker",
    )
    exchange_share: float = Field(
        0.4, ge=0, le=1, description="share of such an utterance's words that are exchanged"
    )
    exchange_epoch: int = Field(
        15, ge=1, description="first epoch with exchanges; by then the model must know where words are"
    )
    spectral: SpectralConfig = SpectralConfig()

    def exchanges(self, epoch: int) -> bool:
        """Return whether words are exchanged in an epoch (counted from 0)."""
        return self.exchange_probability > 0 and epoch >= self.exchange_epoch


class ModelConfig(StackConfig):
    """The acoustic model's shape."""

    subsampling: Literal[2, 4] = Field(4, description="number of frames that become one step of the network")
    channels: int = Field(16, ge=1, description="channels of the two convolutions")
    layers: int = Field(2, ge=1, description="number of recurrent layers, each fed by the one below")


class RecognizerTrainingConfig(TrainingConfig):
    """How a recognizer is trained."""

    parts: int = Field(
        1,
        ge=1,
        description="on a CPU each batch is computed in so many parts at once, by a thread each, about as fast as by "
        "torch's threads inside operations; the weights then do not depend on how many cores there are",
    )

    @property
    def worker_count(self) -> int:
        """How many processes read and augment; with parts at least one, for threads would wait for the next batch."""
        count = super().worker_count
        return max(1, count) if self.workers is None and self.parts > 1 else count


class HearingConfig(Settings):
    """How a recognizer in use hears a recording; training hears it once, as it is."""

    vocal_tracts: list[float] = Field(
        [1.0],
        description="factors of the frequencies of a voice, from 0.7 to 1.4; log-probabilities are averaged over them. "
        "For models trained with augment.spectral.vocal_tract",
    )
    two_passes: bool = Field(
        False,
        description="look for speech (features.normalize: speech) where a first pass has heard something, so that less "
        "noise is taken for it",
    )

    @field_validator("vocal_tracts")
    @classmethod
    def _check_factors(cls, factors: list[float]) -> list[float]:
        least, most = VOCAL_TRACTS
        if not factors:
            raise ValueError("give at least one factor; [1.0] hears a recording once, as it is")
        for factor in factors:
            if not least <= factor <= most:
                raise ValueError(f"factors must lie between {least:g} and {most:g}, not {factor:g}")
        return factors


class RecognizerConfig(RunSettings):
    """A recognizer's whole experiment: a recipe file, and the `config.yaml` of the run directory that it makes."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="the run directory is runs/NAME")
    corpus: SpeechCorpusConfig
    features: FeatureConfig = FeatureConfig()
    augment: AugmentConfig = AugmentConfig()
    tokens: TokensConfig = TokensConfig()
    model: ModelConfig = Field(default_factory=ModelConfig)
    training: RecognizerTrainingConfig = RecognizerTrainingConfig()
    select_by: Literal["wer", "cer"] = Field("wer", description="dev error that chooses the best model")
    hearing: HearingConfig = HearingConfig()

    @model_validator(mode="after")
    def _two_passes_find_speech(self) -> Self:
        if self.hearing.two_passes and self.features.normalize != "speech":
            raise ValueError(
                "hearing.two_passes looks for speech again, which needs features.normalize: speech"
            )
        return self
