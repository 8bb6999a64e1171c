r"""From the quotes of one chain to its smile, in one kernel.

The order: what each quote says (:mod:`.smile_observations`), the scale of its noise, the columns
(:mod:`.smile_columns`), the hyper-parameters (:mod:`.smile_evidence`), then a look back: the quote
furthest from the smile that the others make, if by more than six of its errors, is taken out and
named, and the rest is fitted again, until none is or a tenth of the quotes are out.

A smile with more detail than its columns carry is fitted again with more of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, watches
from eventtape.estimators.density import smile_columns as columns
from eventtape.estimators.density import smile_evidence as evidence
from eventtape.estimators.density import smile_observations as observations
from eventtape.estimators.density.smile_columns import (
    FIRST_LENGTH,
    MEAN_COLUMNS,
    PAD,
    PLACES,
    column_count,
    resolves,
    smile_columns,
    smile_places,
    warped,
)
from eventtape.estimators.density.smile_evidence import (
    maximise,
    normal_equations,
    posterior,
    prior_variances,
)
from eventtape.estimators.density.smile_observations import (
    LEAST_QUOTES,
    QuoteFate,
    observe_chain,
    spread_scale,
)

__all__ = [
    "FIT_CODES",
    "Hyper",
    "fit_smile",
    "one_price",
    "parity_denied",
    "smile_factor",
    "stretch",
]

_OUTLIER = int(QuoteFate.OUTLIER)
_FURTHEST = 36.0  # squared errors
_HALF_NORMAL = 0.4549364  # median of a squared standard normal
_SWOLLEN = 0.1  # of it: below, a few quotes make the noise of all
_TOLD = np.zeros(len(QuoteFate), np.bool_)  # fates of quotes that have both sides in order
_TOLD[[QuoteFate.USED, QuoteFate.NO_VOLATILITY, QuoteFate.IN_THE_MONEY]] = True
_MOST_OUTLIERS = 10  # one quote of so many, and one more
FIT_CODES = ("ok", "too few", "one price, or parity denied", "no convergence")


class Hyper(NamedTuple):
    """What a fit holds fixed while quotes change.

    - ``reference``: v_0, a total volatility. ``centre``, ``half``: the cosines' stretch in u.
    - ``theta`` ``(3,)``: log ell, log sf, log kappa. ``spread_scale``: c^2.
    - ``lean``, ``lean_variance``: prior mean and variance of lambda, the weight of the sizes.
    """

    reference: float
    centre: float
    half: float
    theta: FloatArray
    spread_scale: float
    lean: float
    lean_variance: float


@watches(columns)
@njit(cache=True, error_model="numpy")
def stretch(fates: NDArray[np.int8], seen: FloatArray) -> tuple[float, float]:
    """Centre and half-width, in u, of the quotes used and a pad on either side."""
    low, high = math.inf, -math.inf
    for i in range(fates.size):
        if fates[i] == 0:
            low, high = min(low, seen[0, i]), max(high, seen[0, i])
    low, high = warped(low), warped(high)
    return 0.5 * (low + high), 0.5 * (high - low) + PAD


@njit(cache=True, error_model="numpy")
def one_price(
    strikes: FloatArray,
    is_call: BoolArray,
    quotes: FloatArray,
    forward: float,
    fates: NDArray[np.int8],
) -> bool:
    """Whether three or more quotes used on one side of the forward all have one price."""
    for side in range(2):
        low, high, count = math.inf, -math.inf, 0
        for i in range(strikes.size):
            if (
                fates[i] == 0
                and is_call[i] == (side == 0)
                and (strikes[i] >= forward) == (side == 0)
            ):
                mid = 0.5 * (quotes[0, i] + quotes[1, i])
                low, high = min(low, mid), max(high, mid)
                count += 1
        if count > 2 and high == low:
            return True
    return False


@njit(cache=True, error_model="numpy")
def smile_factor(L: FloatArray, lam: FloatArray, factor: FloatArray) -> None:
    """Fill H ``(p, p)``, whose H' H is the coefficients' covariance; L as ``posterior`` left it."""
    p = lam.size
    for j in range(p):
        factor[j, :] = 0.0
        factor[j, j] = 1.0 / L[j, j]
        for i in range(j):
            total = 0.0
            for q in range(i, j):
                total += L[j, q] * factor[q, i]
            factor[j, i] = -total / L[j, j]
    for j in range(p):
        for i in range(j + 1):
            factor[j, i] *= math.sqrt(lam[i])


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _misses(
    V: FloatArray,
    y: FloatArray,
    coefficients: FloatArray,
    factor: FloatArray,
    miss: FloatArray,
    pull: FloatArray,
) -> None:
    """Fill the misses ``(n,)`` and the fit's own variance at each quote."""
    p, n = V.shape
    row = np.empty(n)
    miss[:] = y
    for j in range(p):
        row[:] = 0.0
        for q in range(j + 1):
            for i in range(n):
                row[i] += factor[j, q] * V[q, i]
        for i in range(n):
            miss[i] -= coefficients[j] * V[j, i]
            pull[i] += row[i] * row[i]


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _worst(
    V: FloatArray,
    seen: FloatArray,
    noise: float,
    coefficients: FloatArray,
    factor: FloatArray,
    on: FloatArray,
) -> tuple[int, float, float]:
    """The quote furthest from what the others say, its squared distance; squared misses of all.

    Of a miss r with leverage h (the share of its own error that the fit follows) the distance from
    a fit without it is r^2 / (kappa^2 R (1 - h)), in its errors: a quote cannot hide by pulling.
    """
    n = on.size
    miss, pull = np.empty(n), np.zeros(n)
    _misses(V, seen[1], coefficients, factor, miss, pull)
    squares = np.empty(n)
    total, count = 0.0, 0
    for i in range(n):
        if on[i] > 0.0:
            error = noise * seen[5, i]
            total += miss[i] * miss[i] / error
            squares[count] = miss[i] * miss[i] / error / max(1.0 - pull[i] / error, 1e-3)
            count += 1
    # Several that are far off swell the noise of all: the median says what is ordinary
    ordinary = float(np.median(squares[:count])) / _HALF_NORMAL
    ordinary = ordinary if ordinary < _SWOLLEN else 1.0
    worst, furthest, count = -1, 0.0, 0
    for i in range(n):
        if on[i] > 0.0:
            if squares[count] > furthest:
                worst, furthest = i, squares[count]
            count += 1
    return worst, furthest / max(ordinary, 1e-3), total


@njit(cache=True, error_model="numpy")
def parity_denied(
    strikes: FloatArray,
    is_call: BoolArray,
    quotes: FloatArray,
    forward: float,
    forward_error: float,
    discount: float,
    tick: float,
    fates: NDArray[np.int8],
) -> bool:
    """Whether most pairs quoted on both sides exclude this forward with their bids and asks.

    Pairs near the forward decide; where there are none, as at a forward far off, all do.
    """
    pairs, denying = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for i in range(1, strikes.size):
        j = i - 1
        if strikes[i] == strikes[j] and _TOLD[fates[i]] and _TOLD[fates[j]]:
            call, put = (i, j) if is_call[i] else (j, i)
            line = discount * (forward - strikes[i])
            open_ = 2.0 * discount * forward_error + tick
            most = quotes[1, call] - quotes[0, put] + open_
            least = quotes[0, call] - quotes[1, put] - open_
            kind = 0 if fates[i] == 0 and fates[j] == 0 else 1
            pairs[kind] += 1
            denying[kind] += line > most or line < least
    if pairs[0] > 2:
        return bool(2 * denying[0] > pairs[0])
    return bool(pairs[1] > 2 and 2 * denying[1] > pairs[1])


@watches(columns, evidence)
@njit(cache=True, error_model="numpy")
def _fit_columns(
    place: FloatArray,
    seen: FloatArray,
    on: FloatArray,
    fates: NDArray[np.int8],
    half: float,
    count: int,
    priors: FloatArray,
    lean: float,
    lean_variance: float,
    theta: FloatArray,
    coefficients: FloatArray,
    factor: FloatArray,
) -> tuple[int, int, float]:
    """Fit with so many cosines, outliers taken out; a code, quotes used, their squared misses."""
    n = on.size
    p = MEAN_COLUMNS + count + 1
    V = np.empty((p, n))
    smile_columns(place, half, 0, V[:-1].reshape((1, p - 1, n)))
    V[p - 1] = seen[2]
    A, b, sums = np.empty((p, p)), np.empty(p), np.empty(3)
    lam, change, work = np.empty(p), np.empty(p), np.empty((2, p, p))
    most = n // _MOST_OUTLIERS + 1
    for out in range(most + 1):
        sums[0], sums[1], sums[2] = normal_equations(V, seen[1], seen[5], on, A, b)
        if sums[2] < LEAST_QUOTES:
            return 1, int(sums[2]), math.nan
        for i in range(3):
            theta[i] = priors[i, 0]
        _, trials = maximise(theta, priors, A, b, sums, half, lean, lean_variance)
        if trials == 0:
            return 3, int(sums[2]), math.nan
        prior_variances(theta, half, lean_variance, lam, change)
        posterior(A, b, lean, lam, theta[2], work, coefficients[:p])
        smile_factor(work[0], lam, factor[:p, :p])
        noise = math.exp(2.0 * theta[2])
        worst, furthest, misses = _worst(V, seen, noise, coefficients[:p], factor[:p, :p], on)
        if furthest <= _FURTHEST or out == most:
            break
        fates[worst], on[worst] = _OUTLIER, 0.0
    return 0, int(sums[2]), misses


@watches(columns, evidence, observations)
@njit(cache=True, error_model="numpy")
def fit_smile(
    strikes: FloatArray,
    is_call: BoolArray,
    quotes: FloatArray,
    forward: float,
    forward_error: float,
    discount: float,
    tick: float,
    lean: float,
    lean_variance: float,
    priors: FloatArray,
    fates: NDArray[np.int8],
    seen: FloatArray,
    numbers: FloatArray,
    coefficients: FloatArray,
    factor: FloatArray,
) -> tuple[int, int]:
    """Fit one chain, strikes in order; return a code of ``FIT_CODES`` and the number of columns p.

    Filled: ``fates`` ``(n,)``, ``seen`` ``(6, n)`` (x, y, z, two variances, R),
    ``coefficients`` and ``factor`` (their first p), ``numbers`` ``(9,)``: v_0, centre, half, log
    ell, log sf, log kappa, c^2, quotes used, sum of squared standardised misses.
    """
    n = strikes.size
    v0, used = observe_chain(strikes, is_call, quotes, forward, discount, tick, fates, seen)
    if used < LEAST_QUOTES:
        return 1, 0
    if one_price(strikes, is_call, quotes, forward, fates) or parity_denied(
        strikes, is_call, quotes, forward, forward_error, discount, tick, fates
    ):
        return 2, 0
    scale = spread_scale(strikes, is_call, forward, fates, seen, np.empty(n, np.int64))
    centre, half = stretch(fates, seen)
    place, on = np.empty((PLACES, n)), np.empty(n)
    smile_places(seen[0], centre, half, place)
    for i in range(n):
        on[i] = 1.0 if fates[i] == 0 else 0.0
        known = on[i] > 0.0
        seen[5, i] = scale * seen[3, i] + seen[4, i] if known else 1.0
        seen[1, i] = seen[1, i] if known else 0.0
        seen[2, i] = seen[2, i] if known else 0.0
    theta = np.empty(3)
    count = column_count(half, FIRST_LENGTH)
    code, left, misses = _fit_columns(
        place,
        seen,
        on,
        fates,
        half,
        count,
        priors,
        lean,
        lean_variance,
        theta,
        coefficients,
        factor,
    )
    if code == 0 and not resolves(count, half, math.exp(theta[0])):
        count = column_count(half, math.exp(theta[0]))
        for i in range(n):
            on[i] = 1.0 if fates[i] == _OUTLIER else on[i]
        for i in range(n):
            fates[i] = 0 if fates[i] == _OUTLIER else fates[i]
        code, left, misses = _fit_columns(
            place, seen, on, fates, half, count, priors, lean, lean_variance, theta, coefficients,
            factor,
        )  # fmt: skip
    numbers[0], numbers[1], numbers[2] = v0, centre, half
    numbers[3], numbers[4], numbers[5] = theta[0], theta[1], theta[2]
    numbers[6], numbers[7], numbers[8] = scale, left, misses
    return code, MEAN_COLUMNS + count + 1
