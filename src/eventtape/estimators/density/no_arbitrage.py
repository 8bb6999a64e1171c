r"""Is this smile, or this surface of smiles, free of arbitrage; if not where, and by how much?

With total variance w(k) at k = log(K / F), v = sqrt(w) and g as in Gatheral and Jacquier (2014)::

    butterfly      g >= 0: the density is not negative
    negative mass  integral of the density's negative part, here as a number below 0
    monotone       the distribution never falls: its largest fall, as a number below 0
    bounds         0 <= Q <= 1, the distribution
    call spread    -1 <= dC/dK <= 0, from differences of Black's prices, not from Q: of puts below
                   the forward, 0 <= dP/dK <= 1, as calls near 1 would be all rounding there
    integral       |integral q dK - 1|, mean: |integral K q dK / F - 1|, both to 1e-8
    wings          |dw/dk| < 2 far out (Lee 2004)
    calendar       w_2(k) >= w_1(k) at equal k, k of each forward (deterministic carry)

A check's ``worst`` is the least value found of what must be 0 or more, so it is negative where the
check fails (beyond rounding). A fitted smile has errors: ``over_error`` is the least ratio of the
value to its own standard error, anywhere. At -0.5 the violation is within what the quotes leave
open; at -5 it is in the quotes. The ratio is NaN where there is no error to speak of.

Scanned: 4,001 log strikes as far as eight standard deviations on both sides of the money, as the
smile has them there; minima and ends of stretches are then refined. The checker takes any function
k -> (w, w', w''), so a parametric smile passes through the same sieve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile, smile_at
from eventtape.estimators.density.density_quantities_nodes import (
    error_of,
    law_at,
    quote_edges,
)
from eventtape.estimators.density.no_arbitrage_scan import (
    Scan,
    VarianceFunction,
    butterfly_g,
    distribution,
    lowest,
    negative_stretches,
    scan_variance,
)

__all__ = [
    "ArbitrageReport",
    "Check",
    "CheckName",
    "arbitrage_report",
    "total_variance",
    "variance_report",
]

_NEAR_ZERO = 1e-10
_SUMS = 1e-8


class CheckName(StrEnum):
    """What is checked."""

    BUTTERFLY = "butterfly"
    NEGATIVE_MASS = "negative mass"
    MONOTONE = "distribution monotone"
    BOUNDS = "distribution within 0 and 1"
    CALL_SPREAD = "call spread"
    INTEGRAL = "integral is 1"
    MEAN = "mean is the forward"
    WINGS = "wings within Lee's bound"
    CALENDAR = "calendar"


class Check(NamedTuple):
    """One check of one expiry (counted from 0; a calendar check stands at its later one).

    - ``passed``; ``worst``: least value of what must be 0 or more.
    - ``strike``: where; 0 or infinite in a wing, NaN for a sum.
    - ``over_error``: least ratio to its own standard error.
    """

    name: CheckName
    expiry: int
    passed: bool
    worst: float
    strike: float
    over_error: float


class ArbitrageReport(NamedTuple):
    """All checks, expiry by expiry.

    - ``free``: all passed. ``negative_mass`` ``(n_expiries,)``.
    - ``negative``: for each expiry ``(n, 2)``, the stretches of strikes of negative density.
    - ``status``: ``NOT_IDENTIFIED`` where a smile has no volatility somewhere: then not free.
    """

    checks: tuple[Check, ...]
    negative_mass: FloatArray
    negative: tuple[FloatArray, ...]
    free: bool
    status: Status

    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


def total_variance(smile: Smile) -> VarianceFunction:
    """The function k -> (w, w', w'') of a fitted smile."""

    def at(k: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        v, v1, v2 = smile_at(smile, smile.forward * np.exp(np.atleast_1d(k)))
        # A volatility below 0 has no variance: its sign is kept, so that the scan refuses it
        return v * np.abs(v), 2.0 * v * v1, 2.0 * (v1 * v1 + v * v2)

    return at


def arbitrage_report(
    smiles: Smile | Sequence[Smile], *, quoted: Sequence[tuple[float, float]] | None = None
) -> ArbitrageReport:
    """Every check of one smile, or of several of one underlying in order of expiry.

    Parameters
    ----------
    smiles
        As fitted, the earlier expiry first.
    quoted
        First and last strike used of each expiry. The calendar is then checked where both are
        quoted, and does not pass, with NaN, where that is nowhere; without them over the whole
        scan, where far wings are the prior mean's against each other.

    Raises
    ------
    InputError
        Expiries that do not rise; ``quoted`` not one pair a smile.
    """
    each = [smiles] if isinstance(smiles, Smile) else list(smiles)
    taus = [smile.tau for smile in each]
    if not each or not all(a < b for a, b in pairwise(taus)):
        raise InputError("smiles in order of expiry", met=taus)
    if quoted is not None and len(quoted) != len(each):
        raise InputError(f"first and last strike of {len(each)} smiles", met=len(quoted))
    checks: list[Check] = []
    negative, mass, scans = [], np.full(len(each), math.nan), []
    for i, smile in enumerate(each):
        fitted = smile.coefficients.size > 0 and bool(np.isfinite(smile.coefficients).all())
        scan = scan_variance(total_variance(smile), quote_edges(smile)) if fitted else None
        scans.append(scan)
        if scan is None:
            negative.append(np.empty((0, 2)))
            continue
        law = law_at(smile, scan.k)
        found, stretches, mass[i] = _one(
            scan, smile.forward, i,
            error_of(smile, law.g_slope.T), error_of(smile, law.below_slope.T),
        )  # fmt: skip
        checks += found
        negative.append(stretches)
    for i in range(1, len(each)):
        early, late = scans[i - 1], scans[i]
        if early is not None and late is not None:
            checks.append(_calendar(each, i, early, late, quoted))
    status = Status.OK if all(scan is not None for scan in scans) else Status.NOT_IDENTIFIED
    free = status is Status.OK and all(check.passed for check in checks)
    return ArbitrageReport(tuple(checks), mass, tuple(negative), free, status)


def variance_report(variance: VarianceFunction, forward: float = 1.0) -> ArbitrageReport:
    """The same checks of any smile, given as k -> (w, w', w''); it has no errors.

    >>> from functools import partial
    >>> from eventtape.estimators.density.svi import Svi, svi_smile
    >>> vogt = Svi(-0.0410, 0.1331, 0.3586, 0.3060, 0.4153)
    >>> butterfly = variance_report(partial(svi_smile, vogt)).checks[0]
    >>> butterfly.passed, round(butterfly.worst, 7)
    (False, -0.0328636)
    """
    scan = scan_variance(variance)
    if scan is None:
        nothing = np.full(1, math.nan)
        return ArbitrageReport((), nothing, (np.empty((0, 2)),), False, Status.NOT_IDENTIFIED)
    checks, stretches, mass = _one(scan, forward, 0, None, None)
    free = all(check.passed for check in checks)
    return ArbitrageReport(tuple(checks), np.array([mass]), (stretches,), free, Status.OK)


def _one(
    scan: Scan,
    forward: float,
    expiry: int,
    g_error: FloatArray | None,
    below_error: FloatArray | None,
) -> tuple[list[Check], FloatArray, float]:
    """The checks of one smile, the strikes of its negative stretches, and their mass."""
    k, g, Q = scan.k, scan.g, scan.below
    K = forward * np.exp(k)

    def g_at(x: FloatArray) -> FloatArray:
        return butterfly_g(x, *scan.variance(x))

    at, least = lowest(g_at, k, g)
    stretches = negative_stretches(g_at, np.unique(np.append(k, at)))
    # Q turns where g changes sign: there it is lowest and highest
    turns = np.unique(np.concatenate([k, stretches.ravel()]))
    w, slope, _ = scan.variance(turns)
    all_Q = distribution(turns, w, slope)
    fall = np.maximum.accumulate(all_Q) - all_Q
    end = int(np.argmax(fall))
    room = np.minimum(all_Q, 1.0 - all_Q)
    tight = int(np.argmin(room))
    steps = np.exp(k[:-1]) * np.expm1(np.diff(k))
    put_slope, call_slope = np.diff(scan.put) / steps, np.diff(scan.call) / steps
    spread = np.where(
        k[1:] > 0.0,
        np.minimum(-call_slope, 1.0 + call_slope),
        np.minimum(put_slope, 1.0 - put_slope),
    )
    steepest = int(np.argmin(spread))
    slopes = np.abs(scan.wing_slopes)
    wing = int(np.argmax(slopes))
    S = forward * np.exp(turns)
    g_ratio = _least_ratio(g, g_error)
    room_ratio = _least_ratio(np.minimum(Q, 1.0 - Q), below_error)
    name = CheckName
    rows = [
        (name.BUTTERFLY, least, forward * math.exp(at), g_ratio, 0.0),
        (name.NEGATIVE_MASS, -scan.negative_mass, forward * math.exp(at), g_ratio, 0.0),
        (name.MONOTONE, -float(fall[end]), float(S[end]), math.nan, _NEAR_ZERO),
        (name.BOUNDS, float(room[tight]), float(S[tight]), room_ratio, _NEAR_ZERO),
        (name.CALL_SPREAD, float(spread[steepest]), float(K[steepest]), math.nan, _NEAR_ZERO),
        (name.INTEGRAL, -abs(scan.integral - 1.0), math.nan, math.nan, _SUMS),
        (name.MEAN, -abs(scan.mean - 1.0), math.nan, math.nan, _SUMS),
        (name.WINGS, 2.0 - float(slopes[wing]), (0.0, math.inf)[wing], math.nan, 0.0),
    ]
    checks = [Check(n, expiry, w >= -near, w + 0.0, s, r) for n, w, s, r, near in rows]
    return checks, forward * np.exp(stretches), scan.negative_mass


def _calendar(
    smiles: Sequence[Smile],
    i: int,
    early: Scan,
    late: Scan,
    quoted: Sequence[tuple[float, float]] | None,
) -> Check:
    low, high = max(early.k[0], late.k[0]), min(early.k[-1], late.k[-1])
    for j in (i - 1, i):
        if quoted is not None:
            first, last = np.log(np.array(quoted[j]) / smiles[j].forward)
            low, high = max(low, float(first)), min(high, float(last))
    if not low < high:
        return Check(CheckName.CALENDAR, i, False, math.nan, math.nan, math.nan)
    k = np.linspace(low, high, 2001)

    def gap(x: FloatArray) -> FloatArray:
        return late.variance(x)[0] - early.variance(x)[0]

    grown = gap(k)
    at, least = lowest(gap, k, grown)
    square = np.zeros(k.size)
    for smile in (smiles[i - 1], smiles[i]):
        law = law_at(smile, k)
        square += (2.0 * law.vol * error_of(smile, law.vol_slope.T)) ** 2
    ratio = _least_ratio(grown, np.sqrt(square))
    strike = smiles[i].forward * math.exp(at)
    return Check(CheckName.CALENDAR, i, least >= -_NEAR_ZERO, least, strike, ratio)


def _least_ratio(value: FloatArray, error: FloatArray | None) -> float:
    if error is None or not (error > 0.0).any():
        return math.nan
    known = error > 0.0
    return float((value[known] / error[known]).min())
