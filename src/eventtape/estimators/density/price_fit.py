r"""What the parametric fits to option prices share: the quotes, one volatility, and is more needed?

A law with parameters x is fitted to n prices V_i with errors e_i by

    chi2(x) = sum_i ((model_i(x) - V_i) / e_i)^2,       s2 = max(1, chi2 / (n - dim x)).

s2 never falls below 1: rounded quotes around one smooth curve agree better than their spreads say,
and that is no reason to believe in more parameters. A law of q parameters more than Black's is kept
where (chi2_Black - chi2) / (q s2) passes the F quantile of ``LEVEL``. Under Black's law the extra
parameters have no meaning, so the test is not exact; the rate at which it errs is measured in the
tests of each fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc, ndtr

from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.terminal_law import check_positive, check_strikes

__all__ = ["LEVEL", "Minimum", "Quotes", "black_fit", "check_quotes", "minimise", "needless"]

LEVEL = 0.01
_STEPS = 300
_FALL = 1e-9
_STUCK = 1e10  # no step however small falls: the minimum, to rounding

Residuals = Callable[[FloatArray], FloatArray]
Jacobian = Callable[[FloatArray], FloatArray]


class Quotes(NamedTuple):
    """Checked quotes ``(n,)``: undiscounted prices as of calls, and their errors."""

    strikes: FloatArray
    calls: FloatArray
    errors: FloatArray


class Minimum(NamedTuple):
    """The lowest chi2 found; ``at_bound`` says which parameters stand at the end of their range."""

    x: FloatArray
    chi2: float
    jacobian: FloatArray
    at_bound: BoolArray
    converged: bool


def check_quotes(
    strikes: ArrayLike,
    is_call: ArrayLike,
    prices: ArrayLike,
    errors: ArrayLike,
    *,
    forward: float,
    tau: float,
    discount: float,
) -> Quotes:
    """The quotes as undiscounted calls: with a known forward a put says what its call says.

    Raises
    ------
    InputError
        Arrays not of one shape ``(n,)``; a strike or error not above 0; a price that is negative or
        not finite; a forward, tau or discount not above 0.
    """
    check_positive(forward=forward, tau=tau, discount=discount)
    K, V, e = check_strikes(strikes), np.asarray(prices, np.float64), np.asarray(errors, np.float64)
    call = np.asarray(is_call)
    if K.ndim != 1 or not K.shape == V.shape == e.shape == call.shape:
        raise InputError(
            "strikes, is_call, prices and errors of one shape (n,)",
            met=(K.shape, call.shape, V.shape, e.shape),
        )
    if call.dtype != np.bool_:
        raise InputError("True for calls, False for puts", met=str(call.dtype), column="is_call")
    for name, x, good, wanted in (
        ("prices", V, (V >= 0.0) & np.isfinite(V), "a finite price >= 0"),
        ("errors", e, (e > 0.0) & np.isfinite(e), "a finite error above 0"),
    ):
        bad = np.flatnonzero(~good)
        if bad.size:
            raise InputError(wanted, met=float(x[bad[0]]), row=int(bad[0]) + 1, column=name)
    calls = V / discount + np.where(call, 0.0, forward - K)
    return Quotes(K, calls, e / discount)


def black_fit(quotes: Quotes, forward: float) -> Minimum:
    """The one volatility of least chi2: ``x`` is the log of vol times the root of tau, ``(1,)``."""
    log_strikes = np.log(quotes.strikes / forward)

    def residuals(x: FloatArray) -> FloatArray:
        w = math.exp(x[0])
        d2 = -log_strikes / w - 0.5 * w
        model = forward * ndtr(d2 + w) - quotes.strikes * ndtr(d2)
        return np.asarray((model - quotes.calls) / quotes.errors)

    def jacobian(x: FloatArray) -> FloatArray:
        w = math.exp(x[0])
        d1 = -log_strikes / w + 0.5 * w
        slope = forward * w * np.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
        return np.asarray((slope / quotes.errors)[:, None])

    low, high = np.array([math.log(1e-4)]), np.array([math.log(10.0)])
    grid = np.linspace(low[0], high[0], 60)
    best = grid[np.argmin([np.sum(residuals(np.array([x])) ** 2) for x in grid])]
    return minimise(residuals, jacobian, np.array([[best]]), low, high)


def minimise(
    residuals: Residuals, jacobian: Jacobian, starts: FloatArray, low: FloatArray, high: FloatArray
) -> Minimum:
    """The lowest of the minima reached from ``starts`` ``(n_starts, dim)`` within the bounds."""
    ends = [_descend(residuals, jacobian, x, low, high) for x in starts]
    return min(ends, key=lambda end: end.chi2)


def _descend(
    residuals: Residuals, jacobian: Jacobian, start: FloatArray, low: FloatArray, high: FloatArray
) -> Minimum:
    """Levenberg and Marquardt's descent, with parameters held at a bound they press against.

    chi2 is in units of the noise, so a fall of 1e-9 of 1 + chi2 moves parameters by some 3e-5 of
    their standard errors (times the root of 1 + chi2): two such steps in a row end the search.
    """
    x = np.clip(start, low, high)
    r, J = residuals(x), jacobian(x)
    chi2, damping, idle = float(r @ r), 1e-3, 0
    for _ in range(_STEPS):
        slope, bend = J.T @ r, J.T @ J
        free = ~(((x <= low) & (slope > 0.0)) | ((x >= high) & (slope < 0.0)))
        H = bend[np.ix_(free, free)]
        ridge = damping * (np.diag(H) + 1e-30 + 1e-12 * np.max(np.diag(H), initial=0.0))
        tried = x.copy()
        tried[free] -= np.linalg.solve(H + np.diag(ridge), slope[free])
        tried = np.clip(tried, low, high)
        r_tried = residuals(tried)
        fall = chi2 - float(r_tried @ r_tried)
        if fall > 0.0:
            x, r, J, chi2 = tried, r_tried, jacobian(tried), chi2 - fall
            damping = max(damping / 5.0, 1e-12)
            idle = idle + 1 if fall < _FALL * (1.0 + chi2) else 0
        else:
            damping *= 4.0
        if idle >= 2 or damping > _STUCK or not free.any():
            break
    else:
        return Minimum(x, chi2, J, np.zeros(x.size, np.bool_), converged=False)
    near = 1e-9 * (high - low)
    return Minimum(x, chi2, J, (x <= low + near) | (x >= high - near), converged=True)


def needless(simple: Minimum, full: Minimum, n: int) -> float:
    """The p-value of the extra parameters of ``full``: above ``LEVEL`` they say nothing."""
    q, left = full.x.size - simple.x.size, n - full.x.size
    scale = max(1.0, full.chi2 / left)
    return float(fdtrc(q, left, max(simple.chi2 - full.chi2, 0.0) / (q * scale)))


def covariance(full: Minimum, n: int) -> FloatArray:
    """Of x, ``(dim, dim)``: s2 times the inverse of J'J; NaN where that is singular."""
    scale = max(1.0, full.chi2 / (n - full.x.size))
    size = np.sqrt(np.sum(full.jacobian**2, axis=0))
    if not np.all(size > 0.0):
        return np.full((full.x.size,) * 2, math.nan)
    _, s, vt = np.linalg.svd(full.jacobian / size, full_matrices=False)
    if s[-1] < 1e-8 * s[0]:
        return np.full((full.x.size,) * 2, math.nan)
    root = vt.T / s / size[:, None]
    return np.asarray(scale * root @ root.T)
