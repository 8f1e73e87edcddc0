"""The acoustic model's two convolutions, compiled for their number of channels (convolutions.cpp).

A library's convolution of few channels spends most of its time on arranging planes anew, on masks, and on gradients of
what nobody asks for: three quarters of what this takes, and the rest is work.
"""

import ctypes
import logging
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sluice_cells.compiler import CompilerError, load
from sluice_cells.double_backward import differentiable_once

log = logging.getLogger(__name__)

CHANNELS = (4, 8, 16, 32, 64)
"""The numbers of channels that fill vectors."""

ONCE = "the compiled convolutions differentiate once"


class _Shape(ctypes.Structure):
    """`Shape` of convolutions.cpp."""

    _fields_ = [
        *[(name, ctypes.c_long) for name in ("batch", "time", "size", "stride")],
        *[(name, ctypes.c_long) for name in ("time1", "size1", "stride1", "time2", "size2")],
        *[(name, ctypes.c_void_p) for name in ("steps1", "steps2")],
        ("threads", ctypes.c_long),
    ]


@cache
def _library(channels: int) -> ctypes.CDLL | None:
    """Return the library for a number of channels, None where it cannot be compiled."""
    source = Path(__file__).with_name("convolutions.cpp").read_text(encoding="utf-8")
    try:
        library = load(f"enum {{ CHANNELS = {channels} }};\n{source}")
    except CompilerError as error:
        log.info("convolutions are torch's: %s", error)
        return None
    library.convolve.argtypes = [ctypes.POINTER(_Shape), *[ctypes.c_void_p] * 7]
    library.convolve_back.argtypes = [ctypes.POINTER(_Shape), *[ctypes.c_void_p] * 6]
    return library


def compiled(features: Tensor, first: nn.Conv2d) -> bool:
    """Return whether `convolve` can run here: in float32 on a CPU, with a compiler, and not if features are learned."""
    return (
        features.device.type == "cpu"
        and features.dtype == first.weight.dtype == torch.float32
        and not features.requires_grad
        and not torch.jit.is_tracing()
        and not torch.compiler.is_compiling()
        and first.out_channels in CHANNELS
        and _library(first.out_channels) is not None
    )


def convolve(features: Tensor, first: nn.Conv2d, second: nn.Conv2d, steps: tuple[Tensor, Tensor]) -> Tensor:
    """Run two 3x3 convolutions with padding 1 that halve frequency, each rectified.

    Args:
        features: `[batch, time, size]`, zero past each length.
        first: from 1 channel.
        second: to as many channels as the first.
        steps: `[batch]` int64 of each convolution: how many steps of each utterance are computed.

    Returns:
        `[batch, steps, channels * size / 4]`, zero past each utterance's steps. It can be differentiated once.
    """
    strides = (int(first.stride[0]), int(second.stride[0]))
    return _Convolutions.apply(features, first.weight, first.bias, second.weight, second.bias, strides, steps)


class _Convolutions(torch.autograd.Function):
    """Both convolutions and their gradients with respect to weights and biases."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight1: Tensor,
        bias1: Tensor,
        weight2: Tensor,
        bias2: Tensor,
        strides: tuple[int, int],
        steps: tuple[Tensor, Tensor],
    ) -> Tensor:
        channels, (batch, time, size) = len(bias1), features.shape
        time1, size1 = -(-time // strides[0]), -(-size // 2)
        time2, size2 = -(-time1 // strides[1]), -(-size1 // 2)
        counts = [each.cpu().contiguous() for each in steps]
        shape = _Shape(batch, time, size, strides[0], time1, size1, strides[1], time2, size2)
        shape.steps1, shape.steps2 = (each.data_ptr() for each in counts)
        shape.threads = max(1, min(batch, torch.get_num_threads()))
        padded = nn.functional.pad(features, (1, 1, 1, 1))
        planes = features.new_zeros(batch, time1 + 2, size1 + 2, channels)
        result = features.new_zeros(batch, time2, channels * size2)
        given = (
            weight1.reshape(channels, 9).t().contiguous(),
            bias1.contiguous(),
            weight2.permute(2, 3, 1, 0).contiguous(),
            bias2.contiguous(),
        )
        library = _library(channels)
        assert library is not None
        library.convolve(
            shape,
            padded.data_ptr(),
            *(each.data_ptr() for each in given),
            planes.data_ptr(),
            result.data_ptr(),
        )
        ctx.save_for_backward(padded, weight2, planes, result)
        ctx.shape, ctx.counts, ctx.library = shape, counts, library  # the shape has the counts' addresses
        return result

    @staticmethod
    @differentiable_once(ONCE)
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        padded, weight2, planes, result = ctx.saved_tensors
        channels = len(weight2)
        back = weight2.permute(2, 3, 0, 1).contiguous()
        gradient = gradient.contiguous()
        sums = gradient.new_zeros((10 + 9 * channels + 1) * channels)
        pointers = (each.data_ptr() for each in (padded, back, planes, result, gradient, sums))
        ctx.library.convolve_back(ctx.shape, *pointers)
        sizes = [9 * channels, channels, 9 * channels * channels, channels]
        first, bias1, second, bias2 = sums.split(sizes)
        first = first.view(3, 3, 1, channels).permute(3, 2, 0, 1)
        second = second.view(3, 3, channels, channels).permute(3, 2, 0, 1)
        return None, first, bias1, second, bias2, None, None
