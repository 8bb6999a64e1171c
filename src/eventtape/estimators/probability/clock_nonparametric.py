r"""How fast did information arrive, hour by hour, and how much of it in jumps? No clock assumed.

In each bin of time, over the moves x_j of :mod:`.block_moves` with var x_j = nu^2 w_j + noise_j::

    realised   nu^2 = (sum x_j^2 - sum noise_j) / sum w_j
    bipower    the nu^2 at which sum sd_j sd_{j+h} = (pi / 2) sum |x_j| |x_{j+h}|
    jump part  sum x_j^2 less what the bipower nu^2 and the noise explain, over the share of a jump
               that blocks keep: the sum of squared jumps of U

h = 1 without noise and 2 with it, for neighbours share a block (Barndorff-Nielsen and Shephard
2004; Podolskij and Vetter 2009). A large jump enters two products, so moves beyond 3 sd are set to
0 and the mean is that of normal moves so cut (threshold bipower: Corsi, Pirino and Reno 2010). A
jump under 3 sd of a move stays in the rate: the noisier the quotes, the larger the jumps that do.

Intervals. The realised sum is a chi-squared of Satterthwaite's degrees of freedom, exact for even
times without noise; that of the bipower, and the p-value and interval of the jump part, come from
moves drawn with the fitted variances (parametric bootstrap, ``seed``). The realised interval is one
for a path without jumps; the p-value takes the noise as known. Where the interval of a rate reaches
0 the noise hides it: ``not resolved``, and only the upper limit is given.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, ndtri

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.probability.block_moves import (
    BlockMoves,
    block_moves,
    choose_block,
    gauge_quotes,
    rate_of,
    serial_noise,
    spread_of_sum,
)
from eventtape.estimators.probability.probit_quotes import ready_quotes

__all__ = ["MIN_MOVES", "ClockPath", "realised_clock"]

MIN_MOVES = 12  # of a bin
_DRAWS = 400
_CUT = 3.0  # sd beyond which a move is left out of its products
_KEPT = (1.0 - math.exp(-0.5 * _CUT**2)) ** 2  # of the mean of a product, where both are normal


class ClockPath(NamedTuple):
    """Rates per year and jump parts (pure numbers) by bin ``(k,)``, with intervals.

    - ``realised``: nu^2 with jumps in it; ``bipower``: nu^2 without; each with interval.
    - ``jump_part``: sum of squared jumps of U, interval, and ``jump_p``: chance of as large a one
      without jumps.
    - ``noise_share``: part of the sum of squares that is noise. ``block``: quotes a mean.
    - ``noise``: sd of a quote in probability (the mean where they differ).
    """

    edges: IntArray
    realised: FloatArray
    realised_lower: FloatArray
    realised_upper: FloatArray
    bipower: FloatArray
    bipower_lower: FloatArray
    bipower_upper: FloatArray
    jump_part: FloatArray
    jump_lower: FloatArray
    jump_upper: FloatArray
    jump_p: FloatArray
    noise_share: FloatArray
    n_moves: IntArray
    block: int
    noise: float
    statuses: tuple[Status, ...]


def realised_clock(
    times: IntArray,
    probabilities: FloatArray,
    edges: IntArray,
    *,
    noise: float | FloatArray | str | None = None,
    spreads: FloatArray | None = None,
    tick: float = 0.0,
    block: int | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> ClockPath:
    """Realised and bipower information per year, and the jump part, in bins of time.

    Parameters
    ----------
    times, probabilities
        ``(n,)``, ns and quotes in (0, 1).
    edges
        ``(k + 1,)`` ns, rising: the bins. A move is in the bin of its middle.
    noise, spreads, tick
        as for :func:`.fit_clock`; ``"estimate"`` takes the serial covariance.
    block
        quotes a mean; nothing: the number whose sum of squares is surest.
    """
    check_level(level)
    grid = np.ascontiguousarray(edges, np.int64)
    if grid.ndim != 1 or grid.size < 2 or np.any(np.diff(grid) <= 0):
        raise InputError("2 rising edges or more", met=grid.shape, column="edges")
    if isinstance(noise, str) and (noise != "estimate" or spreads is not None):
        raise InputError("noise in probability, or 'estimate' without spreads", met=noise)
    given = None if isinstance(noise, str) else noise
    quotes = ready_quotes(times, probabilities, noise=given, spreads=spreads, tick=tick)
    error = 0.0  # relative sd of the noise variance
    if isinstance(noise, str):
        if quotes.y.size < MIN_MOVES:
            return _nothing(grid, block or 1, Status.TOO_FEW)
        r2, sd = serial_noise(quotes)
        r2 = max(r2, 1e-3 * sd)  # not 0: its error counts where the estimate is none
        quotes = quotes._replace(noise=np.maximum(math.sqrt(r2), quotes.noise))
        error = sd / r2 if r2 > 0.0 else 0.0
    usable = gauge_quotes(quotes)
    bins = grid.size - 1
    k = choose_block(usable, 2 * MIN_MOVES * bins) if block is None else block
    if usable.U.size // k < 3:
        return _nothing(grid, k, Status.TOO_FEW)
    rate = max(rate_of(block_moves(usable, k)), 0.0)
    moves = block_moves(usable, k, rate)  # the drift matters little: one rate for all bins
    middle = (moves.last[:-1] + moves.first[1:]) // 2
    place = np.searchsorted(grid, middle, side="right") - 1
    rng = np.random.default_rng(seed)
    rows = [_bin(moves, place, b, error, level, rng) for b in range(bins)]
    numbers = np.array([row[0] for row in rows]).T
    return ClockPath(
        grid,
        numbers[0],
        numbers[1],
        numbers[2],
        numbers[3],
        numbers[4],
        numbers[5],
        numbers[6],
        numbers[7],
        numbers[8],
        numbers[9],
        numbers[10],
        numbers[11].astype(np.int64),
        k,
        float(np.mean(quotes.noise)),
        tuple(row[1] for row in rows),
    )


def _bin(
    moves: BlockMoves,
    place: IntArray,
    b: int,
    error: float,
    level: float,
    rng: np.random.Generator,
) -> tuple[list[float], Status]:
    rows = slice(*np.searchsorted(place, [b, b + 1]).tolist())
    n = rows.stop - rows.start
    nan = math.nan
    if n < MIN_MOVES:
        return [nan] * 11 + [n], Status.TOO_FEW
    Q, N, W = _sums(moves, rows)
    if Q == 0.0:
        return [nan] * 11 + [n], Status.NOT_IDENTIFIED
    low, high = _realised_interval(moves, rows, error, level)
    share = N / Q
    realised = (Q - N) / W
    bip = _bipower(moves, rows, max(realised, 0.0), error, level, rng)
    status = Status.OK if low > 0.0 else Status.NOT_RESOLVED
    if status is not Status.OK:
        realised, low = nan, 0.0
    return [realised, low, high, *bip, share, n], status


def _sums(moves: BlockMoves, rows: slice) -> tuple[float, float, float]:
    x = moves.x[rows]
    return float(x @ x), float(moves.noise_variance[rows].sum()), float(moves.weight[rows].sum())


def _realised_interval(
    moves: BlockMoves, rows: slice, error: float, level: float
) -> tuple[float, float]:
    Q, N, W = _sums(moves, rows)
    mean, variance = spread_of_sum(moves, max((Q - N) / W, 0.0), rows)
    df = 2.0 * mean * mean / variance
    tail = 0.5 * (1.0 - level)
    z = float(ndtri(1.0 - tail)) * error * N  # the noise's own error, beside the sum's
    low = Q - math.hypot(Q - Q * df / float(chdtri(df, tail)), z)
    high = Q + math.hypot(Q * df / float(chdtri(df, 1.0 - tail)) - Q, z)
    return (low - N) / W, (high - N) / W


def _bipower(
    moves: BlockMoves,
    rows: slice,
    start: float,
    error: float,
    level: float,
    rng: np.random.Generator,
) -> list[float]:
    """Bipower rate with interval, jump part with interval, and its p-value."""
    x, w, e = moves.x[rows], moves.weight[rows], moves.noise_variance[rows]
    h = 1 if moves.size == 1 and not np.any(e > 0.0) else 2
    rate, target = start, 0.0
    for _ in range(6):  # the cut hangs on the rate
        small = np.where(np.abs(x) <= _CUT * np.sqrt(rate * w + e), np.abs(x), 0.0)
        target = 0.5 * math.pi * float(small[h:] @ small[:-h]) / _KEPT
        rate = _solve(w, e, h, target)
    v = rate * w + e
    tail = 0.5 * (1.0 - level)
    z = float(ndtri(1.0 - tail))
    draws = _draw(moves, rows, rate, rng)
    roots = np.sqrt(v[h:] * v[:-h])
    centre = float(roots.sum())
    ratio = _drawn_ratios(draws, v, h, centre)
    above, below = np.quantile(ratio, [1.0 - tail, tail])
    low, high = (_solve(w, e, h, target / float(q)) for q in (above, below))
    if error > 0.0:  # the noise's own error, beside that of the products
        less, more = (_solve(w, e * max(1.0 + way * z * error, 0.0), h, target) for way in (1, -1))
        low, high = (
            rate - math.hypot(rate - low, rate - less),
            rate + math.hypot(high - rate, more - rate),
        )
    slope = 0.5 * float(np.sum((w[h:] * v[:-h] + w[:-h] * v[h:]) / roots))
    keeps, uneven = _share_kept(moves.size)
    part = (float(x @ x) - float(v.sum())) / keeps
    by_chance = np.sum(draws**2, axis=1) - float(v.sum()) - (ratio - 1.0) * centre * w.sum() / slope
    by_chance /= keeps
    q_low, q_high = np.quantile(by_chance, [tail, 1.0 - tail])
    # Beside J^2 the square of a move holds 2 J dU, and a block keeps more or less of J^2
    own = z * math.hypot(
        2.0 * math.sqrt(max(part, 0.0) * float(v.mean()) / keeps), max(part, 0.0) * uneven
    )
    return [
        rate if low > 0.0 else math.nan,
        max(low, 0.0),
        high,
        part,
        part - math.hypot(max(float(q_high), 0.0), own),
        part + math.hypot(max(-float(q_low), 0.0), own),
        float(np.sum(by_chance >= part) + 1) / (_DRAWS + 1),
    ]


def _solve(w: FloatArray, e: FloatArray, h: int, target: float) -> float:
    """The rate at which the products' mean is the target, 0 where noise alone has more."""

    def mean(rate: float) -> float:
        v = rate * w + e
        return float(np.sum(np.sqrt(v[h:] * v[:-h])))

    if mean(0.0) >= target:
        return 0.0
    low, high = 0.0, target / float(np.sum(np.sqrt(w[h:] * w[:-h])))  # without noise
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if mean(middle) < target else (low, middle)
    return 0.5 * (low + high)


def _draw(moves: BlockMoves, rows: slice, rate: float, rng: np.random.Generator) -> FloatArray:
    """Moves of the same covariance without jumps, ``(draws, n)``.

    x_j = a_j + b_{j+1} + noise_{j+1} - noise_j, a and b the news within a block as it leaves and
    enters: their covariance is that of the weights p and 1 - p.
    """
    blocks = slice(rows.start, rows.stop + 1)
    own, into, cross = moves.own[blocks], moves.into[blocks], moves.cross[blocks]
    z = rng.standard_normal((3, _DRAWS, own.size))
    b = np.sqrt(rate * into) * z[0]
    slope = np.divide(cross, into, out=np.zeros_like(into), where=into > 0.0)
    a = slope * b + np.sqrt(np.maximum(rate * (own - slope * cross), 0.0)) * z[1]
    noise = np.sqrt(moves.noise[blocks]) * z[2]
    return np.asarray(a[:, :-1] + b[:, 1:] + np.diff(noise, axis=1), np.float64)


def _drawn_ratios(draws: FloatArray, v: FloatArray, h: int, centre: float) -> FloatArray:
    """Sum of cut products over its mean, the cut following it as it does in the estimate."""
    size, scale = np.abs(draws) / (_CUT * np.sqrt(v)), np.ones(draws.shape[0])
    for _ in range(5):
        small = np.where(size <= np.sqrt(scale)[:, None], np.abs(draws), 0.0)
        products = np.einsum("ij,ij->i", small[:, h:], small[:, :-h])
        scale = 0.5 * math.pi * products / (_KEPT * centre)
    return scale


def _share_kept(k: int) -> tuple[float, float]:
    """Of the square of a jump what block moves keep: the mean over its place, and sd over mean."""
    p = np.arange(k) / k
    kept = p**2 + (1.0 - p) ** 2
    return float(np.mean(kept)), float(np.std(kept) / np.mean(kept))


def _nothing(grid: IntArray, k: int, status: Status) -> ClockPath:
    bins = grid.size - 1
    blank = np.full(bins, math.nan)
    return ClockPath(grid, *(blank,) * 11, np.zeros(bins, np.int64), k, math.nan, (status,) * bins)
