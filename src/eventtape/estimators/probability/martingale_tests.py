r"""Does a forecaster or a market move its probability too much, too little, or as it should?

Two tests of E(B_t - B_{t-1} | known at t - 1) = 0, on one path or a panel of events, dB the moves.

Movement (Augenblick and Rabin 2021; the same identity underlies Taleb 2018). With the uncertainty
B (1 - B),

    sum dB^2 - [B_0 (1 - B_0) - B_T (1 - B_T)] = sum (1 - 2 B_{t-1}) dB_t,

an identity whose right side is a martingale: movement equals the reduction of uncertainty in
expectation, whatever the clock. Too much movement: overreaction, moves taken back. Too little:
moves that come late or in too small parts. z is the sum over the root of sum ((1 - 2B) dB)^2.

Increments. dB on 1, the level B_{t-1}, the move before, and time, by least squares with Bartlett's
standard errors; jointly by Wald. A level that falls from above and rises from below (negative
coefficient), moves that are taken back or go on, and drift show by name.

Noise in quotes, y = B + e of variance w^2, adds 2 w^2 a move to movement and -w^2 to the products
of neighbouring moves. Two ways out. ``noise_sd`` known: 2 w^2 is taken off each move.
``noise_steps`` k >= 1: every weight and regressor is taken k quotes earlier, where the noise of a
move (which lasts at most k quotes) is unknown; the movement is then
sum dy^2 + 2 sum_{j<=k} dy_t dy_{t-j} (Zhou 1996 for k = 1) and no noise level is needed.
Overreaction that is over within k quotes is then taken for noise: the two cannot be told apart.

Null laws. ``drawn``: paths that a bounded martingale makes of the same news
(:mod:`~eventtape.estimators.probability.martingale_draws`), which holds for one path too; a single
path says little, so power is in panels. What has few moves that count is refused, and which path is
hangs on where it went, so draws that would be refused are left out too. ``paths``: the excess of
each path is one number of mean 0, Student's t over 20 independent events or more, with no model of
the moves. Paths that end in 0 or 1 have a skewed excess, so t is Hall's, cubic in the mean S over
the standard deviation, with g the skewness::

    sqrt(n) [S + g S^2 / 3 + g^2 S^3 / 27 + g / (6 n)].

Events that share news are not independent.

References: Augenblick and Rabin (2021), Quarterly Journal of Economics 136; Hall (1992), Journal of
the Royal Statistical Society B 54; Taleb (2018), Quantitative Finance 18(1); Zhou (1996), Journal
of Business and Economic Statistics 14.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import stdtr

from eventtape.arrays import FloatArray, IntArray, Status, watches
from eventtape.errors import InputError
from eventtape.estimators.probability import martingale_draws
from eventtape.estimators.probability.martingale_draws import (
    Panel,
    increments,
    movement_sums,
    news_sizes,
    panel,
    redraw,
)

__all__ = ["IncrementTest", "MovementTest", "increment_test", "movement_test"]

_MIN_EFFECTIVE = 10.0
_MIN_PATHS = 20
_TRIES = 10  # times the draws asked for, until as many are not refused


class MovementTest(NamedTuple):
    """Movement against the reduction of uncertainty, means over paths; noise taken out."""

    movement: float
    reduction: float
    excess: float  # movement less reduction: above 0 too much movement, below 0 too little
    se: float
    z: float
    p_value: float  # two-sided, by the null law asked for
    noise_sd: float  # the quotes' noise that was taken out or found
    n_moves: int  # moves other than 0
    effective_moves: float  # (sum d^2)^2 / sum d^4
    n_paths: int
    status: Status


class IncrementTest(NamedTuple):
    """Moves on 1, level - 1/2, the move before, and time (0 to 1) - 1/2: arrays ``(4,)``."""

    coefficient: FloatArray
    se: FloatArray
    z: FloatArray
    p_values: FloatArray  # two-sided, by drawn martingales
    wald: float  # all four are 0
    p_value: float
    noise_sd: float
    n_moves: int
    effective_moves: float
    n_paths: int
    status: Status


def movement_test(
    probability: ArrayLike,
    *,
    noise_sd: float = 0.0,
    noise_steps: int = 0,
    law: Literal["drawn", "paths"] = "drawn",
    tick: float = 0.001,
    n_draws: int = 999,
    seed: int = 0,
) -> MovementTest:
    """Excess movement a path, with its p-value, of paths ``(n_times,)`` or ``(n_paths, n_times)``.

    NaN is a time not seen: the move goes on to the next quote. A known outcome belongs at the end
    of its path, as 0 or 1. ``too few observations`` where moves count for fewer than 10 of one size
    or, for ``law="paths"``, with fewer than 20 paths; ``not resolved`` where noise explains all
    that moves. With ``noise_steps`` and no ``noise_sd`` the noise is estimated, for the draws only.
    """
    data, noise_sd, moves, effective, status = _prepare(
        probability, noise_sd, noise_steps, tick, n_draws
    )
    n_paths = int(np.sum(np.diff(data.first) > noise_steps + 1))
    if law not in ("drawn", "paths"):
        raise InputError("law drawn or paths", met=law)
    if law == "paths" and status is Status.OK and n_paths < _MIN_PATHS:
        status = Status.TOO_FEW
    if status is not Status.OK:
        return MovementTest(*(math.nan,) * 6, noise_sd, moves, effective, n_paths, status)
    off = 0.0 if noise_steps else 2.0 * noise_sd**2
    by_path = np.zeros(data.first.size - 1)
    movement, reduction, variance = movement_sums(
        data.quotes, data.first, noise_steps, off, by_path
    )
    excess = movement - reduction
    if law == "paths":
        here = by_path[np.diff(data.first) > noise_steps + 1]
        root = float(np.std(here, ddof=1)) * math.sqrt(n_paths)
    else:
        root = math.sqrt(variance)
    if not root > 0.0:
        nothing = Status.NOT_IDENTIFIED
        return MovementTest(*(math.nan,) * 6, noise_sd, moves, effective, n_paths, nothing)
    z = excess / root
    if law == "paths":
        p_value = 2.0 * float(stdtr(n_paths - 1, -abs(_hall(here))))
    else:
        u, size = news_sizes(data, tick, noise_sd)
        given = (u, size, data.first, noise_sd, noise_steps, off, n_draws)
        drawn = _drawn(lambda rng, answered: _movement_draws(rng, *given, answered), seed, n_draws)
        p_value = float(_two_sided(drawn[:, None], np.array([z]))[0])
    return MovementTest(
        movement / n_paths,
        reduction / n_paths,
        excess / n_paths,
        root / n_paths,
        z,
        p_value,
        noise_sd,
        moves,
        effective,
        n_paths,
        Status.OK,
    )


def increment_test(
    probability: ArrayLike,
    *,
    serial: int | None = None,
    noise_sd: float = 0.0,
    noise_steps: int = 0,
    tick: float = 0.001,
    n_draws: int = 499,
    seed: int = 0,
) -> IncrementTest:
    """What foretells the moves of paths ``(n_times,)`` or ``(n_paths, n_times)``; nothing should.

    ``serial`` is the number of lags of the long-run variance within a path (default twice
    ``noise_steps``: a martingale's moves are not correlated). NaN, noise and refusals as in
    :func:`movement_test`; known noise without ``noise_steps`` is part of what is drawn, so that its
    taking back of moves counts as none.
    """
    data, noise_sd, moves, effective, status = _prepare(
        probability, noise_sd, noise_steps, tick, n_draws
    )
    lags = 2 * noise_steps if serial is None else serial
    if lags < 0:
        raise InputError("serial lags of 0 or more", met=serial)
    n_paths = int(np.sum(np.diff(data.first) > noise_steps + 2))
    tail = (noise_sd, moves, effective, n_paths)
    blank = np.full(4, math.nan)
    if status is not Status.OK:
        return IncrementTest(blank, blank, blank, blank, math.nan, math.nan, *tail, status)
    found = np.empty(9)
    if not increments(data.quotes, data.times, data.first, noise_steps, lags, found):
        nothing = Status.NOT_IDENTIFIED
        return IncrementTest(blank, blank, blank, blank, math.nan, math.nan, *tail, nothing)
    beta, se = found[:4], found[4:8]
    met = np.r_[beta / se, found[8]]
    u, size = news_sizes(data, tick, noise_sd)
    given = (u, size, data.times, data.first, noise_sd, noise_steps, lags, n_draws)
    drawn = _drawn(lambda rng, answered: _increment_draws(rng, *given, answered), seed, n_draws)
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if drawn.shape[0] < n_draws // 2:
        nothing = Status.NOT_IDENTIFIED
        return IncrementTest(blank, blank, blank, blank, math.nan, math.nan, *tail, nothing)
    p_values = _two_sided(drawn[:, :4], met[:4])
    joint = float(1 + np.sum(drawn[:, 4] >= met[4])) / (drawn.shape[0] + 1)
    return IncrementTest(beta, se, met[:4], p_values, float(met[4]), joint, *tail, Status.OK)


@njit(cache=True)
def _effective(y: FloatArray, first: IntArray) -> float:
    """For how many moves of one size the moves within paths count, (sum d^2)^2 / sum d^4."""
    square, fourth = 0.0, 0.0
    for i in range(first.shape[0] - 1):
        for t in range(first[i] + 1, first[i + 1]):
            d = (y[t] - y[t - 1]) ** 2
            square += d
            fourth += d * d
    return square * square / fourth if fourth > 0.0 else 0.0


@watches(martingale_draws)
@njit(cache=True)
def _movement_draws(
    rng: np.random.Generator,
    u: FloatArray,
    size: FloatArray,
    first: IntArray,
    noise_sd: float,
    k: int,
    off: float,
    n_draws: int,
    answered: bool,
) -> FloatArray:
    """The z of panels drawn ``(<= n_draws,)``, 0 where nothing moved; ``answered`` ones only."""
    y, by_path, out = np.empty(u.shape[0]), np.empty(first.shape[0] - 1), np.zeros(n_draws)
    b = 0
    for _ in range(_TRIES * n_draws):
        redraw(rng, u, size, first, noise_sd, y)
        if answered and _effective(y, first) < _MIN_EFFECTIVE:
            continue
        movement, reduction, variance = movement_sums(y, first, k, off, by_path)
        if variance > 0.0:
            out[b] = (movement - reduction) / math.sqrt(variance)
        b += 1
        if b == n_draws:
            break
    return out[:b]


@watches(martingale_draws)
@njit(cache=True)
def _increment_draws(
    rng: np.random.Generator,
    u: FloatArray,
    size: FloatArray,
    times: FloatArray,
    first: IntArray,
    noise_sd: float,
    k: int,
    serial: int,
    n_draws: int,
    answered: bool,
) -> FloatArray:
    """Four z and Wald of panels drawn ``(<= n_draws, 5)``; NaN where they cannot be had."""
    y, found, out = np.empty(u.shape[0]), np.empty(9), np.full((n_draws, 5), np.nan)
    d = 0
    for _ in range(_TRIES * n_draws):
        redraw(rng, u, size, first, noise_sd, y)
        if answered and _effective(y, first) < _MIN_EFFECTIVE:
            continue
        if increments(y, times, first, k, serial, found):
            for a in range(4):
                out[d, a] = found[a] / found[4 + a]
            out[d, 4] = found[8]
        d += 1
        if d == n_draws:
            break
    return out[:d]


def _drawn(
    draws: Callable[[np.random.Generator, bool], FloatArray], seed: int, n_draws: int
) -> FloatArray:
    """Draws that would be answered; where hardly any is (wild bouncing), all."""
    drawn = draws(np.random.default_rng(seed), True)
    return drawn if drawn.shape[0] >= n_draws // 2 else draws(np.random.default_rng(seed), False)


def _hall(x: FloatArray) -> float:
    """Student's t of the mean of ``x (n,)`` with its skewness taken out; rises with the mean."""
    n, s = x.size, float(np.mean(x) / np.std(x, ddof=1))
    c = float(np.mean((x - np.mean(x)) ** 3) / np.std(x) ** 3) / 3.0
    return math.sqrt(n) * (s + c * s * s + c * c * s**3 / 3.0 + c / (2.0 * n))


def _two_sided(drawn: FloatArray, met: FloatArray) -> FloatArray:
    """Twice the smaller tail of each column of ``drawn (n_draws, m)`` beyond ``met (m,)``."""
    n = drawn.shape[0] + 1
    slack = 1e-12 * np.abs(met)
    above, below = (drawn >= met - slack).sum(axis=0), (drawn <= met + slack).sum(axis=0)
    return np.asarray(np.minimum(2.0 * (1 + np.minimum(above, below)) / n, 1.0))


def _prepare(
    probability: ArrayLike, noise_sd: float, noise_steps: int, tick: float, n_draws: int
) -> tuple[Panel, float, int, float, Status]:
    """The panel, its noise, how many moves there are and for how many they count, and the fate."""
    if not 0.0 < tick < 1.0:
        raise InputError("a tick between 0 and 1", met=tick)
    if not (math.isfinite(noise_sd) and noise_sd >= 0.0) or noise_steps < 0:
        raise InputError("noise_sd and noise_steps of 0 or more", met=(noise_sd, noise_steps))
    if n_draws < 99:
        raise InputError("at least 99 draws", met=n_draws)
    data = panel(probability)
    d = np.diff(data.quotes)
    inside = np.ones(d.size, np.bool_)
    joins = data.first[1:-1] - 1
    inside[joins[(joins >= 0) & (joins < d.size)]] = False
    d = np.where(inside, d, 0.0)
    square = float(d @ d)
    moves = int(np.count_nonzero(d))
    effective = square**2 / float(np.sum(d**4)) if square > 0.0 else 0.0
    if square == 0.0:
        enough = int(inside.sum()) >= _MIN_EFFECTIVE
        return data, noise_sd, 0, 0.0, Status.NOT_IDENTIFIED if enough else Status.TOO_FEW
    if noise_steps and noise_sd == 0.0:
        pairs = inside[1:] & inside[:-1]
        count = max(int(pairs.sum()), 1)
        noise_sd = math.sqrt(max(-float(np.sum((d[1:] * d[:-1])[pairs])) / count, 0.0))
        noise_sd = min(noise_sd, math.sqrt(0.5 * square / max(int(inside.sum()), 1)) * 0.999)
    if effective < _MIN_EFFECTIVE:
        return data, noise_sd, moves, effective, Status.TOO_FEW
    if 2.0 * noise_sd**2 * int(inside.sum()) >= square:
        return data, noise_sd, moves, effective, Status.NOT_RESOLVED
    return data, noise_sd, moves, effective, Status.OK
