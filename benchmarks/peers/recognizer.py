"""A recognizer's training as it is written with torch.nn and torchaudio alone, for `benchmarks.training`.

The model, its sizes and the loss are those of `asr.acoustic.network`, and features and loss come out the same. The
rest is what users of SpeechBrain or deepspeech.pytorch write: a batch of waveforms is padded, sped up by one factor
(`torchaudio.transforms.SpeedPerturbation`), mixed with noise, turned into log-mel features and masked as a whole, and
recurrent layers get it packed. Random words in place of others are not among what these libraries offer.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchaudio import functional, transforms

from asr.config import AugmentConfig, FeatureConfig, ModelConfig
from sluice_core.training.config import TrainingConfig


def inside(lengths: Tensor, size: int) -> Tensor:
    """Return `[batch, size]` bool, true within the lengths `[batch]`."""
    return torch.arange(size) < lengths[:, None]


class PeerFeatures(nn.Module):
    """Log-mel features of padded waveforms, normalized by utterance, by torchaudio's MelSpectrogram."""

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        rate = config.sample_rate
        window, hop = round(rate * config.window_ms / 1000), round(rate * config.hop_ms / 1000)
        self.floor, self.hop = config.floor, hop
        self.mel = transforms.MelSpectrogram(
            rate,
            n_fft=1 << (window - 1).bit_length(),
            win_length=window,
            hop_length=hop,
            f_min=config.low_hz,
            f_max=config.high_hz,
            n_mels=config.mels,
            pad_mode="constant",
            norm="slaney",
            mel_scale="slaney",
        )

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `[batch, mels, time]`, zero past each length, and lengths `[batch]` in frames.

        Args:
            samples: `[batch, samples]`, zero past each length.
            lengths: `[batch]` int64 samples.
        """
        mel = self.mel(samples).clamp(min=self.floor).log()
        frames = 1 + lengths // self.hop
        valid = inside(frames, mel.shape[2])[:, None]
        count = frames[:, None, None]
        centred = (mel - (mel * valid).sum(2, keepdim=True) / count) * valid
        variance = centred.square().sum(2, keepdim=True) / count
        return centred * torch.rsqrt(variance + 1e-5), frames


class PeerAugmentation:
    """Speed, noise and masks, by the transforms and functions of torchaudio, for a batch at a time."""

    def __init__(self, config: AugmentConfig, sample_rate: int) -> None:
        self.config = config
        slow, fast = config.speed
        self.speed = transforms.SpeedPerturbation(sample_rate, [slow, 1.0, fast])
        frequency = transforms.FrequencyMasking(config.frequency_mask_bins, iid_masks=True)
        time = transforms.TimeMasking(config.time_mask_frames, iid_masks=True, p=config.time_mask_share)
        self.masks = [frequency] * config.frequency_masks + [time] * config.time_masks

    def wave(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Change the speed of a batch `[batch, samples]`, and add noise to some of its utterances."""
        samples, speeded = self.speed(samples, lengths)
        lengths = speeded.long()
        noisy = torch.rand(len(samples)) < self.config.noise_probability
        if noisy.any():
            some = samples[noisy]
            snr = torch.empty(len(some)).uniform_(*self.config.noise_snr_db)
            samples[noisy] = functional.add_noise(some, torch.randn_like(some), snr, lengths[noisy])
        return samples, lengths

    def mask(self, features: Tensor) -> Tensor:
        """Mask bands and frames of `[batch, mels, time]`, of each utterance others."""
        for mask in self.masks:
            features = mask(features)
        return features


class PeerModel(nn.Module):
    """The acoustic model in modules of torch.nn: convolutions, layers of a bidirectional LSTM, log-probabilities."""

    def __init__(self, config: ModelConfig, mels: int, tokens: int, *, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.time_strides = (2, 2) if config.subsampling == 4 else (2, 1)
        first, second = self.time_strides
        channels, hidden = config.channels, config.hidden_size
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, channels, 3, stride=(first, 2), padding=1),
                nn.Conv2d(channels, channels, 3, stride=(second, 2), padding=1),
            ]
        )
        size = channels * -(-mels // 4)
        self.norm = nn.LayerNorm(size)
        sizes = [size] + [2 * hidden] * (config.layers - 1)
        self.layers = nn.ModuleList(
            nn.LSTM(each, hidden, batch_first=True, bidirectional=True) for each in sizes
        )
        self.norms = nn.ModuleList(nn.LayerNorm(2 * hidden) for _ in sizes)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(2 * hidden, tokens)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities `[batch, steps, tokens]` and lengths in steps, of features `[batch, time, mels]`."""
        planes = features[:, None]
        for convolution, stride in zip(self.convolutions, self.time_strides, strict=True):
            planes = torch.relu(convolution(planes))
            lengths = -(-lengths // stride)
            planes = planes * inside(lengths, planes.shape[2])[:, None, :, None]
        hidden = self.norm(planes.transpose(1, 2).flatten(2))
        recurrent = self._packed if self.packed else self._padded
        return self.output(self.dropout(recurrent(hidden, lengths))).log_softmax(2), lengths

    def _packed(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """Run the recurrent layers over `[batch, steps, size]`, and no further than the lengths."""
        packed = pack_padded_sequence(hidden, lengths, batch_first=True, enforce_sorted=False)
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            if number:
                packed = packed._replace(data=self.dropout(packed.data))
            packed, _ = layer(packed)
            packed = packed._replace(data=norm(packed.data))
        return pad_packed_sequence(packed, batch_first=True)[0]

    def _padded(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """Run the recurrent layers over the padding as well, where the backward direction begins."""
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            hidden = norm(layer(self.dropout(hidden) if number else hidden)[0])
        return hidden


class PeerTraining:
    """The stages of the peer's training step."""

    def __init__(
        self,
        model: ModelConfig,
        features: FeatureConfig,
        augment: AugmentConfig,
        training: TrainingConfig,
        *,
        tokens: int,
        packed: bool,
    ) -> None:
        self.training = training
        self.features = PeerFeatures(features)
        self.augmentation = PeerAugmentation(augment, features.sample_rate)
        self.model = PeerModel(model, features.mels, tokens, packed=packed)
        self.ctc = nn.CTCLoss(reduction="sum", zero_infinity=True)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=training.learning_rate, fused=True)
        self.averaged = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(training.average_decay))

    @torch.no_grad()
    def data(self, waves: Iterable[Tensor], augment: bool = True) -> tuple[Tensor, Tensor]:
        """Return features `[batch, time, mels]` of waveforms `[samples]`, and lengths in frames."""
        waves = list(waves)
        lengths = torch.tensor([len(wave) for wave in waves])
        samples = pad_sequence(waves, batch_first=True)
        if augment:
            samples, lengths = self.augmentation.wave(samples, lengths)
        features, frames = self.features(samples, lengths)
        return (self.augmentation.mask(features) if augment else features).transpose(1, 2), frames

    def loss(self, log_probs: Tensor, lengths: Tensor, targets: list[Tensor]) -> Tensor:
        """Return CTC's loss in nats for each token of the targets."""
        counts = torch.tensor([len(target) for target in targets])
        return self.ctc(log_probs.transpose(0, 1), torch.cat(targets), lengths, counts) / counts.sum()

    def update(self) -> None:
        """Clip the gradients, do the optimizer's step, and average the weights."""
        if self.training.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.training.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.averaged.update_parameters(self.model)
