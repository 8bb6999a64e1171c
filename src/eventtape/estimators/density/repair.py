r"""The nearest smile without butterfly arbitrage, and what it cost: a step of its own, reported.

A fitted smile has coefficients c with covariance H' H. Among the smiles c + H' d the repaired one
has the least \|d\| for which the density is nowhere negative::

    min |d|^2   subject to   g(k; c + H' d) >= margin  at all k scanned

\|d\|^2 is by how much -2 log posterior rises: the distance is in the errors of the quotes and of
nothing else, and what the quotes fix well hardly moves. As every smile of the family has a law with
mass 1 and mean F in closed form, so has the repaired one; errors are carried over as they were.

g is not linear in d: each step solves the least-distance program of g's tangents by non-negative
least squares (Lawson and Hanson 1974, ch. 23), until d stands still. The constraint is on a grid,
with a margin of 1e-6, and where g still dips below 0 between its nodes they are joined by the dip
and the search goes on; a larger margin is tried where that ends nowhere. The flat smile H' d = -c
is free, so something is always feasible unless H has lost rank. The search starts both from the fit
and from the first free smile on the way to the flat one, and the nearer end is taken; the problem
is not convex, so it is the nearest for sure only close to the fit. How often one is found for
smiles put far off at random: tests/estimators/density/test_repair_smile.py.

Calendar arbitrage is between expiries and is not mended here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.density.breeden_litzenberger import Smile, smile_at
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.density_quantities_nodes import (
    law_at,
    law_nodes,
    stretch_ends,
)
from eventtape.estimators.density.no_arbitrage import ArbitrageReport, arbitrage_report
from eventtape.estimators.density.smile_columns import MEAN_COLUMNS
from eventtape.estimators.least_distance import least_distance

__all__ = ["Repaired", "repair"]

_POINTS = 301
_STEPS = 60
_MARGINS = (1e-6, 1e-3, 1e-2)
_FINE, _ROUNDS = 4001, 15
_STILL = 1e-9
_PARTS = (1.0, 0.5, 0.25, 0.1)
_FULL_STEPS = 20
_LONGEST = 5.0
_LEAST_VOL = 0.1  # of the reference
_WING = 1e3
_PRICED = 1e-6  # of the forward: cheaper options are in no comparison with their own errors
_ROOT_2PI = math.sqrt(2.0 * math.pi)


class Repaired(NamedTuple):
    r"""The repaired smile, its law on a grid, and what changed.

    - ``smile``: to be used in the fitted one's place; the same object where nothing was wrong.
    - ``strikes``, ``pdf``, ``cdf`` ``(n,)``: the repaired law.
    - ``changed``; ``mass_removed``: negative mass before. ``moved``: integral of \|new - old
      density\|, 2 at most for laws.
    - ``price_change``: largest change of an undiscounted option price, in price units, and
      ``at_strike``; ``price_change_in_errors``: largest over the smile's own error of that price.
    - ``distance``: \|d\|, of which the square is the rise in -2 log posterior.
    - ``before``, ``after``: the reports.
    - ``status``: ``OK``; ``NO_CONVERGENCE`` where no smile without arbitrage was found (the numbers
      are NaN, ``smile`` is the one given); ``NOT_IDENTIFIED`` for a smile that is no law.
    """

    smile: Smile
    strikes: FloatArray
    pdf: FloatArray
    cdf: FloatArray
    changed: bool
    mass_removed: float
    moved: float
    price_change: float
    at_strike: float
    price_change_in_errors: float
    distance: float
    before: ArbitrageReport
    after: ArbitrageReport
    status: Status


def repair(smile: Smile, *, points: int = 2001) -> Repaired:
    """The nearest smile whose density is nowhere negative, and a report of what changed.

    ``points`` of the grid on which the law is given and the changes are summed.
    """
    before = arbitrage_report(smile)
    start = _positive(_without_wings(smile), np.empty(0))
    nodes = None if start is None else law_nodes(_moved(_without_wings(smile), start))
    if start is None or nodes is None:
        return _nothing(smile, points, before, Status.NOT_IDENTIFIED)
    strikes = smile.forward * np.exp(np.linspace(nodes.y[0], nodes.y[-1], points))
    if before.status is Status.OK and not before.checks[0].worst < 0.0:
        at = density_at(smile, strikes)
        return Repaired(
            smile, strikes, at.pdf, at.cdf, False, 0.0, 0.0, 0.0, math.nan, 0.0, 0.0,
            before, before, Status.OK,
        )  # fmt: skip
    y = np.linspace(nodes.y[0], nodes.y[-1], _POINTS)
    held = _without_wings(smile)
    for margin in _MARGINS:
        best: tuple[float, Smile, ArbitrageReport] | None = None
        for start in (_positive(held, y), _towards_flat(held, y, margin)):
            d = None if start is None else _exchange(held, y, start, margin)
            if d is None or (best is not None and not np.linalg.norm(d) < best[0]):
                continue
            mended = _moved(held, d)._replace(factor=smile.factor)
            after = arbitrage_report(mended)
            if after.free:
                best = float(np.linalg.norm(d)), mended, after
        if best is not None:
            distance, mended, after = best
            return _changes(smile, mended, strikes, before, after, distance)
    return _nothing(smile, points, before, Status.NO_CONVERGENCE)


def _without_wings(smile: Smile) -> Smile:
    """The smile with its two wings held: no quote speaks of them, and they reach without end."""
    factor = smile.factor.copy()
    factor[:, MEAN_COLUMNS - 2 : MEAN_COLUMNS] = 0.0
    return smile._replace(factor=factor)


def _moved(smile: Smile, d: FloatArray) -> Smile:
    return smile._replace(coefficients=smile.coefficients + d @ smile.factor)


def _positive(smile: Smile, at: FloatArray) -> FloatArray | None:
    """The shortest d of a positive volatility, in the wings, the stretch and ``at``; mostly 0."""
    if not (smile.coefficients.size and np.isfinite(smile.coefficients).all()):
        return None
    low, high = stretch_ends(smile)
    wings = smile.reference * _WING * np.array([-1.0, 1.0])
    y = np.concatenate([wings, np.linspace(low, high, _POINTS), at])
    # law_at has no volatility where it is negative: slopes are the same at any coefficients
    of_vol = law_at(smile, y).vol_slope
    vol = smile.reference + smile.coefficients @ of_vol
    return least_distance(of_vol.T @ smile.factor.T, _LEAST_VOL * smile.reference - vol)


def _towards_flat(smile: Smile, y: FloatArray, margin: float) -> FloatArray | None:
    """A d that is free: the first on the way to the flat smile, in twentieths."""
    back = np.linalg.lstsq(smile.factor.T, -smile.coefficients, rcond=None)[0]
    for part in np.linspace(0.0, 1.0, 21):
        law = law_at(_moved(smile, part * back), y)
        if (law.g >= margin).all() and (law.vol >= _LEAST_VOL * smile.reference).all():
            return np.asarray(part * back)
    return None


def _exchange(smile: Smile, y: FloatArray, start: FloatArray, margin: float) -> FloatArray | None:
    """The shortest d of a free smile: places between ``y`` where g dips below 0 join them."""
    fine = np.linspace(y[0], y[-1], _FINE)
    d: FloatArray | None = start
    for _ in range(_ROUNDS):
        d = None if d is None else _nearest(smile, y, d, margin)
        if d is None:
            return None
        g = law_at(_moved(smile, d), fine).g
        before, here, after = g[:-2], g[1:-1], g[2:]
        bend = before - 2.0 * here + after
        dips = (here <= before) & (here < after)
        shift = 0.5 * (before - after)[dips] / bend[dips]
        lowest = here[dips] - 0.25 * (before - after)[dips] * shift
        new = (fine[1:-1][dips] + shift * (fine[1] - fine[0]))[lowest < 0.5 * _MARGINS[0]]
        if not new.size:
            return d
        y = np.append(y, new)
    return None


def _nearest(smile: Smile, y: FloatArray, start: FloatArray, margin: float) -> FloatArray | None:
    """The shortest d with g >= margin and a volatility well above 0 at ``y``."""
    d = start
    for trial in range(_STEPS):
        law = law_at(_moved(smile, d), y)
        of_g, of_vol = law.g_slope.T @ smile.factor.T, law.vol_slope.T @ smile.factor.T
        rows = np.concatenate([of_g, of_vol])
        vol_short = _LEAST_VOL * smile.reference - law.vol + of_vol @ d
        for part in _PARTS:  # where the tangents have nothing in common, go part of the way
            short = margin - law.g
            short = np.where(short > 0.0, part * short, short) + of_g @ d
            found = least_distance(rows, np.concatenate([short, vol_short]))
            if found is not None:
                break
        if found is None:
            return None
        move = found - d
        far = float(np.linalg.norm(move))
        if part == 1.0 and far <= _STILL * (1.0 + np.linalg.norm(d)):
            return d
        d = (
            d
            + min(
                1.0 if trial < _FULL_STEPS else 0.5,
                max(_LONGEST, 0.3 * float(np.linalg.norm(d))) / far,
            )
            * move
        )
    return None


def _changes(
    old: Smile,
    new: Smile,
    strikes: FloatArray,
    before: ArbitrageReport,
    after: ArbitrageReport,
    distance: float,
) -> Repaired:
    at, was = density_at(new, strikes), density_at(old, strikes)
    gap = np.abs(at.pdf - was.pdf)
    moved = float(0.5 * ((gap[1:] + gap[:-1]) * np.diff(strikes)).sum())
    puts, vega = _puts(old, strikes)
    change = np.abs(_puts(new, strikes)[0] - puts)
    largest = int(np.argmax(change))
    error = vega * was.vol_error * math.sqrt(old.tau)
    priced = np.minimum(puts, puts + old.forward - strikes) > _PRICED * old.forward
    ratio = float((change[priced] / error[priced]).max())
    return Repaired(
        new, strikes, at.pdf, at.cdf, True, float(before.negative_mass[0]), moved,
        float(change[largest]), float(strikes[largest]), ratio, distance,
        before, after, Status.OK,
    )  # fmt: skip


def _puts(smile: Smile, K: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Undiscounted puts and their slopes in the total volatility."""
    v, _, _ = smile_at(smile, K)
    d2 = -np.log(K / smile.forward) / v - 0.5 * v
    put = K * ndtr(-d2) - smile.forward * ndtr(-d2 - v)
    return put, K * np.exp(-0.5 * d2 * d2) / _ROOT_2PI


def _nothing(smile: Smile, points: int, before: ArbitrageReport, status: Status) -> Repaired:
    nan, none = math.nan, np.full(points, math.nan)
    return Repaired(
        smile, none, none.copy(), none.copy(), False, nan, nan, nan, nan, nan, nan,
        before, before, status,
    )  # fmt: skip
