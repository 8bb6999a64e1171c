r"""How much information arrives between two times: the clocks that are fitted, by name.

L(s, t) = int_s^t nu^2 is a pure number; tau = T - t in years, T the ``end``::

    constant      nu^2 = a                               L = a (t - s)
    inverse root  nu^2 = c2 / tau                        L = c2 log(tau_s / tau_t)
    taleb         nu^2 = 2 a / (1 - e^{-2 a tau})        L = log((e^{2 a tau_s} - 1) / (... tau_t))
    piecewise     nu^2 = a_k between breaks k and k + 1  L = sum_k a_k (time of (s, t) in piece k)

The inverse root with c2 = 1 is the clock of a Brownian motion whose sign at T is the outcome.
Taleb's is that of a motion with dY = a Y dt + sqrt(a) dW, which is the inverse root near T and
constant, 2 a, far from it.

Reference: Taleb (2018), Quantitative Finance 18, "Election predictions as martingales".
"""

from __future__ import annotations

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.probability.probit_quotes import YEAR_NS, years_between

__all__ = ["CLOCKS", "ClockShape", "clock_increments", "clock_shape"]

CLOCKS = ("constant", "inverse root", "taleb", "piecewise")


class ClockShape:
    """A clock of a name on given times: its number of parameters and its increments."""

    def __init__(
        self, clock: str, times: IntArray, end: int | None, breaks: IntArray | None
    ) -> None:
        self.clock = clock
        if clock in {"inverse root", "taleb"}:
            if end is None or not end > int(times[-1]):
                raise InputError("an end after the last quote", met=end)
            self.tau = (int(end) - times) / YEAR_NS
        if clock == "constant":
            self.basis = years_between(times)[:, None]
        elif clock == "inverse root":
            self.basis = -np.diff(np.log(self.tau))[:, None]
        elif clock == "taleb":
            self.basis = np.empty((times.size - 1, 1))
        elif clock == "piecewise":
            self.basis = _overlaps(times, breaks)
        else:
            raise InputError(f"a clock among {CLOCKS}", met=clock)
        self.size = self.basis.shape[1]

    def increments(self, parameters: FloatArray) -> FloatArray:
        """L between the times ``(n - 1,)``."""
        if self.clock != "taleb":
            return np.asarray(self.basis @ parameters, np.float64)
        # log(e^x - 1) = x + log(1 - e^-x), whose first part's differences are exact
        x = 2.0 * float(parameters[0]) * self.tau
        return -np.diff(x) - np.diff(np.log(-np.expm1(-x)))

    def scale(self, information: float) -> FloatArray:
        """Parameters at which the whole history carries ``information``: where a search starts."""
        if self.clock != "taleb":
            return np.full(self.size, information / float(self.basis.sum()))
        span = self.tau[0] - self.tau[-1]
        return np.array([0.5 * information / span])


def clock_shape(
    clock: str, times: IntArray, *, end: int | None = None, breaks: IntArray | None = None
) -> ClockShape:
    """The named clock on times ``(n,)`` ns; ``end`` in ns where tau enters, ``breaks`` for pieces.

    ``breaks`` are the ns at which a piece ends and the next begins, between first and last quote.
    """
    return ClockShape(clock, times, end, breaks)


def clock_increments(
    clock: str,
    parameters: FloatArray | float,
    times: IntArray,
    *,
    end: int | None = None,
    breaks: IntArray | None = None,
) -> FloatArray:
    """Information between times ``(n - 1,)`` (a pure number) of a named clock.

    >>> day = 86_400 * 10**9
    >>> x = clock_increments("inverse root", 1.0, np.array([0, day, 3 * day]), end=4 * day)
    >>> [float(round(v, 4)) for v in x]
    [0.2877, 1.0986]
    """
    ts = np.ascontiguousarray(times, np.int64)
    theta = np.atleast_1d(np.asarray(parameters, np.float64))
    shape = clock_shape(clock, ts, end=end, breaks=breaks)
    if theta.shape != (shape.size,):
        raise InputError(f"{shape.size} parameters of the clock", met=theta.shape)
    if not (np.all(np.isfinite(theta)) and np.all(theta >= 0.0)):
        raise InputError("parameters of 0 or more", met=float(np.min(theta)))
    if clock == "taleb" and theta[0] == 0.0:
        return clock_increments("inverse root", 1.0, ts, end=end)
    return shape.increments(theta)


def _overlaps(times: IntArray, breaks: IntArray | None) -> FloatArray:
    """Years of each interval between quotes in each piece, ``(n - 1, n_pieces)``."""
    cuts = np.asarray([] if breaks is None else breaks, np.int64)
    inside = cuts.size > 0 and cuts[0] > times[0] and cuts[-1] < times[-1]
    if cuts.ndim != 1 or not inside or np.any(np.diff(cuts) <= 0):
        raise InputError("rising breaks between the first and the last quote", met=cuts.tolist())
    edges = np.r_[times[0], cuts, times[-1]]
    before = np.clip(times[:-1, None], edges[:-1], edges[1:])
    after = np.clip(times[1:, None], edges[:-1], edges[1:])
    overlap = (after - before) / YEAR_NS
    if not np.all(overlap.sum(axis=0) > 0.0):
        raise InputError("time in every piece", met=cuts.tolist())
    return np.asarray(overlap, np.float64)
