"""The acoustic model: convolutional subsampling, recurrent layers, and log-probabilities of tokens."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from asr.acoustic.convolutions import compiled, convolve
from asr.config import ModelConfig
from sluice_cells.dropout import dropout
from sluice_cells.products import Linear
from sluice_core.masks import padding_mask


class Subsampling(nn.Module):
    """Two 3x3 convolutions that shorten time 2x or 4x and frequency 4x (as in Deep Speech 2, Amodei et al. 2015)."""

    def __init__(self, feature_size: int, channels: int, factor: int) -> None:
        super().__init__()
        self.time_strides = (2, 2) if factor == 4 else (2, 1)
        first, second = self.time_strides
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, channels, 3, stride=(first, 2), padding=1),
                nn.Conv2d(channels, channels, 3, stride=(second, 2), padding=1),
            ]
        )
        self.output_size = channels * -(-feature_size // 4)

    def steps(self, frames: Tensor) -> Tensor:
        """Return the number of steps that remain of `frames` (int64, of any shape)."""
        for stride in self.time_strides:
            frames = -(-frames // stride)
        return frames

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Subsample features.

        Args:
            features: `[batch, time, size]`, zero past each length.
            lengths: `[batch]` int64, in frames.

        Returns:
            `[batch, steps, output_size]`, zero past each length, and lengths `[batch]` in steps.
        """
        first, second = cast("Iterable[nn.Conv2d]", self.convolutions)
        if compiled(features, first):
            half = -(-lengths // self.time_strides[0])
            steps = (half, -(-half // self.time_strides[1]))
            return convolve(features, first, second, steps), steps[1]
        # In bfloat16 a processor takes longer for the gradients of so few channels.
        with torch.autocast("cpu", enabled=False):
            return self._by_torch(features, lengths)

    def _by_torch(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Subsample features on any device, in any type."""
        planes = features[:, None]  # [batch, 1, time, size]
        for convolution, stride in zip(self.convolutions, self.time_strides, strict=True):
            planes = torch.relu(convolution(planes))
            lengths = -(-lengths // stride)
            # A convolution does not keep the zeros past a length, and the next one must not read its values there.
            inside = padding_mask(lengths, planes.shape[2])
            planes = planes * inside[:, None, :, None].to(planes.dtype)
        return planes.transpose(1, 2).flatten(2), lengths  # [batch, steps, channels * size / 4]


class AcousticModel(nn.Module):
    """Computes log-probabilities of tokens from features, at a half or a quarter of the frame rate.

    No layer mixes utterances of a batch (normalization is by layer, not by batch), and none reads past a length, so an
    utterance has the same result in any padded batch as alone.

    Example:
        >>> model = AcousticModel(ModelConfig(hidden_size=8), feature_size=80, token_count=5)
        >>> log_probs, lengths = model(torch.zeros(1, 100, 80), torch.tensor([100]))
        >>> tuple(log_probs.shape), lengths.tolist()
        ((1, 25, 5), [25])
    """

    def __init__(self, config: ModelConfig, feature_size: int, token_count: int) -> None:
        super().__init__()
        self.subsampling = Subsampling(feature_size, config.channels, config.subsampling)
        self.norm = nn.LayerNorm(self.subsampling.output_size)
        self.stack = config.make_stack(self.subsampling.output_size, layer_norm=True)
        self.drop_share = config.dropout
        self.output = Linear(self.stack.output_size, token_count)

    @property
    def frames_per_step(self) -> int:
        """The number of frames that become one step of the output."""
        first, second = self.subsampling.time_strides
        return first * second

    def steps(self, frames: Tensor) -> Tensor:
        """Return the number of steps of the output for `frames` of features (int64, of any shape)."""
        return self.subsampling.steps(frames)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute log-probabilities.

        Args:
            features: `[batch, time, size]`, zero past each length.
            lengths: `[batch]` int64, in frames.

        Returns:
            Natural log-probabilities `[batch, time, tokens]` float32, and lengths `[batch]` int64 in steps.
        """
        hidden, lengths = self.subsampling(features, lengths)
        hidden = self.stack.outputs(self.norm(hidden), lengths)
        logits = self.output(dropout(hidden, self.drop_share, self.training))
        return logits.float().log_softmax(dim=2), lengths
