"""About where is the exercise boundary of an American put? The QD+ approximation.

The early-exercise premium is taken as a power of spot whose exponent moves slowly with time and
spot; smooth contact with 1 - S is then one equation for S at each time (Li, Rev. Derivatives
Research 13, 2010; the notation of Andersen, Lake and Offengenden 2016). Within about 1%: the start
of the exact equations, for put with K = 1.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.pricing import normal
from eventtape.estimators.pricing.normal import exp_, log_, mills_ratio

__all__ = ["qd_plus"]

_PHI0 = 0.3989422804014327  # 1 / sqrt(2 pi)


@watches(normal)
@njit(cache=True, error_model="numpy")
def qd_plus(
    times: FloatArray, rate: float, dividend_yield: float, vol: float, rounds: int, out: FloatArray
) -> None:
    """Write log(B / X) <= 0 of the QD+ approximation at each time, after that many Newton steps.

    Nothing is promised about convergence: it is where the exact equations start.
    """
    r, q = rate, dividend_yield
    X = min(1.0, r / q) if q > 0.0 else 1.0
    variance = vol * vol
    n = times.size
    growth, payout, deviation = np.empty(n), np.empty(n), np.empty(n)
    slope, level = np.empty(n), np.empty(n)
    omega = 2.0 * (r - q) / variance
    power = 0.5 * (1.0 - omega - math.sqrt((omega - 1.0) ** 2 + 8.0 * r / variance))
    lowest = min(power / (power - 1.0), X)  # the boundary of a put that never expires
    room = 1.0 - lowest
    for k in range(n):
        t = times[k]
        growth[k] = math.exp(-r * t)
        payout[k] = math.exp(-q * t)
        deviation[k] = vol * math.sqrt(t)
        per_year = -r / math.expm1(-r * t) if r * t > 1e-12 else 1.0 / t
        root = math.sqrt((omega - 1.0) ** 2 + 8.0 * per_year / variance)
        lam = 0.5 * (1.0 - omega - root)
        bend = 2.0 * per_year * per_year / (variance * root) / (2.0 * lam + omega - 1.0)
        slope[k] = 2.0 / (variance * (2.0 * lam + omega - 1.0))  # alpha e^{r tau}
        level[k] = slope[k] * growth[k] * (per_year + bend) - lam
        # Between the two ends as Barone-Adesi and Whaley start, or lower if short times say so
        h = ((r - q) * t - 2.0 * deviation[k]) / room if room > 0.0 else 0.0
        start = lowest + (X - lowest) * math.exp(min(h, 0.0))
        if r >= q and r > 0.0:
            short = -2.0 * math.log(4.0 * math.sqrt(math.pi) * r * t)
            if r > q:
                gap = r - q
                short = min(short, math.log(variance / (8.0 * math.pi * t * gap * gap)))
            start = min(start, math.exp(-deviation[k] * math.sqrt(max(short, 0.0))))
        out[k] = max(start, lowest)
    for _ in range(rounds):
        for k in range(n):
            S, v = out[k], deviation[k]
            up = (log_(S) + log_(payout[k] / growth[k])) / v + 0.5 * v
            down = up - v
            bell = payout[k] * _PHI0 * exp_(-0.5 * up * up)  # e^{-q tau} phi(d+)
            put_up, put_down = mills_ratio(abs(up)) * bell, mills_ratio(abs(down)) * bell * S
            put_up = put_up if up > 0.0 else payout[k] - put_up  # e^{-q tau} Phi(-d+)
            put_down = put_down if down > 0.0 else growth[k] - put_down  # e^{-r tau} Phi(-d-)
            half = 0.5 * variance / v
            theta = r * put_down - q * S * put_up - half * S * bell
            f = (1.0 - put_up) * S - level[k] * (1.0 - S - put_down + S * put_up)
            f += slope[k] * theta
            df = 1.0 - put_up + bell / v + level[k] * (1.0 - put_up)
            df += slope[k] * (bell * ((q - r) / v - half * (1.0 - up / v)) - q * put_up)
            new = S - f / df
            # Selects, not min and max: they vectorise
            new = new if new > 0.5 * S else 0.5 * S  # noqa: FURB136
            out[k] = new if new < 0.5 * (S + X) else 0.5 * (S + X)  # noqa: FURB136
    for k in range(n):
        out[k] = math.log(max(out[k], lowest) / X)
