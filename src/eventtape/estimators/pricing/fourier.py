r"""From the characteristic function of a log return to its density, distribution and prices.

With X = log(S_T / F), phi(u) = E[exp(iuX)] and psi(u) = phi(u - i/2), Lewis's contour (2001) serves
all three, because E[exp(X/2)] <= 1 exists for every law with mean F; k = log(K/F)::

    g(k)            = exp(-k/2) / pi  int_0^inf Re[exp(-iuk) psi(u)] du
    P(X > k)        = exp(-k/2) / pi  int_0^inf Re[exp(-iuk) psi(u) / (1/2 + iu)] du
    E[min(S, K)]/F  = exp( k/2) / pi  int_0^inf Re[exp(-iuk) psi(u)] / (u^2 + 1/4) du .

The trapezoidal rule of step h replaces each function f(k), damped as here, by sum_m f(k + 2 pi m/h)
(Poisson), and all three fall like exp(-|k|/2) or faster: h is chosen so that the neighbours are
below rounding, and the sum ends where psi is. What remains is rounding, about 1e-15 in each answer
(absolute: far tails have no relative accuracy).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = ["ComplexArray", "Inverted", "frequencies", "invert"]

ComplexArray = NDArray[np.complex128]

_REACH = 74.0  # exp(-74/2) is 1e-16
_NOTHING = 1e-18
_MOST = 2**20
_ROWS = 256  # log strikes at a time: the matrix of waves stays within some MB


class Inverted(NamedTuple):
    """At each k: density of X, P(X <= k) and E[min(S_T, K)] / F."""

    density: FloatArray
    below: FloatArray
    capped: FloatArray


def frequencies(size_at: Callable[[float], float], reach: float) -> FloatArray:
    """The nodes 0, h, 2h, ... ``(n,)`` for log strikes up to ``reach`` in size.

    ``size_at(u)`` is the modulus of psi or a bound that falls in u. A law so narrow that more than
    a million nodes are needed is an error.
    """
    step = 2.0 * math.pi / (_REACH + 2.0 * reach)
    end = 8.0
    while size_at(end) > _NOTHING:
        end *= 1.25
        if end > _MOST * step:
            raise InputError("a law of the log return whose Fourier integral ends", met=end)
    return np.arange(math.ceil(end / step) + 1, dtype=np.float64) * step


def invert(psi: Callable[[FloatArray], ComplexArray], log_strikes: FloatArray) -> Inverted:
    """Density of the log return, distribution and capped mean at log(K/F), any shape."""
    k = np.ravel(log_strikes)
    reach = float(np.max(np.abs(k), initial=0.0))
    u = frequencies(lambda end: float(np.abs(psi(np.array([end])))[0]), reach)
    values = psi(u) * (u[1] / math.pi)
    values[0] *= 0.5
    columns = np.stack([values, values / (0.5 + 1j * u), values / (u * u + 0.25)], axis=1)
    out = np.empty((k.size, 3))
    for start in range(0, k.size, _ROWS):
        rows = slice(start, start + _ROWS)
        out[rows] = (np.exp(-1j * np.outer(k[rows], u)) @ columns).real
    half = np.exp(0.5 * k)
    shape = np.shape(log_strikes)
    # The bounds are the law's own; without them rounding would step over.
    return Inverted(
        np.maximum(out[:, 0] / half, 0.0).reshape(shape),
        np.clip(1.0 - out[:, 1] / half, 0.0, 1.0).reshape(shape),
        np.clip(out[:, 2] * half, 0.0, np.minimum(half * half, 1.0)).reshape(shape),
    )
