"""A trained recognizer in use: load a run directory, transcribe files, arrays and tensors."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic.features import Features
from asr.acoustic.network import AcousticModel
from asr.alignment.confidence import Agreement, word_confidences
from asr.alignment.text import Alignment, align_text
from asr.alignment.word_timestamps import Silences, spoken_words
from asr.audio.reading import AudioError, audio_info, check_samples, read_audio, resample
from asr.config import DecodingConfig, RecognizerConfig
from asr.decoding.decoder import Decoder, make_decoder
from asr.decoding.hypothesis import Hypothesis
from asr.long_form import Cutting, transcribe_long
from asr.tokens import Tokens
from asr.transcript import Transcript
from sluice_core.devices import find_device
from sluice_core.files import CheckpointError, write_atomic, write_bytes, write_text
from sluice_core.weights import load_weights, save_weights

Source = str | Path | np.ndarray | Tensor
"""A file, or samples: `[samples]` or `[samples, channels]` (as soundfile gives them), floats or integers."""

BATCH_SECONDS = 120.0
"""Most padded seconds of audio that go through the model at once."""


CUTTING_FILE = "long_form.yaml"
"""Of a run directory: how recordings are cut that are longer than those of training."""

DECODING_FILE = "decoding.yaml"
"""Of a run directory: how it decodes, once it has been tuned."""

COMPARED = 16
"""Other hypotheses that a word's confidence is judged by."""

DECODED_TOGETHER = 32
"""Recordings that go through the decoder at once."""


@dataclass(frozen=True)
class Emission:
    """What the acoustic model says of one recording."""

    log_probs: Tensor
    """`[steps, tokens]` natural logs, on the CPU."""
    duration_seconds: float
    source: str | None = None
    """The file, when it was one."""
    silences: Silences | None = None
    """They make the times of words by a pause exact."""


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
        """Put a recognizer together.

        Args:
            config: what it is.
            tokens: its alphabet.
            model: freshly initialized if not given.
            decoding: how it decodes; greedily if not given.
            directory: where relative paths in `decoding` start.
        """
        self.config = config
        self.tokens = tokens
        self.features = Features(config.features).eval()
        self.model = model or AcousticModel(config.model, self.features.size, len(tokens))
        self.device = torch.device("cpu")
        self.decoding = decoding or DecodingConfig()
        self.directory = directory or Path()
        self.cutting = Cutting()

    @classmethod
    def load(
        cls,
        directory: str | Path,
        device: str | torch.device = "cpu",
        decoding: DecodingConfig | None = None,
    ) -> "Transcriber":
        """Read a run directory that training wrote.

        Args:
            directory: the run.
            device: where the model is to run.
            decoding: instead of the run's own `decoding.yaml`, without which decoding is greedy.

        Raises:
            CheckpointError: the directory, its weights or its settings are missing, damaged, or of another model.
            ConfigError: its settings of decoding are wrong.
            DeviceError: there is no such device.
        """
        directory = Path(directory)
        if not directory.is_dir():
            raise CheckpointError(f"{directory}: no such run directory; `sluice train` makes one")
        if not (directory / "config.yaml").is_file():
            raise CheckpointError(f"{directory}: no config.yaml in it, so it is not a run directory")
        if decoding is None and (directory / DECODING_FILE).is_file():
            decoding = DecodingConfig.read(directory / DECODING_FILE)
        transcriber = cls(
            RecognizerConfig.read(directory / "config.yaml"),
            Tokens.load(directory / "tokens.json"),
            decoding=decoding,
            directory=directory,
        )
        if (directory / CUTTING_FILE).is_file():
            transcriber.cutting = Cutting.read(directory / CUTTING_FILE)
        weights = load_weights(directory / "model.safetensors")
        try:
            transcriber.model.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"{directory}: model.safetensors does not fit config.yaml and tokens.json; "
                f"they come from different runs. {error}"
            ) from error
        if transcriber.model.stack.engine == "fast":
            # Training may insist on it; use must not, for it may have no compiler. Where there is one, this is it.
            transcriber.model.stack.engine = "auto"
        return transcriber.to(device)

    def save(self, directory: str | Path, facts: dict[str, str] | None = None) -> None:
        """Write everything that `load` needs: settings, alphabet, weights, decoding (each file atomically)."""
        directory = Path(directory)
        write_text(directory / "config.yaml", self.config.to_yaml())
        self.tokens.save(directory / "tokens.json")
        save_weights(directory / "model.safetensors", self.model.state_dict(), facts)
        write_text(directory / CUTTING_FILE, self.cutting.to_yaml())
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
        """Move the model to a device, ready for use (dropout off); returns itself.

        Raises:
            DeviceError: there is no such device.
        """
        self.device = find_device(device)
        self.features.to(self.device)
        self.model.to(self.device).eval()
        return self

    @cached_property
    def decoder(self) -> Decoder:
        """What `decoding` asks for; its language model is read when it is first used.

        Raises:
            UserError: the language model, lexicon or a hot word is not to be had, or does not fit the alphabet.
        """
        return make_decoder(self.decoding, self.tokens, self.directory)

    @property
    def seconds_per_step(self) -> float:
        """Time between two posteriors."""
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
            source: what to transcribe.
            sample_rate: of samples, in Hz.
            hot_words: phrases to listen for, each with its boost (natural log; 3 is firm), beside those of
                `decoding`.
            alternatives: how many other readings to give, at most.

        Raises:
            AudioError: the audio cannot be read or is empty, too short or not finite; says which and why.
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
        """Transcribe many, batches of like length at a time, in the order given.

        A recording that is longer than those of training is cut at its pauses and read bit by bit
        (`asr.long_form`); it has no alternatives.

        Args:
            sources: files or samples; read as they are needed, a few batches ahead.
            sample_rate: of sources that are samples, in Hz; the model's own if not given.
            batch_size: most recordings in a batch.
            on_error: called with a source that cannot be read, and why; it is then left out of the
                transcripts. Without it the first such source raises its AudioError.
            hot_words: as in `transcribe`.
            alternatives: as in `transcribe`.
            quiet: show no progress within a long recording.
        """
        decoder = self.decoder_for(hot_words, alternatives)
        for long, group in groupby(sources, lambda source: self._is_long(source, sample_rate)):
            if long:
                yield from self._transcribe_long(group, sample_rate, decoder, on_error, quiet)
                continue
            emissions = self.emit_many(group, sample_rate, batch_size=batch_size, on_error=on_error)
            while together := list(islice(emissions, DECODED_TOGETHER)):
                yield from self.decode(together, decoder, alternatives=alternatives)

    def _is_long(self, source: Source, sample_rate: int | None) -> bool:
        """Whether a recording is cut at its pauses; one that cannot be read is not."""
        longest = self.cutting.window_seconds
        if not isinstance(source, str | Path):
            samples = max(source.shape, default=0)
            return samples / (sample_rate or self.config.features.sample_rate) > longest
        try:
            return audio_info(source).duration_seconds > longest
        except AudioError:
            return False

    def _transcribe_long(
        self,
        sources: Iterable[Source],
        sample_rate: int | None,
        decoder: Decoder,
        on_error: Callable[[Source, AudioError], None] | None,
        quiet: bool,
    ) -> Iterator[Transcript]:
        for source in sources:
            try:
                yield transcribe_long(
                    self, source, sample_rate, decoder=decoder, cutting=self.cutting, quiet=quiet
                )
            except AudioError as error:
                if on_error is None:
                    raise
                on_error(source, error)

    def align(self, source: Source, text: str, sample_rate: int | None = None) -> Alignment:
        """When each word and token of a known text is said.

        Args:
            source: a file, or samples at `sample_rate` Hz (the model's own rate if not given).
            text: what is said in it.
            sample_rate: of samples, in Hz.

        Raises:
            AudioError: the audio cannot be read.
            AlignmentError: the text is empty or too long for the audio.
            TokensError: it has characters outside the alphabet.
        """
        (emission,) = self.emit_many([source], sample_rate)
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
        """The run's decoder; or, where it cannot do what is asked for, a beam search that can.

        Raises:
            UserError: a hot word has characters outside the alphabet.
        """
        if not hot_words and (not alternatives or self.decoding.method == "beam"):
            return self.decoder
        more = {"method": "beam", "hot_words": {**self.decoding.hot_words, **(hot_words or {})}}
        return make_decoder(self.decoding.model_copy(update=more), self.tokens, self.directory)

    def decode(
        self, emissions: Sequence[Emission], decoder: Decoder | None = None, *, alternatives: int = 0
    ) -> list[Transcript]:
        """Transcripts of posteriors, by the run's decoder if no other is given."""
        log_probs = pad_sequence([each.log_probs for each in emissions], batch_first=True)
        lengths = torch.tensor([len(each.log_probs) for each in emissions])
        compared = COMPARED if self.decoding.confidence else 0
        n_best = 1 + max(alternatives, compared)
        found = (decoder or self.decoder).decode(log_probs, lengths, n_best=n_best)
        return [
            self.to_transcript(hypotheses, each, alternatives=alternatives)
            for hypotheses, each in zip(found, emissions, strict=True)
        ]

    def emit_many(
        self,
        sources: Iterable[Source],
        sample_rate: int | None = None,
        *,
        batch_size: int = 16,
        on_error: Callable[[Source, AudioError], None] | None = None,
    ) -> Iterator[Emission]:
        """The posteriors of many recordings, in the order given; arguments as in `transcribe_many`."""
        window: list[tuple[np.ndarray, str | None]] = []
        seconds = 0.0
        for source in sources:
            try:
                samples = self.read(source, sample_rate)
            except AudioError as error:
                if on_error is None:
                    raise
                on_error(source, error)
                continue
            window.append((samples, str(source) if isinstance(source, str | Path) else None))
            seconds += len(samples) / self.config.features.sample_rate
            if len(window) == 4 * batch_size or seconds > 4 * BATCH_SECONDS:
                yield from self._emit_window(window, batch_size)
                window, seconds = [], 0.0
        yield from self._emit_window(window, batch_size)

    def read(self, source: Source, sample_rate: int | None = None) -> np.ndarray:
        """Any source as checked mono samples `[samples]` float32 at the model's rate."""
        rate = self.config.features.sample_rate
        if isinstance(source, str | Path):
            return check_samples(read_audio(source, rate)[0], rate, str(source))
        given = sample_rate or rate
        return resample(check_samples(source, given, "the samples given"), given, rate)

    @torch.inference_mode()
    def emissions(self, batch: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
        """Log-posteriors of samples at the model's rate.

        Returns:
            Natural log-probabilities `[batch, steps, tokens]` float32 and steps `[batch]` int64.
        """
        # Each by itself: of recordings of mixed lengths, spectra of padding cost more than the calls do.
        alone = [torch.from_numpy(samples)[None].to(self.device) for samples in batch]
        features = [self.features(one, torch.tensor([one.shape[1]]))[0][0] for one in alone]
        frames = torch.tensor([len(each) for each in features], device=self.device)
        return self.model(pad_sequence(features, batch_first=True), frames)

    def _emit_window(
        self, window: list[tuple[np.ndarray, str | None]], batch_size: int
    ) -> Iterator[Emission]:
        order = sorted(range(len(window)), key=lambda item: -len(window[item][0]))
        emissions: dict[int, Emission] = {}
        while order:
            longest = len(window[order[0]][0]) / self.config.features.sample_rate
            count = max(1, min(batch_size, int(BATCH_SECONDS / longest)))
            batch, order = order[:count], order[count:]
            log_probs, lengths = self.emissions([window[item][0] for item in batch])
            for item, row, length in zip(batch, log_probs.cpu(), lengths.tolist(), strict=True):
                samples, source = window[item]
                rate = self.config.features.sample_rate
                silences = Silences.of(samples, rate)
                emissions[item] = Emission(row[:length], len(samples) / rate, source, silences)
        for item in range(len(window)):
            yield emissions[item]

    def to_transcript(
        self, hypotheses: Sequence[Hypothesis], emission: Emission, *, alternatives: int = 0
    ) -> Transcript:
        """The first hypothesis as text and words with their times, the others as its alternatives.

        Args:
            hypotheses: the n-best list.
            emission: what was decoded.
            alternatives: how many of the others to give, at most.
        """
        compared = hypotheses[: 1 + COMPARED]
        agreement = Agreement(compared, self.tokens) if self.decoding.confidence else None
        best, *others = [
            self._transcript(each, agreement, emission) for each in hypotheses[: 1 + alternatives]
        ]
        return replace(best, alternatives=tuple(others))

    def _transcript(
        self, hypothesis: Hypothesis, agreement: Agreement | None, emission: Emission
    ) -> Transcript:
        confidences = word_confidences(hypothesis, self.tokens, self.decoding.confidence, agreement)
        seconds = emission.duration_seconds
        words = spoken_words(
            hypothesis, self.tokens, self.seconds_per_step, seconds, emission.silences, confidences
        )
        text = " ".join(word.text for word in words)
        return Transcript(text, words, hypothesis.score, seconds, emission.source)
