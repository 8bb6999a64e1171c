r"""The volatility at which a tree gives a quoted price: American options and cash dividends too.

Newton's step v - (V(v) - price) / vega with the sweep's own tangent, kept inside a bracket that
shrinks at every step, halved where Newton leaves it. A fifth of the steps find the
neighbourhood, all of them the answer, so most options cost two or three full trees. All options of
a call go together; one that is done drops out.

What a price cannot say: at or below what exercise at once (or the one certain path) secures, no
volatility is in it; deep in the money an American option is worth its exercise value over a whole
range of volatilities. Both have a code and no number.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.status import PriceStatus
from eventtape.estimators.pricing.tree_lattices import calendar
from eventtape.estimators.pricing.tree_options import (
    DividendModel,
    Dividends,
    Exercise,
    Options,
    Tree,
    options_of,
    steps_of,
)
from eventtape.estimators.pricing.tree_prices import certain_price, tree_prices

__all__ = ["BinomialImpliedVol", "binomial_implied_vol"]

_HIGHEST = 10.0  # total volatility sigma sqrt(tau): no option knows it from infinity
_WIDEST = 550.0  # of a lattice: sigma sqrt(tau n)
_TURNS = 60


class BinomialImpliedVol(NamedTuple):
    """Volatilities of the shape of the broadcast input, and a code for each.

    - ``vol``: per sqrt(year); NaN unless the code is ``OK``;
    - ``vega``: of the tree there, per 1.00 of volatility: a price error over it is one of ``vol``;
    - ``status``: :class:`~eventtape.estimators.pricing.status.PriceStatus` codes.
      ``BELOW_INTRINSIC``: below what exercise or the certain path secures. ``AT_EXERCISE``: equal
      to the exercise value within ``tolerance``. ``ZERO_VEGA``: so near the price at the lowest
      volatility the tree can hold that it says nothing, or no spot or strike. ``ABOVE_BOUND``: as
      much as the stock (call) or the strike (put).
    """

    vol: FloatArray
    vega: FloatArray
    status: IntArray


def binomial_implied_vol(
    price: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    *,
    is_call: ArrayLike,
    exercise: Exercise = "american",
    tree: Tree = "smoothed",
    steps: int | None = None,
    dividends: Dividends = None,
    dividend_model: DividendModel = "piecewise-lognormal",
    tolerance: float = 1e-9,
) -> BinomialImpliedVol:
    """Implied volatility per sqrt(year) of each price, its vega and its code.

    The tree at the answer gives the price to ``tolerance`` times the strike. Options as for
    :func:`~eventtape.estimators.pricing.binomial.binomial`, whose trees these are.
    """
    n = steps_of(tree, steps)
    if not 0.0 < tolerance < 1.0:
        raise InputError("a positive tolerance, a share of the strike", met=tolerance)
    options = options_of(
        spot, strike, tau, rate, dividend_yield, price,
        is_call=is_call, dividends=dividends, exercise=exercise, column="price",
    )  # fmt: skip
    code, above = _door(options, tolerance, escrowed=dividend_model == "escrowed")
    vol, vega = np.full((2, code.size), math.nan)
    at = np.flatnonzero(code == PriceStatus.OK)
    guess = _first_guess(options, above)
    few = n // 10 * 2 + n % 2  # of the parity of n
    sizes = ((few, 1e-5), (n, tolerance)) if few >= 20 else ((n, tolerance),)
    for size, near in sizes:
        settled = _Trees(tree, size, dividend_model, near)
        vol[at], vega[at], code[at] = _search(options.rows(at), guess[at], settled)
        guess = np.where(np.isnan(vol), guess, vol)
    vol[code != PriceStatus.OK] = math.nan
    vega[code != PriceStatus.OK] = math.nan
    shape = options.shape
    return BinomialImpliedVol(vol.reshape(shape), vega.reshape(shape), code.reshape(shape))


class _Trees(NamedTuple):
    tree: Tree
    steps: int
    dividend_model: DividendModel
    tolerance: float


def _search(
    options: Options, guess: FloatArray, trees: _Trees
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Volatility, vega and code of every option: Newton's step inside a shrinking bracket."""
    n = guess.size
    vol, vega, code = np.full(n, math.nan), np.full(n, math.nan), np.zeros(n, np.int64)
    floor = _lowest(options, trees)
    low = floor.copy()
    high = np.maximum(min(_HIGHEST, _WIDEST / math.sqrt(trees.steps)) / np.sqrt(options.tau), low)
    ceiling = high.copy()
    held = np.zeros(n, np.bool_)  # whether the lower end is a stopped option
    at = np.arange(n)
    for _ in range(_TURNS):
        v = np.clip(guess[at], low[at], high[at])
        found, state = tree_prices(
            options.rows(at), v, tree=trees.tree, steps=trees.steps,
            dividend_model=trees.dividend_model, greeks="tree",
        )  # fmt: skip
        miss, slope = found[:, 0] - options.third[at], found[:, 4]
        stopped = state == PriceStatus.AT_EXERCISE
        done = (np.abs(miss) <= trees.tolerance * options.strike[at]) & (slope > 0.0)
        vol[at[done]], vega[at[done]] = v[done], slope[done]
        under = miss < 0.0
        held[at[under]] = stopped[under]
        low[at] = np.where(under, v, low[at])
        high[at] = np.where(under, high[at], v)
        narrow = high[at] - low[at] <= 1e-14 * high[at]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = v - miss / slope
        inside = (step > low[at]) & (step < high[at])
        guess[at] = np.where(inside, step, np.sqrt(low[at] * high[at]))
        lost = ~np.isfinite(miss)
        at = at[~(done | narrow | lost)]
        if not at.size:
            break
    open_ = np.isnan(vol)
    code[open_] = PriceStatus.NO_CONVERGENCE
    code[open_ & held] = PriceStatus.AT_EXERCISE
    code[open_ & (high <= floor * (1.0 + 1e-12))] = PriceStatus.ZERO_VEGA
    code[open_ & (low >= ceiling * (1.0 - 1e-12))] = PriceStatus.ABOVE_BOUND
    return vol, vega, code


def _door(options: Options, tolerance: float, *, escrowed: bool) -> tuple[IntArray, FloatArray]:
    """Each price's code before any search, and the price above the certain path's."""
    S, K, T, r, q, sign = options[:6]
    price, allowed = options.third, tolerance * options.strike
    with np.errstate(over="ignore", invalid="ignore"):
        decay = np.where(sign > 0.0, np.exp(-q * T), np.exp(-r * T))
        most = np.where(sign > 0.0, S, K) * (np.maximum(decay, 1.0) if options.american else decay)
    code = np.zeros(S.size, np.int64)
    fit = options.sound & (T > 0.0)
    certain = np.full(S.size, math.nan)
    for i in np.flatnonzero(fit):
        certain[i] = certain_price(options, int(i), escrowed=escrowed)
    exercise = np.maximum(sign * (S - K), 0.0)
    secured = np.fmax(certain, exercise) if options.american else certain
    with np.errstate(invalid="ignore"):
        code[price <= secured + allowed] = PriceStatus.ZERO_VEGA
        stopped = (np.abs(price - exercise) <= allowed) & (exercise > 0.0) & options.american
        code[stopped & (exercise >= secured)] = PriceStatus.AT_EXERCISE
        code[price < secured - allowed] = PriceStatus.BELOW_INTRINSIC
        code[price >= most] = PriceStatus.ABOVE_BOUND
    code[(S == 0.0) | (K == 0.0)] = PriceStatus.ZERO_VEGA
    code[T == 0.0] = PriceStatus.EXPIRED
    code[~options.sound] = PriceStatus.BAD_INPUT
    return code, price - secured


def _first_guess(options: Options, above: FloatArray) -> FloatArray:
    """Where the price bends in volatility, or Brenner and Subrahmanyam's guess if that is more."""
    S, K, T, r, q = options[:5]
    counts = (options.times > 0.0) & (options.times < T[:, None])
    with np.errstate(all="ignore"):
        paid = np.where(counts, options.amounts * np.exp(-r[:, None] * options.times), 0.0)
        bare = np.maximum(S - paid.sum(axis=1), 0.01 * S)
        bend = np.sqrt(2.0 * np.abs(np.log(bare / K) + (r - q) * T) / T)
        flat = math.sqrt(2.0 * math.pi) * above / (S * np.sqrt(T))
        guess: FloatArray = np.fmax(np.fmax(bend, flat), 1e-3)
    return guess


def _lowest(options: Options, trees: _Trees) -> FloatArray:
    """The least volatility at which no step drifts further than it spreads."""
    S, K, T, r, q = options[:5]
    if trees.tree == "leisen-reimer":
        return (np.abs(np.log(S / K) + (r - q) * T) / 7.0 + 1e-4) / np.sqrt(T)
    steps = trees.steps // 2 if trees.tree == "smoothed" else trees.steps
    amounts = options.amounts if trees.dividend_model != "escrowed" else 0.0 * options.amounts
    days = calendar(T, options.times, amounts, steps)
    longest = (days.years / np.maximum(days.steps, 1)).max(axis=1)
    least: FloatArray = np.abs(r - q) * np.sqrt(longest) * (1.0 + 1e-9)
    return np.maximum(least, 1e-6 / np.sqrt(T))
