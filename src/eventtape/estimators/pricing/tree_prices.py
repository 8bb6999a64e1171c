"""From options to trees: which sweep, how many, which options need none, and what became of each.

The smoothed tree is two sweeps, 2 V(n) - V(n/2). What has nothing random in it (volatility, spot or
strike 0) has no tree: its stock runs along one path, and an American option is worth its best
date on it, the largest of e^{-rt} sign (S_t - K) over the ends of the stretches between ex-dates
and the dates where that is level.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.binomial_sweep import tangent_sweep
from eventtape.estimators.pricing.muroi_suda import weighted_sweep
from eventtape.estimators.pricing.status import PriceStatus
from eventtape.estimators.pricing.tree_lattices import calendar, crr, leisen_reimer, widths
from eventtape.estimators.pricing.tree_options import DividendModel, Greeks, Options, Tree, chosen

__all__ = ["certain_price", "tree_prices"]

_WIDEST = 600.0  # log of the outermost node over the spot: beyond, its price is no double


def tree_prices(
    options: Options,
    vol: FloatArray,
    *,
    tree: Tree,
    steps: int,
    dividend_model: DividendModel,
    greeks: Greeks,
) -> tuple[FloatArray, IntArray]:
    """Price, delta, gamma, theta, vega, rho ``(n, 6)`` and the code of each option ``(n,)``."""
    escrowed = chosen(dividend_model, DividendModel, "dividend_model") == "escrowed"
    weighted = chosen(greeks, Greeks, "greeks") == "muroi-suda"
    if tree == "leisen-reimer" and weighted:
        raise InputError("a 'crr' or 'smoothed' tree for Muroi-Suda Greeks", met=tree)
    if tree == "leisen-reimer" and not escrowed and (options.amounts > 0.0).any():
        wanted = "dividends 'escrowed' on a Leisen-Reimer tree, or a 'smoothed' or 'crr' tree"
        raise InputError(wanted, met=dividend_model)
    answers = np.full((options.spot.size, 6), math.nan)
    code = np.full(options.spot.size, int(PriceStatus.OK))
    code[(options.spot == 0.0) | (options.strike == 0.0) | (vol == 0.0)] = PriceStatus.ZERO_VEGA
    code[options.tau == 0.0] = PriceStatus.EXPIRED
    bare, bare_rate, worth = _escrow(options) if escrowed else _no_escrow(options)
    code[~options.sound | ~((bare > 0.0) | (options.spot == 0.0))] = PriceStatus.BAD_INPUT
    intrinsic = np.maximum(options.sign * (options.spot - options.strike), 0.0)
    answers[code == PriceStatus.EXPIRED, 0] = intrinsic[code == PriceStatus.EXPIRED]
    for i in np.flatnonzero(code == PriceStatus.ZERO_VEGA):
        answers[i, 0] = certain_price(options, int(i), escrowed=escrowed)
    live = code == PriceStatus.OK
    if not live.any():
        return answers, code
    some = options.rows(np.flatnonzero(live))
    stock = _Stock(bare[live], bare_rate[live], worth[live], vol[live])
    how = _Tree(tree, steps, escrowed, weighted)
    best = _swept(some, stock, how, 1)
    fine = best
    if tree == "smoothed":
        fine = _swept(some, stock, how, 2)
        best = 2.0 * fine - best
    fits, stopped = ~np.isnan(best[:, 0]), fine[:, 6] > 0.0
    least = intrinsic[live]
    if some.american:
        best[:, 0] = np.where(fits, np.maximum(best[:, 0], least), math.nan)
    best[stopped, 0], best[stopped, 1] = least[stopped], some.sign[stopped]
    best[stopped, 2:6] = 0.0
    answers[live] = best[:, :6]
    code[live] = np.where(stopped, PriceStatus.AT_EXERCISE, PriceStatus.OK)
    code[np.flatnonzero(live)[~fits]] = PriceStatus.NO_CONVERGENCE
    return answers, code


class _Stock(NamedTuple):
    """The spot less its escrow, d log of it / d rate, the escrow, and the volatility."""

    spot: FloatArray
    spot_rate: FloatArray
    escrow: FloatArray
    vol: FloatArray


class _Tree(NamedTuple):
    tree: Tree
    steps: int
    escrowed: bool
    weighted: bool


def _swept(options: Options, stock: _Stock, how: _Tree, times: int) -> FloatArray:
    """What one sweep answers, ``(n, 7)``, NaN where no lattice fits.

    A smoothed tree has half of its steps, ``times`` 1 or 2: the same calendar, cut in halves.
    """
    smooth = how.tree == "smoothed"
    _, K, T, r, q, sign = options[:6]
    v, nothing = stock.vol, np.zeros_like(options.amounts)
    on_tree = nothing if how.escrowed else options.amounts
    days = calendar(T, options.times, on_tree, how.steps // 2 if smooth else how.steps)
    N = times * days.steps
    dt = days.years / np.where(N > 0, N, 1)
    if how.tree == "leisen-reimer":
        lattice = np.zeros((*dt.shape, 9))
        lattice[:, 0] = leisen_reimer(stock.spot, K, T, r, q, v, how.steps, stock.spot_rate)
    else:
        lattice = crr(np.where(N > 0, dt, 1.0), r[:, None], q[:, None], v[:, None])
    up = lattice[:, :, 2]
    shape = widths(days, N, stock.spot, r - q, v)
    span = np.abs(lattice[:, :, :2]).max(axis=2) * (N + shape[:, :, 1])
    fits = ((N == 0) | ((up >= 0.0) & (up <= 1.0))).all(axis=1)
    fits &= np.isfinite(lattice[:, 0]).all(axis=1) & (span < _WIDEST).all(axis=1)
    answers = np.full((v.size, 7), math.nan)
    if fits.any():
        contract = np.column_stack((stock.spot, K, sign, r, q, v, stock.spot_rate, stock.escrow))
        # Only what falls before expiry is in the stock's price less its escrow
        paid = np.where(options.times < T[:, None], options.amounts, 0.0)
        paid = paid if how.escrowed else nothing
        filled = np.empty((int(fits.sum()), 7))
        sweep = weighted_sweep if how.weighted else tangent_sweep
        sweep(
            contract[fits], lattice[fits], shape[fits], dt[fits], days.amount[fits],
            options.times[fits], paid[fits], options.american, smooth, filled,
        )  # fmt: skip
        answers[fits] = filled
    return answers


def _escrow(options: Options) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The stock less its dividends' present value, its d log / d rate, and that present value."""
    t = options.times
    counts = (t > 0.0) & (t < options.tau[:, None])
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        worth = np.where(counts, options.amounts * np.exp(-options.rate[:, None] * t), 0.0)
        bare = options.spot - worth.sum(axis=1)
        slope = np.where(counts, t * worth, 0.0).sum(axis=1) / bare
    return bare, slope, worth.sum(axis=1)


def _no_escrow(options: Options) -> tuple[FloatArray, FloatArray, FloatArray]:
    zero = np.zeros_like(options.spot)
    return options.spot, zero, zero


def certain_price(options: Options, i: int, *, escrowed: bool) -> float:
    """What option ``i`` is worth where its stock runs along one path."""
    S, K, T, r, q, sign = (float(x[i]) for x in options[:6])
    paid = sorted(
        (float(t), float(D))
        for t, D in zip(options.times[i], options.amounts[i], strict=True)
        if 0.0 < t < T and D > 0.0
    )
    left = sum(D * math.exp(-r * t) for t, D in paid) if escrowed else 0.0
    s, at, best = S - left, 0.0, -math.inf
    for end, D in [*paid, (T, 0.0)]:
        dates = [at, end]
        if r != q and r * K != 0.0 and q * s / (r * K) > 0.0:
            dates.append(min(max(at + math.log(q * s / (r * K)) / (q - r), at), end))
        for t in dates:
            if options.american or t == T:
                stock = s * math.exp((r - q) * (t - at)) - K
                best = max(best, sign * (math.exp(-r * t) * stock + left))
        s *= math.exp((r - q) * (end - at))
        s, left = (s, left - D * math.exp(-r * end)) if escrowed else (max(s - D, 0.0), 0.0)
        at = end
    return max(best, 0.0)
