r"""How fast does information arrive? The clock of a probability, by maximum likelihood.

Without noise the transition of U = Phi^-1(B) is exact and normal; back in the probability it is

    log p(B_i | B_{i-1}) = log N(U_i; e^{L_i / 2} U_{i-1}, e^{L_i} - 1) - log phi(U_i),

so that likelihoods of different clocks, all densities of the same quotes, compare (AIC). With noise
the likelihood is that of the filter (:mod:`.probit_filter`); its standard deviation is given, bound
by spreads, or found with the clock. The first quote is conditioned on.

Parameters are searched in logs. Intervals are profile likelihood: the values at which twice the
log-likelihood, maximised over the rest, falls by the chi-squared quantile. Refused: fewer than
``MIN_MOVES`` moves; and a parameter whose interval reaches 0, the noise explaining all the moves:
then only its upper limit is given. (Taleb's a near 0 is the inverse root with
c2 = 1: an interval that reaches 0 there says the two cannot be told apart.)

A quote that rounds to a grid needs its ``tick``: read as exact it is a path of jumps and rests, and
its clock is that of the rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import chdtri

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.probability.clock_shapes import ClockShape, clock_shape
from eventtape.estimators.probability.log_curvature import Objective, log_sds
from eventtape.estimators.probability.probit_filter import filter_log_likelihood
from eventtape.estimators.probability.probit_quotes import Quotes, ready_quotes

__all__ = ["MIN_MOVES", "ClockFit", "ClockRanking", "compare_clocks", "fit_clock"]

MIN_MOVES = 10
_LOG_2PI = math.log(2.0 * math.pi)
_DOWN, _UP = 16.0, 8.0  # how far from the start, in logs, a parameter is looked for
_FINE = 5e-4  # to which a bound is found, in logs
_FAR = 1e10  # minus a log-likelihood no data can have


class ClockFit(NamedTuple):
    """A fitted clock: parameters ``(k,)`` with intervals, noise, likelihood, and what stands.

    - ``parameters``: a (per year), c2 (pure number), Taleb's a (per year), or a_k per piece; NaN
      where the noise explains the moves. ``se`` from the curvature; ``lower``, ``upper`` profile.
    - ``noise``: sd of a quote's error in probability; its interval where it was estimated.
    - ``log_likelihood`` of the moves, as densities of the probability; ``aic`` = 2 k - 2 log L.
    - ``statuses`` ``(k,)`` one a parameter; ``status`` the first that is not OK.
    """

    clock: str
    parameters: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    noise: float
    noise_lower: float
    noise_upper: float
    log_likelihood: float
    aic: float
    n_moves: int
    statuses: tuple[Status, ...]
    status: Status


class ClockRanking(NamedTuple):
    """Fits in the order of their AIC, best first, and Akaike weights ``(n_clocks,)``."""

    fits: tuple[ClockFit, ...]
    weights: FloatArray


def fit_clock(
    times: IntArray,
    probabilities: FloatArray,
    *,
    clock: str = "constant",
    noise: float | FloatArray | str | None = None,
    spreads: FloatArray | None = None,
    tick: float = 0.0,
    end: int | None = None,
    breaks: IntArray | None = None,
    level: float = 0.95,
) -> ClockFit:
    """Maximum-likelihood information clock of quotes ``(n,)``: per year of 365 days, or pure.

    Parameters
    ----------
    times, probabilities
        ns, and quotes in (0, 1).
    clock
        ``constant``, ``inverse root``, ``taleb`` (both need ``end``, ns), or ``piecewise``
        (between ``breaks``, ns).
    noise
        sd of a quote's error in probability, one or ``(n,)``; ``"estimate"``; nothing, with no
        spreads and no tick, means quotes without error.
    """
    check_level(level)
    estimate = isinstance(noise, str)
    if estimate and noise != "estimate":
        raise InputError("noise in probability, or 'estimate'", met=noise)
    if estimate and spreads is not None:
        raise InputError("noise or spreads, not both", met="both")
    given = None if isinstance(noise, str) else noise
    quotes = ready_quotes(times, probabilities, noise=given, spreads=spreads, tick=tick)
    n = quotes.times.size - 1
    if n < 1:
        return _no_fit(clock, 1, n, Status.TOO_FEW)
    shape = clock_shape(clock, quotes.times, end=end, breaks=breaks)
    if n < MIN_MOVES * shape.size:
        return _no_fit(clock, shape.size, n, Status.TOO_FEW)
    moves = np.diff(quotes.probit)
    if quotes.times[0] == quotes.times[-1] or not np.any(moves != 0.0):
        return _no_fit(clock, shape.size, n, Status.NOT_IDENTIFIED)
    exact = not estimate and not np.any(quotes.noise > 0.0)
    if not exact and not estimate and not np.all(quotes.noise > 0.0):
        raise InputError("noise above 0 at every quote, or at none", met=0.0)
    objective = _exact(quotes, shape) if exact else _filtered(quotes, shape, estimate)
    first = _start(quotes, shape, estimate)
    return _maximised(objective, first, quotes, shape, estimate, level)


def compare_clocks(
    times: IntArray,
    probabilities: FloatArray,
    clocks: Sequence[str] = ("constant", "inverse root", "taleb"),
    *,
    noise: float | FloatArray | str | None = None,
    spreads: FloatArray | None = None,
    tick: float = 0.0,
    end: int | None = None,
    breaks: IntArray | None = None,
) -> ClockRanking:
    """The clocks fitted to the same quotes, best AIC first, with Akaike weights (they sum to 1)."""
    fits = [
        fit_clock(
            times,
            probabilities,
            clock=clock,
            noise=noise,
            spreads=spreads,
            tick=tick,
            end=end,
            breaks=breaks,
        )
        for clock in clocks
    ]
    fits.sort(key=lambda fit: (math.isnan(fit.aic), fit.aic))
    aic = np.array([fit.aic for fit in fits])
    weights = np.exp(-0.5 * (aic - aic[0]))
    return ClockRanking(tuple(fits), weights / np.nansum(weights))


def _exact(quotes: Quotes, shape: ClockShape) -> Objective:
    """Minus the log-likelihood of moves without noise, as a function of log parameters."""
    U, dt = quotes.probit, np.diff(quotes.times)
    still = (dt == 0) & (np.diff(U) == 0.0)  # a quote said twice
    if np.any((dt == 0) & ~still):
        raise InputError("one quote a time, or a noise", met=int(np.sum((dt == 0) & ~still)))
    keep = ~still
    before, after = U[:-1][keep], U[1:][keep]
    jacobian = 0.5 * float(after @ after) + 0.5 * after.size * _LOG_2PI

    def objective(x: FloatArray) -> float:
        L = shape.increments(np.exp(x))[keep]
        if not np.all((L > 0.0) & (L < 300.0)):
            return _FAR
        v = np.expm1(L)
        e = after - np.exp(0.5 * L) * before
        return float(0.5 * np.sum(np.log(v) + _LOG_2PI + e * e / v) - jacobian)

    return objective


def _filtered(quotes: Quotes, shape: ClockShape, estimate: bool) -> Objective:
    """Minus the filter's log-likelihood; the last of the logs is the noise sd where estimated."""
    floor = quotes.noise

    def objective(x: FloatArray) -> float:
        L = shape.increments(np.exp(x[: shape.size]))
        if not np.sum(L) < 300.0:
            return _FAR
        now = quotes
        if estimate:
            now = quotes._replace(noise=np.maximum(math.exp(x[-1]), floor))
        return -filter_log_likelihood(now, L)

    return objective


def _start(quotes: Quotes, shape: ClockShape, estimate: bool) -> FloatArray:
    """Where the search starts: the realised variance of U, and the noise of serial covariance."""
    moves = np.diff(quotes.probit)
    first = np.log(shape.scale(float(moves @ moves)))
    if not estimate:
        return first
    dy = np.diff(quotes.y)
    r2 = max(-float(np.mean(dy[1:] * dy[:-1])), 0.05 * float(np.mean(dy * dy)))
    return np.append(first, 0.5 * math.log(r2))


def _maximised(
    objective: Objective,
    first: FloatArray,
    quotes: Quotes,
    shape: ClockShape,
    estimate: bool,
    level: float,
) -> ClockFit:
    k, n = shape.size, quotes.times.size - 1
    low, high = first - _DOWN, first + _UP
    best, value = _minimum(objective, first, low, high)
    if not value < _FAR:
        return _no_fit(shape.clock, k, n, Status.NO_CONVERGENCE)
    cut = 0.5 * float(chdtri(1, 1.0 - level))
    bounds = np.empty((best.size, 2))
    for j in range(best.size):
        profile = _profile(objective, best, j, low, high)
        for way, limit in ((0, low[j]), (1, high[j])):
            bounds[j, way] = _crossing(profile, float(best[j]), float(limit), value + cut)
    theta = np.exp(best)
    sd = log_sds(objective, best)
    at_zero = bounds[:k, 0] <= low[:k]
    unbounded = bounds[:k, 1] >= high[:k]
    statuses = tuple(
        Status.NOT_IDENTIFIED if a or b else Status.OK
        for a, b in zip(at_zero, unbounded, strict=True)
    )
    bad = at_zero | unbounded
    r, r_low, r_high = float(np.mean(quotes.noise)), math.nan, math.nan
    if estimate:
        r = float(np.mean(np.maximum(theta[-1], quotes.noise)))
        r_low = 0.0 if bounds[-1, 0] <= low[-1] else math.exp(bounds[-1, 0])
        r_high = math.exp(bounds[-1, 1])
    return ClockFit(
        shape.clock,
        np.where(bad, math.nan, theta[:k]),
        np.where(bad, math.nan, theta[:k] * sd[:k]),
        np.where(at_zero, 0.0, np.exp(bounds[:k, 0])),
        np.where(unbounded, math.inf, np.exp(bounds[:k, 1])),
        r,
        r_low,
        r_high,
        -value,
        2.0 * best.size + 2.0 * value,
        n,
        statuses,
        Status.NOT_IDENTIFIED if np.any(bad) else Status.OK,
    )


def _minimum(
    objective: Objective, first: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, float]:
    """The minimiser within the box: Brent after a scan for one parameter, quasi-Newton for more."""
    if first.size == 1:
        grid = np.linspace(low[0], high[0], 25)
        values = [objective(np.array([x])) for x in grid]
        at = int(np.argmin(values))
        near = (grid[max(at - 1, 0)], grid[min(at + 1, grid.size - 1)])
        line = minimize_scalar(
            lambda x: objective(np.array([x])),
            bounds=near,
            method="bounded",
            options={"xatol": 1e-7},
        )
        return np.array([line.x]), float(line.fun)
    box = list(zip(low.tolist(), high.tolist(), strict=True))
    best, value = first, objective(first)
    for shift in (0.0, -1.5, -3.0):  # noise in the realised variance puts the start too high
        found = minimize(
            objective, np.clip(first + shift, low, high), method="L-BFGS-B", bounds=box
        )
        if found.fun < value:
            best, value = np.asarray(found.x, np.float64), float(found.fun)
    return best, value


def _profile(
    objective: Objective, best: FloatArray, j: int, low: FloatArray, high: FloatArray
) -> Callable[[float], float]:
    """The objective with parameter j held and the others at their best."""
    rest = np.arange(best.size) != j
    warm = best.copy()

    def at(value: float) -> float:
        nonlocal warm
        x = warm.copy()
        x[j] = value
        if best.size == 1:
            return objective(x)

        def inner(others: FloatArray) -> float:
            x[rest] = others
            return objective(x)

        if best.size == 2:  # quasi-Newton with differences may stop short, and the interval with it
            k = 1 - j
            near = (max(warm[k] - 2.0, low[k]), min(warm[k] + 2.0, high[k]))
            line = minimize_scalar(inner, bounds=near, method="bounded", options={"xatol": 1e-3})
            warm[k] = line.x
            return float(line.fun)
        box = list(zip(low[rest].tolist(), high[rest].tolist(), strict=True))
        found = minimize(inner, warm[rest], method="L-BFGS-B", bounds=box)
        warm = x.copy()
        warm[rest] = found.x
        return float(found.fun)

    return at


def _crossing(profile: Callable[[float], float], best: float, limit: float, target: float) -> float:
    """Where the profile rises to the target between the best and the limit, else the limit."""
    way = math.copysign(1.0, limit - best)
    near, step = best, 0.25
    while abs(near - limit) > 1e-9:
        far = near + way * min(step, abs(limit - near))
        if profile(far) > target:
            while abs(far - near) > _FINE:
                middle = 0.5 * (near + far)
                if profile(middle) > target:
                    far = middle
                else:
                    near = middle
            return 0.5 * (near + far)
        near, step = far, 2.0 * step
    return limit


def _no_fit(clock: str, k: int, n: int, status: Status) -> ClockFit:
    blank, nan = np.full(k, math.nan), math.nan
    return ClockFit(
        clock, blank, blank, blank, blank, nan, nan, nan, nan, nan, max(n, 0), (status,) * k, status
    )
