r"""What is the probability behind quotes that are noisy, irregular and cut off by the tick?

Model, with B the probability, U = Phi^-1(B) and L_i the information that arrives between quotes::

    U_i = e^{L_i / 2} U_{i-1} + sqrt(e^{L_i} - 1) Z_i        exact, whatever the clock
    y_i = Phi(U_i) + e_i,   e_i ~ N(0, r_i^2)                or a bound on it, on an outer tick

L_i = nu^2 (t_i - t_{i-1}) with ``nu2`` per year, or any clock's increments. The state moves
linearly, so that only the quote needs an approximation:

- ``unscented``: the law of U is kept normal; sigma points at the posterior (:mod:`.probit_kernel`);
  among quotes on an outer tick that law is skew, and 95% bands there cover 90 to 93%;
- ``particle``: the law of U is a cloud moved by the exact transition and resampled systematically
  at every quote (Gordon, Salmond and Smith 1993; Kitagawa 1996): no approximation but its size.

Before the first quote B is uniform on (0, 1), which is U ~ N(0, 1); the log-likelihood is that of
the quotes after the first. In the gauge the mean of B is Phi(m / sqrt(1 + P)), and it does not move
between quotes: the filtered B is a martingale by construction. Bands for B are those of U, mapped.

:func:`start` and :func:`step` are the unscented filter one quote at a time, bit for bit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from eventtape.arrays import FloatArray, IntArray, check_level
from eventtape.errors import InputError
from eventtape.estimators.probability.probit_kernel import predicted_quote, run_filter, update
from eventtape.estimators.probability.probit_particles import run_particles
from eventtape.estimators.probability.probit_quotes import (
    Quotes,
    ready_quotes,
    years_between,
)

__all__ = [
    "ProbitFiltered",
    "ProbitQuote",
    "ProbitState",
    "clock_of",
    "filter_log_likelihood",
    "probit_filter",
    "start",
    "step",
]


class ProbitState(NamedTuple):
    """Where the filter stands: time (ns), mean and variance of U, each ``(1,)``."""

    ts: IntArray
    mean: FloatArray
    variance: FloatArray


class ProbitQuote(NamedTuple):
    """What the filter says on one quote; the fields are those of :class:`ProbitFiltered`."""

    mean: float
    sd: float
    probability: float
    probability_sd: float
    lower: float
    upper: float
    predicted_mean: float
    predicted_sd: float
    predicted_probability: float
    innovation: float
    z: float
    log_density: float


class ProbitFiltered(NamedTuple):
    """The filter over a history, arrays ``(n,)``; on an outer tick the innovation is NaN.

    - ``mean``, ``sd``: of U after the quote; ``predicted_mean``, ``predicted_sd``: before it.
    - ``probability``, ``probability_sd``: mean and sd of B after the quote; ``lower``, ``upper``:
      its band; ``predicted_probability``: its mean before the quote.
    - ``innovation``: quote less predicted probability; ``z``: over its sd, noise included.
    - ``log_likelihood``: of the quotes after the first, as densities of the probability.
    """

    mean: FloatArray
    sd: FloatArray
    probability: FloatArray
    probability_sd: FloatArray
    lower: FloatArray
    upper: FloatArray
    predicted_mean: FloatArray
    predicted_sd: FloatArray
    predicted_probability: FloatArray
    innovation: FloatArray
    z: FloatArray
    log_likelihood: float


def probit_filter(
    times: IntArray,
    probabilities: FloatArray,
    *,
    nu2: float | None = None,
    clock: FloatArray | None = None,
    noise: float | FloatArray | None = None,
    spreads: FloatArray | None = None,
    tick: float = 0.0,
    method: str = "unscented",
    particles: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> ProbitFiltered:
    """Filtered and predicted probability of noisy quotes, with band, and the log-likelihood.

    Parameters
    ----------
    times, probabilities
        ``(n,)``, ns and quotes in (0, 1); with a tick, 0 and 1 are met too.
    nu2, clock
        one of them: information per year, or that between quotes ``(n - 1,)``.
    noise, spreads, tick
        noise sd of a quote in probability, or bid-ask spreads, and the price
        grid (:mod:`.probit_quotes`); some noise there must be.
    method
        ``unscented`` or ``particle`` (``particles`` of them, from ``seed``).
    """
    check_level(level)
    quotes = ready_quotes(times, probabilities, noise=noise, spreads=spreads, tick=tick)
    _check_noise(quotes)
    L = np.r_[0.0, clock_of(quotes.times, nu2, clock)]
    z = float(ndtri(0.5 + 0.5 * level))
    if method == "particle":
        return _by_particles(quotes, L, particles, seed, level)
    if method != "unscented":
        raise InputError("method 'unscented' or 'particle'", met=method)
    answers = np.empty((4, L.size))
    total = run_filter(quotes.y, quotes.side, quotes.noise, quotes.probit, L, answers)
    m, P = answers[2], answers[3]
    sd = np.sqrt(P)
    before = _moments(answers[0], answers[1])
    after = _moments(m, P)
    innovation, score = _innovation(quotes, *before)
    return ProbitFiltered(
        m,
        sd,
        after[0],
        np.sqrt(after[1]),
        ndtr(m - z * sd),
        ndtr(m + z * sd),
        answers[0],
        np.sqrt(answers[1]),
        before[0],
        innovation,
        score,
        float(total),
    )


def filter_log_likelihood(quotes: Quotes, clock: FloatArray) -> float:
    """Log-likelihood of checked quotes after the first, given the information between them."""
    none = np.empty((4, 0))
    L = np.r_[0.0, clock]
    return float(run_filter(quotes.y, quotes.side, quotes.noise, quotes.probit, L, none))


def start(
    ts: int, y: float, *, noise: float | None = None, tick: float = 0.0, level: float = 0.95
) -> tuple[ProbitState, ProbitQuote]:
    """The state after the first quote ``y`` at ``ts`` (ns), and what the filter says of it."""
    return _take(0.0, 1.0, ts, y, noise, tick, level)


def step(
    state: ProbitState,
    ts: int,
    y: float,
    *,
    information: float,
    noise: float | None = None,
    tick: float = 0.0,
    level: float = 0.95,
) -> tuple[ProbitState, ProbitQuote]:
    """The state and answer after one more quote, ``information`` after the last, bit for bit."""
    if ts < int(state.ts[0]):
        raise InputError("a time not before the last quote", met=ts, column="ts")
    if not (math.isfinite(information) and information >= 0.0):
        raise InputError("information of 0 or more", met=information)
    m = math.exp(0.5 * information) * state.mean[0]
    P = math.exp(information) * state.variance[0] + math.expm1(information)
    return _take(float(m), float(P), ts, y, noise, tick, level)


def clock_of(times: IntArray, nu2: float | None, clock: FloatArray | None) -> FloatArray:
    """The information between quotes ``(n - 1,)``, from ``nu2`` per year or as given."""
    if (nu2 is None) == (clock is None):
        raise InputError("one of nu2 and clock", met="none" if nu2 is None else "both")
    if nu2 is not None:
        if not (math.isfinite(nu2) and nu2 >= 0.0):
            raise InputError("information per year nu2 >= 0", met=nu2)
        return nu2 * years_between(times)
    L = np.ascontiguousarray(clock, np.float64)
    if L.shape != (times.size - 1,):
        raise InputError(f"information between quotes, shape ({times.size - 1},)", met=L.shape)
    bad = np.flatnonzero(~(np.isfinite(L) & (L >= 0.0)))
    if bad.size:
        raise InputError("information of 0 or more", met=float(L[bad[0]]), row=int(bad[0]) + 1)
    return L


def _take(
    m: float, P: float, ts: int, y: float, noise: float | None, tick: float, level: float
) -> tuple[ProbitState, ProbitQuote]:
    check_level(level)
    quotes = ready_quotes(np.array([ts]), np.array([float(y)]), noise=noise, tick=tick)
    _check_noise(quotes)
    after_m, after_P, gain = update(
        m, P, quotes.y[0], quotes.side[0], quotes.noise[0], quotes.probit[0]
    )
    z, sd = float(ndtri(0.5 + 0.5 * level)), math.sqrt(after_P)
    before, after = predicted_quote(m, P), predicted_quote(after_m, after_P)
    innovation, score = _innovation(quotes, np.array([before[0]]), np.array([before[1]]))
    answer = ProbitQuote(
        after_m,
        sd,
        after[0],
        math.sqrt(after[1]),
        float(ndtr(after_m - z * sd)),
        float(ndtr(after_m + z * sd)),
        m,
        math.sqrt(P),
        before[0],
        float(innovation[0]),
        float(score[0]),
        gain,
    )
    return ProbitState(np.array([ts]), np.array([after_m]), np.array([after_P])), answer


def _by_particles(
    quotes: Quotes, L: FloatArray, count: int, seed: int, level: float
) -> ProbitFiltered:
    if count < 100:
        raise InputError("100 particles or more", met=count)
    cloud = run_particles(quotes, L, count, seed, level)
    innovation, score = _innovation(quotes, cloud.predicted_probability, cloud.predicted_variance)
    return ProbitFiltered(
        cloud.mean,
        cloud.sd,
        cloud.probability,
        cloud.probability_sd,
        cloud.lower,
        cloud.upper,
        cloud.predicted_mean,
        cloud.predicted_sd,
        cloud.predicted_probability,
        innovation,
        score,
        cloud.log_likelihood,
    )


def _moments(m: FloatArray, P: FloatArray) -> tuple[FloatArray, FloatArray]:
    both = np.array([predicted_quote(a, b) for a, b in zip(m.tolist(), P.tolist(), strict=True)])
    return both[:, 0], both[:, 1]


def _innovation(
    quotes: Quotes, predicted: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    v = np.where(quotes.side == 0, quotes.y - predicted, math.nan)
    return v, v / np.sqrt(variance + quotes.noise**2)


def _check_noise(quotes: Quotes) -> None:
    if not np.all(quotes.noise > 0.0):
        raise InputError("noise, spreads or a tick above 0 at every quote", met=0.0)
