r"""Quotes of a probability made ready for the probit gauge: checks, noise, outer ticks, time.

Noise r is the standard deviation of the whole error of a quote, rounding included: given, one for
all or one a quote; or from spreads, the truth being anywhere between bid and ask, so that
r = spread / sqrt(12); and never below that of the grid, tick / sqrt(12).

Exchanges quote no lower than one tick and no higher than one minus it. A quote there is not a value
but a bound: below 1.5 ticks, above 1 - 1.5 ticks.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError

__all__ = ["YEAR_NS", "Quotes", "quote_noise", "ready_quotes", "years_between"]

YEAR_NS = 365 * 86_400 * 10**9
_ROOT_12 = math.sqrt(12.0)
_EDGE = 1e-9  # of a tick's width: 0.99 is not exactly 1 - 0.01


class Quotes(NamedTuple):
    """Checked quotes ``(n,)``: time, value (or limit), side (-1, 0, 1), noise sd, Phi^-1(value)."""

    times: IntArray
    y: FloatArray
    side: IntArray
    noise: FloatArray
    probit: FloatArray


def quote_noise(
    n: int, noise: float | FloatArray | None, spreads: FloatArray | None, tick: float
) -> FloatArray:
    """The noise sd of each of ``n`` quotes ``(n,)``, in probability; 0 where nothing is said."""
    if not (math.isfinite(tick) and 0.0 <= tick < 0.25):
        raise InputError("a tick of 0 or more and under 0.25", met=tick)
    if noise is not None and spreads is not None:
        raise InputError("noise or spreads, not both", met="both")
    if spreads is not None:
        r = np.asarray(spreads, np.float64) / _ROOT_12
    else:
        r = np.asarray(0.0 if noise is None else noise, np.float64)
    if r.ndim > 1 or (r.ndim == 1 and r.size != n):
        raise InputError(f"one noise for all or one a quote, shape ({n},)", met=r.shape)
    if not (np.all(np.isfinite(r)) and np.all(r >= 0.0)):
        raise InputError("a finite noise (or spread) of 0 or more", met=float(np.min(r)))
    return np.maximum(np.broadcast_to(r, (n,)), tick / _ROOT_12)


def ready_quotes(
    times: IntArray,
    probabilities: FloatArray,
    *,
    noise: float | FloatArray | None = None,
    spreads: FloatArray | None = None,
    tick: float = 0.0,
) -> Quotes:
    """Quotes ``(n,)`` checked, with noise and side; with no tick every quote is within (0, 1)."""
    ts = np.ascontiguousarray(times, np.int64)
    y = np.ascontiguousarray(probabilities, np.float64)
    if ts.ndim != 1 or ts.shape != y.shape or ts.size == 0:
        raise InputError("times and probabilities of one shape (n,)", met=(ts.shape, y.shape))
    late = np.flatnonzero(np.diff(ts) < 0)
    if late.size:
        raise InputError("times that do not fall", met=int(ts[late[0] + 1]), row=int(late[0]) + 2)
    r = quote_noise(ts.size, noise, spreads, tick)
    inside = (y >= 0.0) & (y <= 1.0) if tick > 0.0 else (y > 0.0) & (y < 1.0)
    bad = np.flatnonzero(~inside)
    if bad.size:
        wanted = "a probability within 0 and 1" if tick > 0.0 else "a probability inside (0, 1)"
        raise InputError(wanted, met=float(y[bad[0]]), row=int(bad[0]) + 1, column="probabilities")
    side = np.zeros(ts.size, np.int64)
    if tick > 0.0:
        side[y <= tick * (1.0 + _EDGE)] = -1
        side[y >= 1.0 - tick * (1.0 + _EDGE)] = 1
        y = np.where(side == 0, y, np.where(side < 0, 1.5 * tick, 1.0 - 1.5 * tick))
    return Quotes(ts, y, side, r, ndtri(y))


def years_between(times: IntArray) -> FloatArray:
    """Years (of 365 days) between each time and the next, ``(n - 1,)``."""
    return np.diff(times) / YEAR_NS
