"""The settings of augmentation in the spectrum."""

from typing import Literal

from pydantic import Field

from sluice_core.config import Settings

NoiseKind = Literal["coloured", "babble", "clatter", "tones", "files"]

VOCAL_TRACTS = (0.7, 1.4)
"""The least and the greatest factor of the frequencies of a voice."""


class SpectralConfig(Settings):
    """How training audio is varied in its power spectrum; the defaults change nothing."""

    vocal_tract: tuple[float, float] = Field(
        (1.0, 1.0), description="factor of the frequencies of a voice (vocal-tract-length perturbation)"
    )
    tempo: tuple[float, float] = Field((1.0, 1.0), description="factor of the tempo; pitch stays as it is")
    tempo_jitter: float = Field(
        0.0, ge=0, le=1, description="how much the tempo changes within an utterance (natural log)"
    )
    pause_probability: float = Field(
        0.0, ge=0, le=1, description="probability that an utterance gets pauses before and after"
    )
    pause_seconds: float = Field(1.0, gt=0, description="longest such pause")
    equalizer_probability: float = Field(
        0.0, ge=0, le=1, description="probability that frequencies are raised and lowered smoothly"
    )
    equalizer_db: float = Field(8.0, ge=0, description="by how much at most")
    room_probability: float = Field(0.0, ge=0, le=1, description="probability that a room reverberates")
    room_seconds: tuple[float, float] = Field(
        (0.15, 0.6), description="time in which sound falls by 60 dB in the room"
    )
    room_direct_db: tuple[float, float] = Field(
        (-3.0, 12.0), description="level of direct sound over reverberation"
    )
    band_probability: float = Field(
        0.0,
        ge=0,
        le=1,
        description="probability that lowest or highest frequencies are lost, as by a telephone",
    )
    band_low_hz: float = Field(400.0, ge=0, description="at most so much is lost below")
    band_high_hz: float = Field(3400.0, gt=0, description="at least so much is kept below")
    noise_probability: float = Field(0.0, ge=0, le=1, description="probability that noise is added")
    noise_snr_db: tuple[float, float] = Field((0.0, 30.0), description="level of speech over that noise")
    noise_kinds: dict[NoiseKind, float] = Field(
        {"coloured": 1.0},
        min_length=1,
        description="how often which kind: coloured (stationary), babble (other utterances of training, many at once), "
        "clatter (dishes, keys), tones (machines, music), files (augment.noise_files)",
    )
    floor_db: tuple[float, float] | None = Field(
        None, description="level of speech over a noise floor that every utterance gets; none if not given"
    )

    @property
    def active(self) -> bool:
        """Whether anything is changed."""
        return self.model_copy(update={"noise_kinds": SpectralConfig().noise_kinds}) != SpectralConfig()
