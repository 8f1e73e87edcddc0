"""A trained recognizer in use: load a run directory, transcribe files, arrays and tensors."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import torch

from asr.acoustic.emissions import Emission, Emitter, Source
from asr.acoustic.features import Features
from asr.acoustic.hearing import Hearing
from asr.acoustic.network import AcousticModel
from asr.alignment.text import Alignment, align_text
from asr.alignment.transcripts import EmissionDecoder
from asr.audio.reading import AudioError, audio_info
from asr.config import HearingConfig, RecognizerConfig
from asr.decoding.config import DecodingConfig
from asr.decoding.decoder import Decoder, make_decoder
from asr.long_form.segmentation import SegmentationSettings
from asr.long_form.transcribe import transcribe_long
from asr.tokens import Tokens
from asr.transcript import Transcript
from sluice_core.devices import find_device
from sluice_core.files import write_atomic, write_bytes, write_text
from sluice_core.run_directory import CONFIG_FILE, WEIGHTS_FILE, read_run_settings
from sluice_core.weights import load_weights, refuse_mismatch, save_weights

SEGMENTATION_FILE = "long_form.yaml"
"""The file of a run directory that says how recordings are segmented that are longer than those of training."""

DECODING_FILE = "decoding.yaml"
"""The file of a run directory that says how it decodes, once it has been tuned."""

DECODED_TOGETHER = 32
"""The number of recordings that go through the decoder at once."""


class Transcriber:
    """A recognizer: features, acoustic model, decoding and alphabet.

    Example:
        >>> transcriber = Transcriber.load("runs/ctc-travel")  # doctest: +SKIP
        >>> transcriber.transcribe("request.wav").text  # doctest: +SKIP
        'arrive taipei on november second'
    """

    def __init__(
        self,
        config: RecognizerConfig,
        tokens: Tokens,
        model: AcousticModel | None = None,
        decoding: DecodingConfig | None = None,
        directory: Path | None = None,
    ) -> None:
        """Make a recognizer of its parts.

        Args:
            config: the settings it is trained with.
            tokens: the alphabet.
            model: the acoustic model; freshly initialized if not given.
            decoding: the settings of decoding; greedy if not given.
            directory: the folder where relative paths in `decoding` start.
        """
        self.config = config
        self.tokens = tokens
        self.features = Features(config.features).eval()
        self.hearing = Hearing(self.features, config.hearing)
        self.model = model or AcousticModel(config.model, self.features.size, len(tokens))
        self.device = torch.device("cpu")
        self.decoding = decoding or DecodingConfig()
        self.directory = directory or Path()
        self.segmentation = SegmentationSettings()

    @classmethod
    def load(
        cls,
        directory: str | Path,
        device: str | torch.device = "cpu",
        decoding: DecodingConfig | None = None,
        hearing: HearingConfig | None = None,
    ) -> "Transcriber":
        """Read a run directory that training wrote.

        Args:
            directory: the run directory.
            device: the device that runs the model.
            decoding: settings of decoding that replace the run's `decoding.yaml`; where neither is given, decoding is
                greedy.
            hearing: settings that replace the run's; `HearingConfig()` is the fastest.

        Raises:
            CheckpointError: the directory, its weights or its settings are missing, damaged, or of another model.
            ConfigError: its settings of decoding or hearing are wrong.
            DeviceError: there is no such device.
        """
        directory = Path(directory)
        changes = [] if hearing is None else [("hearing", hearing.model_dump())]
        config = read_run_settings(directory, RecognizerConfig, changes)
        if decoding is None and (directory / DECODING_FILE).is_file():
            decoding = DecodingConfig.read(directory / DECODING_FILE)
        tokens = Tokens.load(directory / "tokens.json")
        weights = load_weights(directory / WEIGHTS_FILE)
        with refuse_mismatch(directory / WEIGHTS_FILE, f"{CONFIG_FILE} and tokens.json"):
            transcriber = cls(config, tokens, decoding=decoding, directory=directory)
            transcriber.model.load_state_dict(weights)
        if (directory / SEGMENTATION_FILE).is_file():
            transcriber.segmentation = SegmentationSettings.read(directory / SEGMENTATION_FILE)
        if transcriber.model.stack.engine == "fast":
            # Training may insist on the fast engine. Use must not, because there may be no compiler here; where there
            # is one, "auto" takes the fast engine too.
            transcriber.model.stack.engine = "auto"
        return transcriber.to(device)

    def save(self, directory: str | Path, facts: dict[str, str] | None = None) -> None:
        """Write all that `load` needs to a directory, each file atomically: settings, alphabet, weights, decoding.

        Args:
            directory: the run directory; made if it does not exist.
            facts: metadata of the weights' file.

        Raises:
            CheckpointError: a file cannot be written.
        """
        directory = Path(directory)
        write_text(directory / CONFIG_FILE, self.config.to_yaml())
        self.tokens.save(directory / "tokens.json")
        save_weights(directory / WEIGHTS_FILE, self.model.state_dict(), facts)
        write_text(directory / SEGMENTATION_FILE, self.segmentation.to_yaml())
        if self.decoding == DecodingConfig():
            return
        changes = {}
        for name in ("language_model", "lexicon"):
            file = getattr(self.decoding, name)
            if file is not None:
                data = (self.directory / file).read_bytes()
                write_atomic(directory / file.name, partial(write_bytes, data=data))
                changes[name] = Path(file.name)
        write_text(directory / DECODING_FILE, self.decoding.model_copy(update=changes).to_yaml())

    def to(self, device: str | torch.device) -> "Transcriber":
        """Move the model to a device and turn dropout off; return the recognizer itself.

        Raises:
            DeviceError: there is no such device.
        """
        self.device = find_device(device)
        self.hearing.to(self.device)
        self.model.to(self.device).eval()
        return self

    @cached_property
    def decoder(self) -> Decoder:
        """The decoder that `decoding` asks for; made, and its language model read, when it is first used.

        Raises:
            UserError: the language model, the lexicon or a hot word is not available, or does not fit the alphabet.
        """
        return make_decoder(self.decoding, self.tokens, self.directory)

    @property
    def seconds_per_step(self) -> float:
        """The time between two steps of emissions."""
        return self.features.seconds_per_frame * self.config.model.subsampling

    def transcribe(
        self,
        source: Source,
        sample_rate: int | None = None,
        *,
        hot_words: Mapping[str, float] | None = None,
        alternatives: int = 0,
    ) -> Transcript:
        """Transcribe one file, or samples at `sample_rate` Hz (the model's own rate if not given).

        Args:
            source: a file or samples.
            sample_rate: the rate of samples in Hz.
            hot_words: phrases to listen for, each with its boost (natural log; 3 is firm), in addition to those of
                `decoding`.
            alternatives: the most alternative transcripts to give.

        Raises:
            AudioError: the audio cannot be read, or is empty, too short or not finite; the message says which and why.
        """
        options = {"hot_words": hot_words, "alternatives": alternatives}
        return next(iter(self.transcribe_many([source], sample_rate, **options)))  # type: ignore[arg-type]

    def transcribe_many(
        self,
        sources: Iterable[Source],
        sample_rate: int | None = None,
        *,
        batch_size: int = 16,
        on_error: Callable[[Source, AudioError], None] | None = None,
        hot_words: Mapping[str, float] | None = None,
        alternatives: int = 0,
        quiet: bool = True,
    ) -> Iterator[Transcript]:
        """Transcribe many recordings in batches of like length; yield their transcripts in the order given.

        A recording that is longer than those of training is segmented at its pauses and read piece by piece
        (`asr.long_form`); it has no alternatives.

        Args:
            sources: files or samples; they are read as they are needed, a few batches ahead.
            sample_rate: the rate of sources that are samples, in Hz; the model's own if not given.
            batch_size: the most recordings in a batch.
            on_error: called with a source that cannot be read and the reason; the source is then left out. Without it
                the first such source raises its error.
            hot_words: as in `transcribe`.
            alternatives: as in `transcribe`.
            quiet: show no progress within a long recording.

        Raises:
            AudioError: a source cannot be read, and there is no `on_error`.
        """
        decoder = self.decoder_for(hot_words, alternatives)
        for long, group in groupby(sources, lambda source: self._is_long(source, sample_rate)):
            if long:
                yield from self._transcribe_long(group, sample_rate, decoder, on_error, quiet)
                continue
            emissions = self.emitter.emit_many(group, sample_rate, batch_size=batch_size, on_error=on_error)
            while together := list(islice(emissions, DECODED_TOGETHER)):
                yield from self.decode(together, decoder, alternatives=alternatives)

    def _is_long(self, source: Source, sample_rate: int | None) -> bool:
        """Return whether a recording is segmented at its pauses; one that cannot be read is not."""
        return self.duration_of(source, sample_rate) > self.segmentation.window_seconds

    def duration_of(self, source: Source, sample_rate: int | None = None) -> float:
        """Return how many seconds a recording lasts, without reading all of it; 0 if it cannot be read.

        Args:
            source: a file or samples.
            sample_rate: the rate of samples in Hz; the model's own if not given.
        """
        if not isinstance(source, str | Path):
            return max(source.shape, default=0) / (sample_rate or self.config.features.sample_rate)
        try:
            return audio_info(source).duration_seconds
        except AudioError:
            return 0.0

    def _transcribe_long(
        self,
        sources: Iterable[Source],
        sample_rate: int | None,
        decoder: Decoder,
        on_error: Callable[[Source, AudioError], None] | None,
        quiet: bool,
    ) -> Iterator[Transcript]:
        emission_decoder = self.emission_decoder(decoder)
        for source in sources:
            try:
                yield transcribe_long(
                    source,
                    self.emitter,
                    emission_decoder,
                    sample_rate,
                    segmentation=self.segmentation,
                    quiet=quiet,
                )
            except AudioError as error:
                if on_error is None:
                    raise
                on_error(source, error)

    def align(self, source: Source, text: str, sample_rate: int | None = None) -> Alignment:
        """Find when each word and token of a known text is said.

        Args:
            source: a file, or samples at `sample_rate` Hz (the model's own rate if not given).
            text: what is said in it.
            sample_rate: the rate of samples in Hz.

        Raises:
            AudioError: the audio cannot be read.
            AlignmentError: the text is empty or too long for the audio.
            TokensError: the text has characters outside the alphabet.
        """
        (emission,) = self.emitter.emit_many([source], sample_rate)
        return align_text(
            emission.log_probs,
            text,
            self.tokens,
            self.seconds_per_step,
            emission.duration_seconds,
            emission.silences,
            emission.source or "",
        )

    def decoder_for(self, hot_words: Mapping[str, float] | None = None, alternatives: int = 0) -> Decoder:
        """Return the run's decoder, or a beam search where greedy decoding cannot do what is asked for.

        Args:
            hot_words: phrases with their boosts, in addition to those of `decoding`.
            alternatives: the most alternatives that will be asked for.

        Raises:
            UserError: a hot word has characters outside the alphabet.
        """
        if not hot_words and (not alternatives or self.decoding.method == "beam"):
            return self.decoder
        more = {"method": "beam", "hot_words": {**self.decoding.hot_words, **(hot_words or {})}}
        return make_decoder(self.decoding.model_copy(update=more), self.tokens, self.directory)

    def emission_decoder(self, decoder: Decoder | None = None) -> EmissionDecoder:
        """Return what makes transcripts of emissions, with the run's decoder if no other is given."""
        return EmissionDecoder(
            decoder or self.decoder, self.tokens, self.seconds_per_step, self.decoding.confidence
        )

    def decode(
        self, emissions: Sequence[Emission], decoder: Decoder | None = None, *, alternatives: int = 0
    ) -> list[Transcript]:
        """Return the transcripts of emissions, by the run's decoder if no other is given."""
        return self.emission_decoder(decoder).decode(emissions, alternatives=alternatives)

    @cached_property
    def emitter(self) -> Emitter:
        """The reader of recordings, which computes their emissions in batches."""
        return Emitter(self.emissions, self.config.features.sample_rate, self.seconds_per_step)

    @torch.inference_mode()
    def emissions(self, batch: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Compute the log-probabilities of recordings, averaged over the ways to hear them.

        Args:
            batch: recordings `[samples]` float32 at the model's rate.

        Returns:
            Natural log-probabilities `[batch, time, tokens]` float32, and lengths `[batch]` int64 in steps.
        """
        on_device = [torch.from_numpy(samples).to(self.device) for samples in batch]
        log_probs, steps = self.hearing.log_probs(self.model, on_device)
        return log_probs.cpu().numpy(), steps.cpu().numpy()
