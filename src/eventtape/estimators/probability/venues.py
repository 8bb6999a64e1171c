r"""One event, several venues: what do they jointly say, and how far is each from the others?

Venue v quotes y = Phi(U + w_v) + e, e ~ N(0, r_v^2), at its own times: U is the event's, w_v the
venue's wedge in the probit gauge (fees, financing, who is allowed to trade), constant or a slow
random walk, and r_v its noise. One state (U, w) is filtered over all quotes in the order of time
(:mod:`.venues_kernel`).

The level of the wedges is not identified: a shift of U and the opposite shift of every w_v make the
same quotes. Two readings are offered: w = 0 at a ``reference`` venue, or wedges that sum to zero,
which makes U the venues' average view. A wedge that all venues share is in U under both, and no
interval given here includes it.

A venue that has not quoted for long is discounted by the clock: what it said of U is old news, what
it said of its wedge stays. A venue that repeats its last quote as if it were new should be passed
with its changes only. Noise is given a venue, or found by maximum likelihood with the clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import ndtr, ndtri

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.probability.log_curvature import log_sds
from eventtape.estimators.probability.probit_filter import clock_of
from eventtape.estimators.probability.probit_kernel import predicted_quote
from eventtape.estimators.probability.probit_quotes import YEAR_NS, Quotes, ready_quotes
from eventtape.estimators.probability.venues_kernel import run_venues
from eventtape.estimators.states.identification import CONTRACTION

__all__ = ["MIN_QUOTES", "Venues", "join_venues"]

MIN_QUOTES = 10  # of a venue, to find its noise
_NO_PARABOLA = 0.5  # sd of a log noise above which its likelihood is flat below
_LOG_NOISE = (math.log(1e-5), math.log(0.3))


class Venues(NamedTuple):
    """The joint probability after each quote ``(n,)``, and what is known of each venue ``(V,)``.

    - ``times`` ns, ``venue`` who quoted; ``mean``, ``sd`` of U; ``probability`` the mean of B,
      ``lower``, ``upper`` its band.
    - ``wedge`` in the probit gauge (above 0: the venue is above), at the last time, with ``sd`` and
      interval; relative to the reference or to the average. The reference's own is exactly 0.
    - ``noise`` sd of a quote's error in probability; interval where it was estimated, else NaN.
      Near the floor the likelihood is flat: the ends are where it has fallen as far, the rest held.
    - ``weights``: share of the last probability that comes from each venue's quotes.
    - ``nu2`` per year: given or estimated (NaN where a clock was given); its interval.
    - ``common_wedge`` is always ``not identified``. ``statuses`` one a venue: ``not identified``
      where the wedge's sd is over half its prior's.
    """

    times: IntArray
    venue: IntArray
    mean: FloatArray
    sd: FloatArray
    probability: FloatArray
    lower: FloatArray
    upper: FloatArray
    wedge: FloatArray
    wedge_sd: FloatArray
    wedge_lower: FloatArray
    wedge_upper: FloatArray
    noise: FloatArray
    noise_lower: FloatArray
    noise_upper: FloatArray
    weights: FloatArray
    nu2: float
    nu2_lower: float
    nu2_upper: float
    log_likelihood: float
    common_wedge: Status
    statuses: tuple[Status, ...]
    status: Status


class _Tape(NamedTuple):
    """All quotes in the order of time, who said them, and the law of the wedges before any."""

    quotes: Quotes
    venue: IntArray
    years: FloatArray  # (n,) since the quote before
    clock: FloatArray | None  # (n,) information since the quote before, where given
    shape: FloatArray  # (V, V): covariance of the wedges in units of their variance
    prior: float  # sd
    walk: float  # variance per year


class _Found(NamedTuple):
    """Noise and log nu2 with their log sds, and whether the search ended."""

    noise: FloatArray
    noise_sd: FloatArray
    nu2: float
    nu2_sd: float
    found: bool


def join_venues(
    times: Sequence[IntArray],
    probabilities: Sequence[FloatArray],
    *,
    nu2: float | None = None,
    clock: FloatArray | None = None,
    noise: Sequence[float] | None = None,
    tick: Sequence[float] | float = 0.0,
    reference: int | None = None,
    wedge_prior: float = 0.25,
    wedge_walk: float = 0.0,
    level: float = 0.95,
) -> Venues:
    """The joint filtered probability of V venues, and each venue's wedge, noise and weight.

    Parameters
    ----------
    times, probabilities
        V arrays each, ns and quotes, any lengths and times.
    nu2, clock
        information per year, or between successive quotes of the merged tape (ties in the
        order of the venues); with neither, a constant nu2 is estimated.
    noise
        sd of each venue's quote error in probability; nothing: estimated.
    tick
        price grid, one for all or one a venue.
    reference
        the venue whose wedge is 0; nothing: wedges sum to 0.
    wedge_prior
        sd of a wedge before any quote (0.25 is 10 points of probability at one half).
    wedge_walk
        variance a wedge gains per year; 0: constant.
    """
    check_level(level)
    tape = _tape(times, probabilities, clock, noise, tick, reference, wedge_prior, wedge_walk)
    V = tape.shape.shape[0]
    counts = np.bincount(tape.venue, minlength=V)
    if (noise is None and np.any(counts < MIN_QUOTES)) or np.any(counts == 0):
        return _no_venues(tape, Status.TOO_FEW)
    if nu2 is not None:
        clock_of(tape.quotes.times, nu2, clock)  # says what is wrong with them, if anything is
    found = _search(tape, nu2, noise is None)
    if not found.found:
        return _no_venues(tape, Status.NO_CONVERGENCE)
    return _answer(tape, found, float(ndtri(0.5 + 0.5 * level)))


def _tape(
    times: Sequence[IntArray],
    probabilities: Sequence[FloatArray],
    clock: FloatArray | None,
    noise: Sequence[float] | None,
    tick: Sequence[float] | float,
    reference: int | None,
    prior: float,
    walk: float,
) -> _Tape:
    V = len(times)
    if V < 2 or len(probabilities) != V:
        raise InputError("times and quotes of 2 venues or more", met=(V, len(probabilities)))
    if not (math.isfinite(prior) and prior > 0.0 and math.isfinite(walk) and walk >= 0.0):
        raise InputError("a wedge's prior sd above 0 and a walk of 0 or more", met=(prior, walk))
    if reference is not None and not 0 <= reference < V:
        raise InputError(f"a reference venue from 0 to {V - 1}", met=reference)
    ticks = np.broadcast_to(np.asarray(tick, np.float64), (V,))
    if noise is not None and (len(noise) != V or not all(r > 0.0 for r in noise)):
        raise InputError(f"{V} noise sds above 0", met=list(noise))
    given = [
        ready_quotes(
            times[v], probabilities[v], noise=None if noise is None else noise[v], tick=ticks[v]
        )
        for v in range(V)
    ]
    venue = np.repeat(np.arange(V), [q.times.size for q in given])
    order = np.argsort(np.concatenate([q.times for q in given]), kind="stable")
    quotes = Quotes(
        np.concatenate([q.times for q in given])[order],
        np.concatenate([q.y for q in given])[order],
        np.concatenate([q.side for q in given])[order],
        np.concatenate([q.noise for q in given])[order],
        np.concatenate([q.probit for q in given])[order],
    )
    L = None if clock is None else np.r_[0.0, clock_of(quotes.times, None, clock)]
    if reference is None:
        shape = (np.eye(V) - 1.0 / V) * V / (V - 1.0)  # each wedge has the prior's variance
    else:
        shape = np.eye(V)
        shape[reference, reference] = 0.0
    years = np.diff(quotes.times, prepend=quotes.times[0]) / YEAR_NS
    return _Tape(quotes, venue[order], years, L, shape, prior, walk)


def _run(
    tape: _Tape, nu2: float, noise: FloatArray | None, answers: FloatArray
) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    V = tape.shape.shape[0]
    q = tape.quotes
    r = q.noise if noise is None else np.maximum(noise[tape.venue], q.noise)
    L = tape.clock if tape.clock is not None else nu2 * tape.years
    drift = np.empty((0, V, V))
    if tape.walk > 0.0:
        drift = (tape.walk * tape.years)[:, None, None] * tape.shape
    m, P, weights = np.zeros(V + 1), np.zeros((V + 1, V + 1)), np.zeros(V)
    P[0, 0] = 1.0
    P[1:, 1:] = tape.prior**2 * tape.shape
    total = run_venues(tape.venue, q.y, q.side, r, q.probit, L, drift, m, P, weights, answers)
    return float(total), m, P, weights


def _search(tape: _Tape, nu2: float | None, estimate_noise: bool) -> _Found:
    """Maximum likelihood of what was not given: log noise of each venue, log nu2."""
    V = tape.shape.shape[0]
    estimate_nu2 = nu2 is None and tape.clock is None
    given = np.array([float(np.mean(tape.quotes.noise[tape.venue == v])) for v in range(V)])
    fixed = math.nan if nu2 is None else nu2
    k = V * estimate_noise + estimate_nu2
    if k == 0:
        return _Found(given, np.full(V, math.nan), fixed, math.nan, True)
    none = np.empty((4, 0))

    def parts(x: FloatArray) -> tuple[FloatArray | None, float]:
        noise = np.exp(x[:V]) if estimate_noise else None
        return noise, float(math.exp(x[-1])) if estimate_nu2 else fixed

    def objective(x: FloatArray) -> float:
        noise, rate = parts(x)
        return -_run(tape, rate, noise, none)[0]

    first, box = _first(tape, estimate_noise, estimate_nu2)
    found = minimize(objective, first, method="L-BFGS-B", bounds=box)
    x = np.asarray(found.x, np.float64)
    sd = log_sds(objective, x, 2e-3)
    noise, rate = parts(x)
    return _Found(
        given if noise is None else np.maximum(noise, given),
        sd[:V] if estimate_noise else np.full(V, math.nan),
        rate,
        float(sd[-1]) if estimate_nu2 else math.nan,
        bool(np.isfinite(found.fun)) and bool(np.all(np.isfinite(sd))),
    )


def _first(
    tape: _Tape, estimate_noise: bool, estimate_nu2: bool
) -> tuple[FloatArray, list[tuple[float, float]]]:
    """Where the search starts: serial covariance for noise, the least restless venue for nu2."""
    x, rates = [], []
    for v in range(tape.shape.shape[0]):
        mine = tape.venue == v
        dy, du = np.diff(tape.quotes.y[mine]), np.diff(tape.quotes.probit[mine])
        span = float(np.ptp(tape.quotes.times[mine])) / YEAR_NS
        rates.append(float(du @ du) / max(span, 1e-9))
        r2 = max(-float(np.mean(dy[1:] * dy[:-1])), 0.1 * float(np.mean(dy * dy)), 1e-8)
        x.append(min(max(0.5 * math.log(r2), _LOG_NOISE[0]), _LOG_NOISE[1]))
    box = [_LOG_NOISE] * len(x)
    if not estimate_noise:
        x, box = [], []
    if estimate_nu2:
        rate = math.log(max(0.5 * min(rates), 1e-6))
        x.append(rate)
        box.append((rate - 12.0, rate + 6.0))
    return np.array(x), box


def _answer(tape: _Tape, found: _Found, z: float) -> Venues:
    answers = np.empty((4, tape.venue.size))
    total, m, P, weights = _run(tape, found.nu2, found.noise, answers)
    mean, sd = answers[0], np.sqrt(answers[1])
    both = zip(mean.tolist(), answers[1].tolist(), strict=True)
    wedge, wedge_sd = m[1:], np.sqrt(np.maximum(np.diag(P)[1:], 0.0))
    known = wedge_sd <= (1.0 - CONTRACTION) * tape.prior
    statuses = tuple(Status.OK if ok else Status.NOT_IDENTIFIED for ok in known)
    wedge = np.where(known, wedge, math.nan)
    limits = np.array([_noise_limits(tape, found, total, v, z) for v in range(wedge.size)])
    return Venues(
        tape.quotes.times,
        tape.venue,
        mean,
        sd,
        np.array([predicted_quote(a, b)[0] for a, b in both]),
        ndtr(mean - z * sd),
        ndtr(mean + z * sd),
        wedge,
        wedge_sd,
        wedge - z * wedge_sd,
        wedge + z * wedge_sd,
        found.noise,
        limits[:, 0],
        limits[:, 1],
        weights,
        found.nu2,
        found.nu2 * math.exp(-z * found.nu2_sd),
        found.nu2 * math.exp(z * found.nu2_sd),
        total,
        Status.NOT_IDENTIFIED,
        statuses,
        Status.OK if np.all(known) else Status.NOT_IDENTIFIED,
    )


def _noise_limits(tape: _Tape, found: _Found, best: float, v: int, z: float) -> tuple[float, float]:
    """A noise's interval: of its log sd; near the floor, where that is none, by likelihood."""
    r, sd = float(found.noise[v]), float(found.noise_sd[v])
    if not sd > _NO_PARABOLA:
        return r * math.exp(-z * sd), r * math.exp(z * sd)

    def above(log_noise: float) -> float:
        noise = found.noise.copy()
        noise[v] = math.exp(log_noise)
        answers = np.empty((4, 0))
        return _run(tape, found.nu2, noise, answers)[0] - best + 0.5 * z * z

    ends = [
        end if above(end) >= 0.0 else float(brentq(above, math.log(r), end, xtol=1e-3))
        for end in (min(_LOG_NOISE[0], math.log(r)), max(_LOG_NOISE[1], math.log(r)))
    ]
    least = float(np.min(tape.quotes.noise[tape.venue == v]))  # of a tick
    return max(math.exp(ends[0]), least), math.exp(ends[1])


def _no_venues(tape: _Tape, status: Status) -> Venues:
    n, V, nan = tape.venue.size, tape.shape.shape[0], math.nan
    path, each = np.full(n, nan), np.full(V, nan)
    return Venues(
        tape.quotes.times,
        tape.venue,
        *(path,) * 5,
        *(each,) * 8,
        nan,
        nan,
        nan,
        nan,
        Status.NOT_IDENTIFIED,
        (status,) * V,
        status,
    )
