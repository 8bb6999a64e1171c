r"""When did the probability jump, by how much, and how many of the finds are false?

Each move x_j of U between block means (:mod:`.block_moves`; of quotes, without noise) is held
against its own scale (Lee and Mykland 2008; with block means against noise, 2012)::

    T_j = x_j / max(sqrt(nu_j^2 w_j + noise_j), a tick)

nu_j^2 is the bipower rate of the ``window`` moves around, those that share a block with x_j left
out, so that a jump does not raise its own scale; quotes that rested have a rate of 0, and the step
of a tick is no jump then. A scale from a few dozen moves makes T nearly a
Student's, with window / 1.3 degrees of freedom (the bipower's variance is 2.6 / window); T is
mapped to the normal quantile of the same tail. Of n such, without jumps, the largest is below::

    (-log(-log(1 - level))) S + C,  S = 1 / sqrt(2 log n),  C = 1 / S - S (log pi + log log n) / 2

with chance 1 - level (Gumbel): ``level`` is the chance of any false find in the whole history.
Measured rates of false finds: docs, probability.

A jump's size is the mean after less the mean before, a block wider on either side under noise for
the jump may lie within a block; the interval counts the news and the noise of that stretch. Finds
next to each other are one under noise; one that goes and comes back, its interval over nought, is
a quote in error and none.

References: Lee and Mykland (2008), Review of Financial Studies 21; (2012), Journal of Econometrics
168.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.probability.block_moves import (
    BlockMoves,
    block_moves,
    choose_block,
    gauge_quotes,
    rate_of,
)
from eventtape.estimators.probability.probit_quotes import ready_quotes

__all__ = ["Jumps", "find_jumps", "gumbel_threshold"]

_STUDENT = 1.3


class Jumps(NamedTuple):
    r"""Jumps found, ``(n_jumps,)``, and what the search could see.

    - ``after``, ``before``: ns between which each happened. ``size`` of U with interval;
      ``probability_before`` and ``_after`` are Phi of the means. ``z``: normal equivalent of T.
    - ``p_value``: chance of one as large anywhere in a history without jumps (Gumbel).
    - ``threshold`` on \|z\|; ``detectable``: the median size of U that reaches it; ``rate``: the
      median local nu^2 per year; ``n_tested`` moves; ``block`` quotes a mean.
    - ``noise_share``: median part of a move's variance that is noise.
    """

    after: IntArray
    before: IntArray
    size: FloatArray
    lower: FloatArray
    upper: FloatArray
    probability_before: FloatArray
    probability_after: FloatArray
    z: FloatArray
    p_value: FloatArray
    threshold: float
    detectable: float
    rate: float
    noise_share: float
    n_tested: int
    block: int
    status: Status


@njit(cache=True, error_model="numpy")
def _local_rates(
    x: FloatArray, w: FloatArray, e: FloatArray, h: int, half: int, rates: FloatArray
) -> None:
    """Bipower rate around each move, the moves within h of it left out."""
    n = x.shape[0]
    for j in range(n):
        first = min(max(j - half, 0), max(n - 1 - 2 * half, 0))
        last = min(first + 2 * half, n - 1)
        target, bare, quiet = 0.0, 0.0, 0.0
        for i in range(first, last - h + 1):
            if abs(i - j) >= h and abs(i + h - j) >= h:
                target += 0.5 * math.pi * abs(x[i] * x[i + h])
                bare += math.sqrt(w[i] * w[i + h])
                quiet += math.sqrt(e[i] * e[i + h])
        if quiet >= target or bare == 0.0:
            rates[j] = 0.0
            continue
        low, high = 0.0, target / bare
        if quiet > 0.0:
            for _ in range(30):
                rate = 0.5 * (low + high)
                mean = 0.0
                for i in range(first, last - h + 1):
                    if abs(i - j) >= h and abs(i + h - j) >= h:
                        mean += math.sqrt((rate * w[i] + e[i]) * (rate * w[i + h] + e[i + h]))
                if mean < target:
                    low = rate
                else:
                    high = rate
        rates[j] = high


def gumbel_threshold(n: int, level: float) -> float:
    """The bound on the largest of ``n`` absolute normals, exceeded with chance ``level``.

    >>> round(gumbel_threshold(1000, 0.05), 3)
    4.102
    """
    scale, centre = _gumbel(n)
    return centre - scale * math.log(-math.log1p(-level))


def find_jumps(
    times: IntArray,
    probabilities: FloatArray,
    *,
    noise: float | FloatArray | None = None,
    spreads: FloatArray | None = None,
    tick: float = 0.0,
    block: int | None = None,
    window: int = 60,
    level: float = 0.05,
    interval: float = 0.95,
) -> Jumps:
    """Jumps of a quoted probability (sizes in U, up positive), with intervals and p-values.

    Parameters
    ----------
    times, probabilities
        ``(n,)``, ns and quotes in (0, 1).
    noise, spreads, tick, block
        as for :func:`.realised_clock`.
    window
        moves that set the local scale, 20 or more.
    level
        chance of any false find in the whole history.
    """
    check_level(level)
    check_level(interval)
    if window < 20:
        raise InputError("a window of 20 moves or more", met=window)
    quotes = ready_quotes(times, probabilities, noise=noise, spreads=spreads, tick=tick)
    usable = gauge_quotes(quotes)
    k = choose_block(usable, window) if block is None else block
    if k < 1:
        raise InputError("a block of 1 or more", met=k)
    if usable.U.size // k < window:
        return _none(k, Status.TOO_FEW)
    moves = block_moves(usable, k, max(rate_of(block_moves(usable, k)), 0.0))
    w, e = moves.weight, moves.noise_variance
    resting = np.median(np.abs(np.diff(usable.U))) == 0.0 and not np.any(e > 0.0)
    if resting or not np.any(moves.x != 0.0):  # quotes that rest, read as exact, have no scale
        return _none(k, Status.NOT_IDENTIFIED)
    h = 1 if k == 1 and not np.any(e > 0.0) else 2
    rates = np.empty(w.size)
    _local_rates(moves.x, w, e, h, window // 2, rates)
    sd = np.fmax(np.sqrt(rates * w + e), _tick_move(moves, tick))
    if not np.all(sd > 0.0):
        return _none(k, Status.NOT_IDENTIFIED)
    z = -ndtri(stdtr(window / _STUDENT, -np.abs(moves.x / sd)))
    c = gumbel_threshold(w.size, level)
    reach = -float(stdtrit(window / _STUDENT, ndtr(-c)))
    found = _groups(np.flatnonzero(z > c), h)
    sizes = np.array([_size(moves, rates, a, b, k > 1) for a, b in found]).reshape(-1, 4)
    half = float(ndtri(0.5 + 0.5 * interval)) * sizes[:, 1]
    back = np.array([np.ptp(np.sign(moves.x[a : b + 1])) > 0.0 for a, b in found], np.bool_)
    stays = ~(back & (np.abs(sizes[:, 0]) <= half))
    found, sizes, half = (
        [g for g, s in zip(found, stays, strict=True) if s],
        sizes[stays],
        half[stays],
    )
    peak = np.array([float(np.max(z[a : b + 1])) for a, b in found])
    scale, centre = _gumbel(w.size)
    return Jumps(
        np.array([moves.first[a] if k > 1 else moves.last[a] for a, _ in found], np.int64),
        np.array([moves.last[b + 1] if k > 1 else moves.first[b + 1] for _, b in found], np.int64),
        sizes[:, 0],
        sizes[:, 0] - half,
        sizes[:, 0] + half,
        ndtr(sizes[:, 2]),
        ndtr(sizes[:, 3]),
        peak,
        -np.expm1(-np.exp(-(peak - centre) / scale)),
        c,
        float(np.median(sd)) * reach,
        float(np.median(rates)),
        float(np.median(e / (rates * w + e))),
        w.size,
        k,
        Status.OK,
    )


def _tick_move(moves: BlockMoves, tick: float) -> FloatArray:
    """A tick in the gauge at each move: at rest rounding is one error, which no mean makes less."""
    middle = 0.5 * (moves.mean[1:] + moves.mean[:-1])
    return np.asarray(tick * math.sqrt(2.0 * math.pi) * np.exp(0.5 * middle**2))


def _gumbel(n: int) -> tuple[float, float]:
    root = math.sqrt(2.0 * math.log(n))
    return 1.0 / root, root - (math.log(math.pi) + math.log(math.log(n))) / (2.0 * root)


def _groups(hits: IntArray, h: int) -> list[tuple[int, int]]:
    """First and last of runs of finds that are one jump: under noise neighbours share a block."""
    groups: list[tuple[int, int]] = []
    for j in hits.tolist():
        if groups and h > 1 and j - groups[-1][1] == 1:
            groups[-1] = (groups[-1][0], j)
        else:
            groups.append((j, j))
    return groups


def _size(
    moves: BlockMoves, rates: FloatArray, a: int, b: int, wider: bool
) -> tuple[float, float, float, float]:
    """Size of U, its sd, and the means before and after, for moves a to b."""
    first, last = a, b + 1
    if wider and a == b:  # one move only: the jump may be inside either of its blocks
        first, last = max(a - 1, 0), min(b + 2, moves.mean.size - 1)
    years = moves.own[first] + float(moves.whole[first + 1 : last].sum()) + moves.into[last]
    variance = float(np.mean(rates[a : b + 1])) * years + moves.noise[first] + moves.noise[last]
    before, after = float(moves.mean[first]), float(moves.mean[last])
    return after - before, math.sqrt(float(variance)), before, after


def _none(k: int, status: Status) -> Jumps:
    no_times, blank, nan = np.empty(0, np.int64), np.empty(0), math.nan
    return Jumps(no_times, no_times, *(blank,) * 7, nan, nan, nan, nan, 0, k, status)
