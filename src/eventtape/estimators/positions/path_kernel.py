"""Positions carried along simulated paths, a block of paths at a time, one step after another.

The innermost loops run over the paths of a block and are straight arithmetic, which the compiler
vectorises; the rows of a block stay in the cache. A leg's mark is the average over the states that
the events still to come leave open; its variance is ``fixed + free * y``, y the path's level.

The last leg may be the option that gamma is hedged with: held in a quantity of the path's own.

Deltas are in units of the underlying. Of a linear leg it is the slope of its dollars in the price
S; of an inverse one, whose coins are c = v / F, the slope of c in log S, Black's delta less the
price. Dollars are hedged by a linear future, coins by an inverse one: a number of dollars n of it
gains n (1 / S - 1 / S') coins.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import BoolArray, FloatArray, IntArray, watches
from eventtape.estimators.pricing import black, normal
from eventtape.estimators.pricing.black import normalised_price, normalised_vega
from eventtape.estimators.pricing.normal import log_of_ratio, norm_cdf

__all__ = ["CLOSED", "COSTS", "HEDGES", "LOWEST", "OUTPUTS", "PNL", "STOPPED", "carry_block"]

PNL, COSTS, LOWEST, CLOSED, STOPPED, HEDGES, OUTPUTS = 0, 1, 2, 3, 4, 5, 6  # rows of the answer
_STOP, _BAND, _FEE, _OPTION_FEE, _MOST = 0, 1, 2, 3, 4  # of the limits
_CASH, _FUTURE, _EXTRA = 0, 1, 2  # rows of the work space: held from step to step
_WORTH, _DELTA, _GAMMA = 3, 4, 5  # of one leg
_VALUE, _SLOPE, _CURVE, _GROSS = 6, 7, 8, 9  # of the position
_OTHER, _OTHER_SLOPE, _OTHER_CURVE, _ROWS = 10, 11, 12, 13  # of one hedging option
_LEAST = 1e-9  # a root of variance below which an option is its intrinsic value


@watches(black, normal)
@njit(cache=True, error_model="numpy")
def _mark(
    S: FloatArray,
    y: FloatArray,
    strike: float,
    is_call: bool,
    carry: float,
    fixed: float,
    free: float,
    states: FloatArray,
    slopes: bool,
    work: FloatArray,
) -> None:
    """Dollars of one option and, if asked, its slopes in the price; ``states (n_states, 3)``."""
    sign = 1.0 if is_call else -1.0
    worth, delta, gamma = work[_WORTH], work[_DELTA], work[_GAMMA]
    for b in range(S.size):
        worth[b] = delta[b] = gamma[b] = 0.0
    for row in range(states.shape[0]):
        p, c, more = states[row, 0], carry * states[row, 1], states[row, 2]
        if p == 0.0:
            continue
        for b in range(S.size):
            F = c * S[b]
            s = math.sqrt(max(fixed + free * y[b] + more, 0.0))
            x = log_of_ratio(F, strike)
            root = math.sqrt(F) * math.sqrt(strike)
            worth[b] += p * (max(sign * (F - strike), 0.0) + root * normalised_price(x, s))
        if not slopes:
            continue
        for b in range(S.size):
            F = c * S[b]
            s = max(math.sqrt(max(fixed + free * y[b] + more, 0.0)), _LEAST)
            x = log_of_ratio(F, strike)
            delta[b] += p * c * sign * norm_cdf(sign * (x / s + 0.5 * s))
            root = math.sqrt(F) * math.sqrt(strike)
            gamma[b] += p * c * c * root * normalised_vega(x, s) / (F * F * s)


@njit(cache=True, error_model="numpy")
def _hold(
    S: FloatArray, carry: float, inverse: bool, quantity: float, settled: bool, work: FloatArray
) -> None:
    """Count the leg marked last, or take in what it pays."""
    for b in range(S.size):
        unit = 1.0 / (carry * S[b]) if inverse else 1.0
        v = unit * work[_WORTH, b]
        if settled:
            work[_CASH, b] += quantity * v
        else:
            d = unit * S[b] * work[_DELTA, b] - v if inverse else work[_DELTA, b]
            work[_VALUE, b] += quantity * v
            work[_GROSS, b] += abs(quantity * v)
            work[_SLOPE, b] += quantity * d
            work[_CURVE, b] += quantity * unit * work[_GAMMA, b]


@njit(cache=True, error_model="numpy")
def _hold_other(
    S: FloatArray, carry: float, inverse: bool, settled: bool, work: FloatArray
) -> None:
    """The same for the option that gamma is hedged with."""
    for b in range(S.size):
        unit = 1.0 / (carry * S[b]) if inverse else 1.0
        v = unit * work[_WORTH, b]
        if settled:
            work[_CASH, b] += work[_EXTRA, b] * v
            work[_EXTRA, b] = 0.0
        else:
            d = unit * S[b] * work[_DELTA, b] - v if inverse else work[_DELTA, b]
            work[_OTHER, b], work[_OTHER_SLOPE, b] = v, d
            work[_OTHER_CURVE, b] = unit * work[_GAMMA, b]


@njit(cache=True, error_model="numpy")
def _close(S: float, inverse: bool, limits: FloatArray, work: FloatArray, b: int) -> float:
    """What leaving everything costs."""
    options = work[_GROSS, b] + abs(work[_EXTRA, b]) * work[_OTHER, b]
    futures = abs(work[_FUTURE, b]) * (1.0 / S if inverse else S)
    return float(limits[_OPTION_FEE] * options + limits[_FEE] * futures)


@njit(cache=True, error_model="numpy")
def _hedge(
    S: float,
    inverse: bool,
    by_option: bool,
    limits: FloatArray,
    work: FloatArray,
    out: FloatArray,
    b: int,
) -> None:
    """Trade gamma, then delta, to 0 where the net delta is beyond the band."""
    have = work[_FUTURE, b] / S if inverse else work[_FUTURE, b]
    net = work[_SLOPE, b] + work[_EXTRA, b] * work[_OTHER_SLOPE, b]
    if not abs(net + have) > limits[_BAND]:
        return
    spent = 0.0
    if by_option and work[_OTHER_CURVE, b] > 0.0:
        want = -work[_CURVE, b] / work[_OTHER_CURVE, b]
        want = min(max(want, -limits[_MOST]), limits[_MOST])
        traded = want - work[_EXTRA, b]
        spent += limits[_OPTION_FEE] * abs(traded) * work[_OTHER, b]
        work[_CASH, b] -= traded * work[_OTHER, b]
        work[_EXTRA, b] = want
        net = work[_SLOPE, b] + want * work[_OTHER_SLOPE, b]
    want = -net * S if inverse else -net
    size = abs(want - work[_FUTURE, b])
    spent += limits[_FEE] * (size / S if inverse else size * S)
    work[_FUTURE, b] = want
    work[_CASH, b] -= spent
    out[COSTS, b] += spent
    out[HEDGES, b] += 1.0


@watches(black, normal)
@njit(cache=True, error_model="numpy")
def carry_block(  # noqa: C901, PLR0912 - one pass, step by step, in the order of the rules
    price: FloatArray,
    level: FloatArray,
    quantity: FloatArray,
    strike: FloatArray,
    is_call: BoolArray,
    carry: FloatArray,
    inverse: bool,
    by_option: bool,
    last: IntArray,
    fixed: FloatArray,
    free: FloatArray,
    stage: IntArray,
    states: FloatArray,
    paid: float,
    limits: FloatArray,
    every: int,
    keep: FloatArray,
    out: FloatArray,
) -> None:
    """Fill ``out (OUTPUTS, n_paths)``, and ``keep`` with profits by step if it has columns.

    ``price``, ``level`` and ``keep`` are ``(n_steps + 1, n_paths)``; ``last`` to ``states`` as in
    :class:`.MarksAlong`; ``limits``: stop loss, band, cost of futures, cost of options, most
    hedging options held.
    """
    n_steps, n = price.shape[0] - 1, price.shape[1]
    held = quantity.size - 1 if by_option else quantity.size
    work = np.zeros((_ROWS, n))
    for b in range(n):
        work[_CASH, b], out[LOWEST, b], out[CLOSED, b] = -paid, np.inf, -1.0
    for i in range(n_steps + 1):
        S = price[i]
        acts = every > 0 and i % every == 0 and i < n_steps
        for b in range(n):
            if i > 0:
                before = price[i - 1, b]
                move = 1.0 / before - 1.0 / S[b] if inverse else S[b] - before
                work[_CASH, b] += work[_FUTURE, b] * move
            for row in range(_VALUE, _ROWS):
                work[row, b] = 0.0
        for leg in range(quantity.size):
            if i > last[leg]:
                continue
            settled = i == last[leg]
            _mark(
                S, level[i], strike[leg], is_call[leg], carry[leg], fixed[i, leg], free[i, leg],
                states[stage[i], leg], acts and not settled, work,
            )  # fmt: skip
            if leg < held:
                _hold(S, carry[leg], inverse, quantity[leg], settled, work)
            else:
                _hold_other(S, carry[leg], inverse, settled, work)
        for b in range(n):
            profit = out[PNL, b]
            if out[CLOSED, b] < 0.0:
                profit = work[_VALUE, b] + work[_EXTRA, b] * work[_OTHER, b] + work[_CASH, b]
                stopped = profit <= -limits[_STOP]
                if stopped or i == n_steps:
                    leaving = _close(S[b], inverse, limits, work, b)
                    profit -= leaving
                    out[COSTS, b] += leaving
                    out[PNL, b], out[CLOSED, b] = profit, i
                    out[STOPPED, b] = 1.0 if stopped else 0.0
                elif acts:
                    _hedge(S[b], inverse, by_option, limits, work, out, b)
                out[LOWEST, b] = min(out[LOWEST, b], profit)
            if keep.shape[1] > 0:
                keep[i, b] = profit
