r"""Moves of U between averages of k quotes: what noise leaves of a path, with its exact variances.

With blocks of k successive quotes (k = 1: the quotes), x_j is the mean of block j + 1 less that of
block j. Where the clock's rate is nu^2, and the quote i has noise of sd s_i = r_i / phi(U_i) in the
gauge (delta method)::

    var x_j         = nu^2 w_j + e_j + e_{j+1}     e_j = sum of s_i^2 / k^2 in block j
    cov x_j x_{j+1} = nu^2 c_j - e_{j+1}           and none further apart

where w_j and c_j are sums of times between quotes with triangular weights: noise falls as 1 / k^2
a quote while the news of two blocks' time stays. This is pre-averaging without overlap (Podolskij
and Vetter 2009), exact for irregular times. The drift of U and the curvature of its variance are
taken off with the rate nu^2 found before: U_i - e^{L_i/2} U_{i-1} has mean 0, variance e^{L_i} - 1.

Left out: quotes on an outer tick (they are bounds), and those whose noise in the gauge is above
``MAX_NOISE``: there Phi^-1 of a noisy quote is no longer its value plus noise.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.probability.probit_quotes import Quotes, years_between

__all__ = [
    "MAX_NOISE",
    "BlockMoves",
    "GaugeQuotes",
    "block_moves",
    "choose_block",
    "gauge_quotes",
    "rate_of",
    "serial_noise",
    "spread_of_sum",
]

MAX_NOISE = 0.25
_ROOT_2PI = math.sqrt(2.0 * math.pi)


class GaugeQuotes(NamedTuple):
    """Usable quotes in the gauge ``(n,)``: time, U, and noise sd of U."""

    times: IntArray
    U: FloatArray
    noise: FloatArray


class BlockMoves(NamedTuple):
    """Moves between block means ``(m - 1,)``, and per block ``(m,)`` what their variances need."""

    x: FloatArray
    mean: FloatArray  # (m,) of U
    noise: FloatArray  # (m,): e_j
    own: FloatArray  # (m,) years with weight (p / k)^2, news after the block's first quote
    into: FloatArray  # (m,) years with weight (1 - p / k)^2, the time before the block too
    cross: FloatArray  # (m,) years with weight p (1 - p / k) / k
    whole: FloatArray  # (m,) years from the block before to this one's last quote
    first: IntArray  # (m,) ns of the block's first and last quote
    last: IntArray
    size: int

    @property
    def weight(self) -> FloatArray:
        """Years w_j in the variance of each move."""
        return self.own[:-1] + self.into[1:]

    @property
    def noise_variance(self) -> FloatArray:
        """e_j + e_{j+1} of each move."""
        return self.noise[:-1] + self.noise[1:]


def gauge_quotes(quotes: Quotes) -> GaugeQuotes:
    """The usable quotes in the gauge; one a time, the last said."""
    phi = np.exp(-0.5 * quotes.probit**2) / _ROOT_2PI
    s = quotes.noise / phi
    keep = (quotes.side == 0) & (s <= MAX_NOISE) & np.r_[np.diff(quotes.times) > 0, True]
    return GaugeQuotes(quotes.times[keep], quotes.probit[keep], s[keep])


def serial_noise(quotes: Quotes) -> tuple[float, float]:
    """Noise variance of quotes and its sd: minus the serial covariance of their moves (Roll 1984).

    Valid where the moves of the probability itself are uncorrelated, which a martingale's are.
    """
    dy = np.diff(quotes.y)
    product = -dy[1:] * dy[:-1]
    centred = product - product.mean()
    n = product.size
    long_run = float(centred @ centred) / n
    for lag in (1, 2, 3):
        long_run += 2.0 * (1.0 - lag / 4.0) * float(centred[lag:] @ centred[:-lag]) / n
    return max(float(product.mean()), 0.0), math.sqrt(max(long_run, 0.0) / n)


def block_moves(quotes: GaugeQuotes, k: int, rate: float = 0.0) -> BlockMoves:
    """Moves between means of ``k`` quotes, freed of the drift that a ``rate`` per year makes."""
    m = quotes.U.size // k
    if k < 1 or m < 2:
        raise InputError("a block of 1 or more and two blocks or more", met=(k, quotes.U.size))
    n = m * k
    dt = np.r_[0.0, years_between(quotes.times[:n])]
    U, L = quotes.U[:n], rate * dt
    drift = np.r_[0.0, np.expm1(0.5 * L[1:]) * U[:-1]]
    mean = (U - np.cumsum(drift)).reshape(m, k).mean(axis=1)
    D = np.where(L > 1e-12, np.expm1(L) / np.where(L > 1e-12, L, 1.0), 1.0) * dt
    D = D.reshape(m, k)
    p = np.arange(k) / k
    return BlockMoves(
        np.diff(mean),
        U.reshape(m, k).mean(axis=1),
        (quotes.noise[:n] ** 2).reshape(m, k).sum(axis=1) / k**2,
        D @ p**2,
        D @ (1.0 - p) ** 2,
        D @ (p * (1.0 - p)),
        D.sum(axis=1),
        quotes.times[:n:k],
        quotes.times[k - 1 : n : k],
        k,
    )


def rate_of(moves: BlockMoves, rows: FloatArray | slice = slice(None)) -> float:
    """nu^2 per year from the sum of squares less the noise; below 0 where noise has more."""
    x, w, e = moves.x[rows], moves.weight[rows], moves.noise_variance[rows]
    return float((x @ x - e.sum()) / w.sum())


def spread_of_sum(moves: BlockMoves, rate: float, rows: slice = slice(None)) -> tuple[float, float]:
    """Mean and variance of the sum of squares of successive moves, at a rate: normal moves."""
    v = rate * moves.weight + moves.noise_variance
    c = rate * moves.cross[1:-1] - moves.noise[1:-1]
    v, c = v[rows], c[rows][: max(v[rows].size - 1, 0)]
    return float(v.sum()), float(2.0 * v @ v + 4.0 * c @ c)


def choose_block(quotes: GaugeQuotes, least: int) -> int:
    """The block whose sum of squares is surest at the rate the data show, of ``least`` moves."""
    if not np.any(quotes.noise > 0.0):
        return 1
    options = [k for k in (1, 2, 3, 5, 8, 13, 21, 34, 55) if quotes.U.size // k > least]
    if not options:
        return 1
    rate = rate_of(block_moves(quotes, 1))
    if rate <= 0.0:
        return options[-1]
    errors = []
    for k in options:
        moves = block_moves(quotes, k)
        errors.append(spread_of_sum(moves, rate)[1] / float(moves.weight.sum()) ** 2)
    return options[int(np.argmin(errors))]
