"""Symbols that stand for tensors in a cell's step, and torch's functions on them."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from sluice_cells.engines.fast.graph import Graph, Node


class CannotTrace(Exception):
    """The step uses something that symbols do not support; the message says what."""


class Symbol:
    """What a step is given instead of a tensor `[batch, width]`, a vector `[width]` or a matrix."""

    def __init__(
        self, graph: Graph, node: Node | None, shape: tuple[int, ...], name: str = "", *, mask: bool = False
    ) -> None:
        self.graph = graph
        self._node = node  # None for a matrix, which only `linear` can use
        self.shape = torch.Size(shape)
        self.name = name
        self.mask = mask  # whether a tensor would hold truth values here, and not the numbers 0 and 1

    @property
    def is_matrix(self) -> bool:
        """Return whether the symbol is a weight matrix."""
        return self._node is None

    @property
    def node(self) -> Node:
        """Return the node of the symbol's value; a matrix has none."""
        if self._node is None:
            raise CannotTrace(f"matrix {self.name!r} is used other than by linear")
        return self._node

    @classmethod
    def __torch_function__(
        cls, function: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Apply a function of torch to symbols."""
        if function not in _FUNCTIONS:
            raise CannotTrace(f"it calls {getattr(function, '__name__', function)}")
        return _FUNCTIONS[function](*args, **(kwargs or {}))

    def __getattr__(self, name: str) -> Any:
        function = getattr(torch, name, None)
        if name.startswith("__") or function not in _FUNCTIONS:
            raise CannotTrace(f"it uses the tensor's {name}")
        return lambda *args, **kwargs: _FUNCTIONS[function](self, *args, **kwargs)

    def __bool__(self) -> bool:
        raise CannotTrace("it decides by a tensor's value")

    def dim(self) -> int:
        """Return the number of dimensions, like a tensor."""
        return len(self.shape)

    def size(self, dim: int | None = None) -> Any:
        """Return the sizes, like a tensor."""
        return self.shape if dim is None else self.shape[dim]

    def float(self) -> "Symbol":
        """Return the symbol itself, because the engine computes in float32 only."""
        return row(self.graph, self.node)

    def __add__(self, other: Any) -> "Symbol":
        if self.mask and isinstance(other, Symbol) and other.mask:
            return self | other  # true and true are true, not 2
        return _elementwise("add", self, other)

    def __sub__(self, other: Any) -> "Symbol":
        return _elementwise("sub", self, other)

    def __rsub__(self, other: Any) -> "Symbol":
        return _elementwise("sub", other, self)

    def __mul__(self, other: Any) -> "Symbol":
        return _elementwise("mul", self, other)

    def __truediv__(self, other: Any) -> "Symbol":
        return _elementwise("div", self, other)

    def __rtruediv__(self, other: Any) -> "Symbol":
        return _elementwise("div", other, self)

    def __mod__(self, other: Any) -> "Symbol":
        return _elementwise("remainder", self, other)

    def __pow__(self, power: Any) -> "Symbol":
        if power != 2:
            raise CannotTrace(f"it raises to the power {power}")
        return _elementwise("mul", self, self)

    def __neg__(self) -> "Symbol":
        return _elementwise("neg", self)

    def __abs__(self) -> "Symbol":
        return _elementwise("abs", self)

    def __lt__(self, other: Any) -> "Symbol":
        return _compare("lt", self, other)

    def __le__(self, other: Any) -> "Symbol":
        return _compare("le", self, other)

    def __gt__(self, other: Any) -> "Symbol":
        return _compare("lt", other, self)

    def __ge__(self, other: Any) -> "Symbol":
        return _compare("le", other, self)

    def __eq__(self, other: Any) -> Any:
        return _compare("eq", self, other)

    def __ne__(self, other: Any) -> Any:
        return ~_compare("eq", self, other)

    def __and__(self, other: Any) -> "Symbol":
        return _choose(self, other, False)

    def __or__(self, other: Any) -> "Symbol":
        return _choose(self, True, other)

    def __invert__(self) -> "Symbol":
        return _choose(self, False, True)

    def __getitem__(self, key: Any) -> "Symbol":
        *before, last = key if isinstance(key, tuple) else (key,)
        whole = all(each is Ellipsis or each == slice(None) for each in before)
        if not isinstance(last, slice) or not whole or (len(self.shape) > 1 and not before):
            raise CannotTrace("it takes other than a range of the last dimension, as x[..., 2:5] does")
        start, stop, step = last.indices(self.shape[-1])
        if step != 1 or stop <= start:
            raise CannotTrace(f"it takes the elements {start}:{stop}:{step}")
        return row(self.graph, self.graph.slice(self.node, start, stop - start))

    __radd__ = __add__
    __rmul__ = __mul__
    __hash__ = object.__hash__


def _elementwise(operation: str, *arguments: Any) -> Symbol:
    symbols = [argument for argument in arguments if isinstance(argument, Symbol)]
    graph = symbols[0].graph
    nodes = []
    for argument in arguments:
        if isinstance(argument, Symbol):
            nodes.append(argument.node)
        elif isinstance(argument, int | float):
            nodes.append(graph.constant(argument))
        else:
            raise CannotTrace(f"it uses a {type(argument).__name__} that is not among its weights")
    try:
        node = graph.elementwise(operation, *nodes)
    except ValueError as error:
        raise CannotTrace(str(error)) from error
    return row(graph, node)


def row(graph: Graph, node: Node) -> Symbol:
    """Return the symbol of a node, which is one row of the batch."""
    return Symbol(graph, node, (1, node.width))


def _compare(operation: str, *arguments: Any) -> Symbol:
    symbol = _elementwise(operation, *arguments)
    return Symbol(symbol.graph, symbol.node, symbol.shape, mask=True)


def _choose(mask: Symbol, one: Any, other: Any) -> Symbol:
    """Return one mask where a mask is true, and another where it is false."""
    if not all(
        each.mask if isinstance(each, Symbol) else isinstance(each, bool) for each in (mask, one, other)
    ):
        raise CannotTrace("it combines as truth values what are numbers")
    return _compare("where", mask, one, other)


def _last(dim: int, symbol: Symbol) -> None:
    if dim not in (-1, symbol.dim() - 1):
        raise CannotTrace(f"it works over dimension {dim}; only the last, -1, is known")


class _Stacked(Symbol):
    """Weight matrices concatenated along their rows."""

    def __init__(self, parts: Sequence[Symbol]) -> None:
        super().__init__(parts[0].graph, None, (sum(part.shape[0] for part in parts), parts[0].shape[1]))
        self.parts = parts


def _linear(inputs: Symbol, weight: Any, bias: Any = None) -> Symbol:
    if isinstance(weight, _Stacked):
        product = _cat([_linear(inputs, part) for part in weight.parts], -1)
        return product if bias is None else product + bias
    if not isinstance(weight, Symbol) or weight.dim() != 2:
        raise CannotTrace("it multiplies by a matrix that is not among its weights")
    rows, columns = weight.shape
    if inputs.shape[-1] != columns:
        raise CannotTrace(f"linear of {inputs.shape[-1]} features with a matrix of {columns} columns")
    product = row(inputs.graph, inputs.graph.linear(inputs.node, weight.name, rows))
    return product if bias is None else product + bias


def _chunk(symbol: Symbol, chunks: int, dim: int = 0) -> tuple[Symbol, ...]:
    width = -(-symbol.shape[-1] // chunks)
    return _split(symbol, width, dim)


def _split(symbol: Symbol, size: int | Sequence[int], dim: int = 0) -> tuple[Symbol, ...]:
    _last(dim, symbol)
    width = symbol.shape[-1]
    if isinstance(size, int):
        size = [min(size, width - start) for start in range(0, width, size)]
    starts = [sum(size[:place]) for place in range(len(size))]
    graph = symbol.graph
    return tuple(
        row(graph, graph.slice(symbol.node, start, each)) for start, each in zip(starts, size, strict=True)
    )


def _joined(parts: Sequence[Symbol], dim: int = 0) -> Symbol:
    stacked = dim == 0 and all(part.is_matrix for part in parts)
    return _Stacked(parts) if stacked else _cat(parts, dim)


def _cat(parts: Sequence[Symbol], dim: int) -> Symbol:
    _last(dim, parts[0])
    graph = parts[0].graph
    return row(graph, graph.cat(*(part.node for part in parts)))


def _sum(symbol: Symbol, dim: int, keepdim: bool = False) -> Symbol:
    _last(dim, symbol)
    if not keepdim:
        raise CannotTrace("it sums without keepdim=True")
    return row(symbol.graph, symbol.graph.reduce("sum", symbol.node))


def _mean(symbol: Symbol, dim: int, keepdim: bool = False) -> Symbol:
    share = row(symbol.graph, symbol.graph.reciprocal(symbol.shape[-1]))
    return _sum(symbol, dim, keepdim) * share


def _softmax(symbol: Symbol, dim: int, _stacklevel: int = 3, dtype: None = None) -> Symbol:
    _last(dim, symbol)
    graph = symbol.graph
    powers = _elementwise("exp", symbol - row(graph, graph.reduce("max", symbol.node)))
    return powers * (1.0 / _sum(powers, -1, True))


def _layer_norm(
    symbol: Symbol, shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Symbol:
    if tuple(shape) != (symbol.shape[-1],):
        raise CannotTrace("it normalizes over more than the last dimension")
    graph, mean = symbol.graph, _mean(symbol, -1, True)
    centered = symbol - mean
    variance = _mean(centered * centered, -1, True)
    inverse = graph.inverse_deviation(_elementwise("sqrt", variance + eps).node, symbol.node, mean.node)
    normal = _elementwise("normal", symbol, mean, row(graph, inverse))
    normal = normal if weight is None else normal * weight
    return normal if bias is None else normal + bias


def _clamp(symbol: Symbol, min: float | None = None, max: float | None = None) -> Symbol:
    if min is not None:
        symbol = _where(symbol < min, min, symbol)
    return symbol if max is None else _where(symbol > max, max, symbol)


def _extreme(one: Symbol, other: Symbol, chosen: Symbol) -> Symbol:
    """Return the chosen one of two values; where they are equal each gets half of the gradient, as in torch."""
    return _where(one == other, 0.5 * (one + other), chosen)


def _where(mask: Symbol, one: Any, other: Any) -> Symbol:
    return _elementwise("where", mask, one, other)


def _binary(operation: str) -> Callable[..., Symbol]:
    return lambda one, other: _elementwise(operation, one, other)


def _unary(operation: str) -> Callable[..., Symbol]:
    return lambda one, **_: _elementwise(operation, one)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    functional.linear: _linear,
    functional.layer_norm: _layer_norm,
    functional.softmax: _softmax,
    torch.softmax: _softmax,
    torch.chunk: _chunk,
    torch.split: _split,
    torch.cat: _joined,
    torch.sum: _sum,
    torch.mean: _mean,
    torch.square: lambda one: one * one,
    torch.pow: operator.pow,
    torch.where: _where,
    torch.clamp: _clamp,
    torch.maximum: lambda one, other: _extreme(one, other, _where(one < other, other, one)),
    torch.minimum: lambda one, other: _extreme(one, other, _where(one < other, one, other)),
    torch.lerp: lambda one, other, weight: one + weight * (other - one),
    torch.sign: lambda one: _elementwise("sub", one > 0, one < 0),
    torch.reciprocal: lambda one: 1.0 / one,
    torch.clone: lambda one: one,
    functional.silu: lambda one, **_: one * _elementwise("sigmoid", one),
    functional.leaky_relu: lambda one, negative_slope=0.01, **_: _where(one > 0, one, negative_slope * one),
    torch.rsub: lambda one, other: _elementwise("sub", other, one),
    torch.lt: operator.lt,
    torch.le: operator.le,
    torch.gt: operator.gt,
    torch.ge: operator.ge,
    torch.eq: operator.eq,
    torch.ne: operator.ne,
    torch.logical_and: operator.and_,
    torch.logical_or: operator.or_,
    torch.logical_not: operator.invert,
    functional.relu: _unary("relu"),
    functional.sigmoid: _unary("sigmoid"),
    functional.tanh: _unary("tanh"),
    torch.add: operator.add,
    **{getattr(torch, name): _binary(name) for name in ("sub", "mul", "div", "remainder")},
    **{
        getattr(torch, name): _unary(name)
        for name in ("neg", "sigmoid", "tanh", "relu", "exp", "sqrt", "floor", "abs")
    },
}
