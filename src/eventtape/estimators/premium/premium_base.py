r"""What total variance is made of when the base is a line and bends in log time, before any event.

The base variance a day f(u) is piecewise linear in log u on :data:`KNOTS` even knots, constant
before the first (a quarter of the way to the first expiry)::

    f = a + c (log u - middle) + sum_k z_k sqrt(h) (log u - x_k)+,    z_k ~ N(0, tau^2),

h the step of the knots: a random walk of second order (RW2), whose slope changes with variance
tau^2 a unit of log time. Total variance is its integral, days counted by their weight; it is linear
in a, c and z, and these are the columns. A hat's antiderivative is u log u - u: nothing is
approximated.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray

__all__ = ["KNOTS", "base_columns"]

KNOTS = 24


@njit(cache=True, error_model="numpy")
def base_columns(days: FloatArray, phase: float, split: bool) -> tuple[FloatArray, FloatArray]:
    """Integrals to each expiry of level and slope ``(2, n, 2)`` and of bends ``(2, n, KNOTS - 2)``.

    [0] over weekdays and [1] over Saturdays and Sundays; ``phase`` is the day of the week at the
    start, from Monday 00:00. Without ``split`` all time is in [0].
    """
    into, knots = _hats(days, phase, split)
    n = days.size
    line = np.zeros((2, n, 2))
    bend = np.empty((2, n, KNOTS - 2))
    h = knots[1] - knots[0]
    middle = 0.5 * (knots[0] + knots[-1])
    for kind in range(2):
        for i in range(n):
            after, twice = 0.0, 0.0
            for k in range(KNOTS - 1, -1, -1):
                line[kind, i, 0] += into[kind, i, k]
                line[kind, i, 1] += into[kind, i, k] * (knots[k] - middle)
                twice += after  # sum of (j - k) into_j over j > k
                if 0 < k < KNOTS - 1:
                    bend[kind, i, k - 1] = h**1.5 * twice
                after += into[kind, i, k]
    return line, bend


@njit(cache=True, error_model="numpy")
def _hats(days: FloatArray, phase: float, split: bool) -> tuple[FloatArray, FloatArray]:
    """Integrals of the hat functions of log time to each expiry ``(2, n, KNOTS)``; the knots."""
    n = days.size
    low, high = math.log(0.25 * days[0]), math.log(days[-1])
    h = (high - low) / (KNOTS - 1)
    knots = np.empty(KNOTS)
    for j in range(KNOTS):
        knots[j] = low + h * j
    into = np.zeros((2, n, KNOTS))
    total = np.zeros((2, KNOTS))
    weekend = split and phase >= 5.0
    turn = (7.0 if weekend else 5.0) - phase if split else math.inf
    u, log_u, k, i = 0.0, 0.0, -1, 0  # k is the knot behind u
    while i < n:
        knot = math.exp(knots[k + 1]) if k + 2 < KNOTS else math.inf
        stop = min(days[i], turn, knot)
        log_stop = math.log(stop)
        kind = 1 if weekend else 0
        length = stop - u
        if k < 0:
            total[kind, 0] += length
        else:
            area = stop * log_stop - u * log_u - length
            total[kind, k] += (knots[k + 1] * length - area) / h
            total[kind, k + 1] += (area - knots[k] * length) / h
        u, log_u = stop, log_stop
        if u >= knot:
            k += 1
        if u >= turn:
            turn += 5.0 if weekend else 2.0
            weekend = not weekend
        if u >= days[i]:
            into[:, i] = total
            i += 1
    return into, knots
