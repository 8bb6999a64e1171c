r"""How fast does information on an outcome arrive? Clocks of the probit martingale.

In the gauge U = Phi^-1(B) the probability B of an outcome is a martingale where

    dU = 1/2 nu^2(t) U dt + nu(t) dW,        L(t0, t1) = int_{t0}^{t1} nu^2 dt,

and L, a pure number, is all that its law between two times depends on. Four clocks, with
s = sigma^2 and tau = T - t the time left:

    constant        nu^2 = rate                         L = rate (t1 - t0)
    inverse root    nu = c / sqrt(tau)                  L = c^2 log(tau0 / tau1)
    Taleb           nu^2 = 2 s / (1 - e^{-2 s tau})     L = log expm1(2 s tau0) / expm1(2 s tau1)
    piecewise       nu^2 constant between given times   L = sum of rate times stretch

The second and third have L infinite at T: B ends at 0 or 1. The digital on a Brownian motion (and
Black and Scholes's) is the inverse root with c = 1, whatever the volatility.

Taleb (2018) prices the outcome {X_T > l} of dX = s X dt + sigma dW, X = erf^-1(2 Y - 1) the shadow
of a vote share Y, as

    B = 1/2 erfc[(l - X_t e^{s tau}) / sqrt(e^{2 s tau} - 1)].

So U = sqrt(2) (X_t e^{s tau} - l) / sqrt(e^{2 s tau} - 1), where X_t e^{s tau} is a martingale with
coefficient sigma e^{s tau}: hence nu = sqrt(2) sigma e^{s tau} / sqrt(e^{2 s tau} - 1), the clock
above. (Without the factor e^{s tau} the volatility of U is too low by it: 2 s too little in nu^2.)
It goes to the inverse root with c = 1 as s tau goes to 0, and to the constant 2 s far from the end.

Times are in any unit, ``nu2`` per that unit. Reference: Taleb (2018), Quantitative Finance 18(1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = [
    "Clock",
    "ConstantClock",
    "InverseRootClock",
    "PiecewiseClock",
    "TalebClock",
    "timeline_clock",
]


class Clock(Protocol):
    """What every clock answers, elementwise on times ``(...)``."""

    def nu2(self, times: ArrayLike) -> FloatArray:
        """Variance of U per unit of time; infinite at a revealing end."""
        ...

    def information(self, start: ArrayLike, stop: ArrayLike) -> FloatArray:
        """L between ``start`` and ``stop``, exactly; infinite where ``stop`` reveals."""
        ...

    def when(self, start: float, information: ArrayLike) -> FloatArray:
        """The time by which ``information`` has arrived since ``start``; infinite: never."""
        ...


@dataclass(frozen=True)
class ConstantClock:
    """nu^2 the same at all times; never reveals.

    >>> ConstantClock(0.5).information(1.0, [2.0, 5.0])
    array([0.5, 2. ])
    """

    rate: float

    def __post_init__(self) -> None:
        _check_above("a rate nu^2", self.rate)

    def nu2(self, times: ArrayLike) -> FloatArray:
        """Variance of U per unit of time."""
        return np.full(_times(times).shape, float(self.rate))

    def information(self, start: ArrayLike, stop: ArrayLike) -> FloatArray:
        """L from ``start`` to ``stop``."""
        t0, t1 = _stretch(start, stop)
        return np.asarray(self.rate * (t1 - t0))

    def when(self, start: float, information: ArrayLike) -> FloatArray:
        """The time by which ``information`` has arrived since ``start``."""
        return np.asarray(start + _amount(information) / self.rate)


@dataclass(frozen=True)
class InverseRootClock:
    """nu = c / sqrt(end - t); reveals at ``end``.

    >>> InverseRootClock(1.0, end=1.0).information(0.0, [0.5, 1.0]).round(4)
    array([0.6931,    inf])
    """

    c: float
    end: float

    def __post_init__(self) -> None:
        _check_above("a c", self.c)
        _check_end(self.end)

    def nu2(self, times: ArrayLike) -> FloatArray:
        """Variance of U per unit of time."""
        with np.errstate(divide="ignore"):
            return np.asarray(self.c**2 / _left(times, self.end))

    def information(self, start: ArrayLike, stop: ArrayLike) -> FloatArray:
        """L from ``start`` to ``stop``."""
        before, after = _left_of_stretch(start, stop, self.end)
        with np.errstate(divide="ignore", invalid="ignore"):
            L = -(self.c**2) * np.log1p((after - before) / before)
        return np.asarray(np.where(before == after, 0.0, L))

    def when(self, start: float, information: ArrayLike) -> FloatArray:
        """The time by which ``information`` has arrived since ``start``."""
        left = _left_of_stretch(start, start, self.end)[0]
        return np.asarray(start - left * np.expm1(-_amount(information) / self.c**2))


@dataclass(frozen=True)
class TalebClock:
    """The clock of Taleb's election martingale; ``sigma`` is the shadow's volatility; reveals.

    >>> TalebClock(1.0, end=1.0).nu2([0.0, 1.0]).round(4)
    array([2.313,   inf])
    """

    sigma: float
    end: float

    def __post_init__(self) -> None:
        _check_above("a sigma", self.sigma)
        _check_end(self.end)

    def nu2(self, times: ArrayLike) -> FloatArray:
        """Variance of U per unit of time."""
        rate = 2.0 * self.sigma**2
        with np.errstate(divide="ignore"):
            return np.asarray(rate / -np.expm1(-rate * _left(times, self.end)))

    def information(self, start: ArrayLike, stop: ArrayLike) -> FloatArray:
        """L from ``start`` to ``stop``."""
        before, after = _left_of_stretch(start, stop, self.end)
        rate = 2.0 * self.sigma**2
        moved = rate * (before - after)
        # expm1(x0) / expm1(x1) = e^d (1 + (1 - e^-d) / expm1(x1)), d = x0 - x1
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            L = moved + np.log1p(-np.expm1(-moved) / np.expm1(rate * after))
        return np.asarray(np.where(before == after, 0.0, L))

    def when(self, start: float, information: ArrayLike) -> FloatArray:
        """The time by which ``information`` has arrived since ``start``."""
        rate = 2.0 * self.sigma**2
        x = rate * _left_of_stretch(start, start, self.end)[0]
        with np.errstate(divide="ignore"):
            log_expm1 = x + np.log(-np.expm1(-x))
        return np.asarray(self.end - np.logaddexp(0.0, log_expm1 - _amount(information)) / rate)


@dataclass(frozen=True)
class PiecewiseClock:
    """nu^2 is ``rates[k]`` between ``times[k]`` and ``times[k + 1]``; 0 outside; never reveals.

    >>> PiecewiseClock((0.0, 1.0, 3.0), (2.0, 0.5)).information(0.5, [1.0, 2.0, 9.0])
    array([1. , 1.5, 2. ])
    """

    times: tuple[float, ...]
    rates: tuple[float, ...]
    _used: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        t, rates = np.asarray(self.times, np.float64), np.asarray(self.rates, np.float64)
        if t.ndim != 1 or rates.shape != (t.size - 1,) or t.size < 2:
            raise InputError("k + 1 times and k rates, k >= 1", met=(t.shape, rates.shape))
        falls = np.flatnonzero(~(np.diff(t) > 0.0) | ~np.isfinite(np.diff(t)))
        if falls.size:
            row = int(falls[0]) + 1
            raise InputError("finite rising times", met=float(t[row]), row=row + 1, column="times")
        bad = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0.0)))
        if bad.size:
            row = int(bad[0])
            raise InputError(
                "a finite rate of 0 or more", met=float(rates[row]), row=row + 1, column="rates"
            )
        object.__setattr__(self, "_used", np.r_[0.0, np.cumsum(rates * np.diff(t))])

    def nu2(self, times: ArrayLike) -> FloatArray:
        """Variance of U per unit of time: at a given time, of the stretch that begins there."""
        at = np.searchsorted(np.asarray(self.times), _times(times), side="right")
        return np.asarray(np.r_[0.0, self.rates, 0.0][at])

    def information(self, start: ArrayLike, stop: ArrayLike) -> FloatArray:
        """L from ``start`` to ``stop``."""
        t0, t1 = _stretch(start, stop)
        return np.asarray(np.interp(t1, self.times, self._used)) - np.interp(
            t0, self.times, self._used
        )

    def when(self, start: float, information: ArrayLike) -> FloatArray:
        """The first time by which ``information`` has arrived since ``start``; infinite: never."""
        L = _amount(information)
        target = np.interp(start, self.times, self._used) + L
        at = np.clip(np.searchsorted(self._used, target), 1, len(self.rates))
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = (
                np.asarray(self.times)[at - 1]
                + (target - self._used[at - 1]) / np.asarray(self.rates)[at - 1]
            )
        found = np.where(target > self._used[-1], math.inf, inside)
        return np.asarray(np.where(L == 0.0, start, found))


def timeline_clock(times: ArrayLike, share_counted: ArrayLike, total: float) -> PiecewiseClock:
    """The clock of a results timeline: ``total`` information arrives as the count does.

    ``times`` and ``share_counted`` are ``(k + 1,)``, both rising from wherever they begin; of the
    ``total`` each stretch has its part of the share counted from first row to last.

    >>> timeline_clock([0.0, 1.0, 3.0], [0.0, 0.5, 1.0], 2.0).rates
    (1.0, 0.5)
    """
    _check_above("a total", total)
    t, share = np.asarray(times, np.float64), np.asarray(share_counted, np.float64)
    if t.ndim != 1 or t.shape != share.shape or t.size < 2:
        raise InputError("times and shares of one shape (k + 1,)", met=(t.shape, share.shape))
    falls = np.flatnonzero(~(np.diff(share) >= 0.0))
    if falls.size or not share[-1] > share[0]:
        row = int(falls[0]) + 1 if falls.size else t.size - 1
        raise InputError(
            "a share counted that rises", met=float(share[row]), row=row + 1, column="share_counted"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = total * np.diff(share) / (share[-1] - share[0]) / np.diff(t)
    rates = np.where(np.diff(t) > 0.0, rates, 0.0)  # PiecewiseClock says what is wrong with t
    return PiecewiseClock(tuple(t.tolist()), tuple(rates.tolist()))


def _check_above(what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"{what} above 0", met=value)


def _check_end(end: float) -> None:
    if not math.isfinite(end):
        raise InputError("a finite end", met=end)


def _times(times: ArrayLike) -> FloatArray:
    t = np.asarray(times, np.float64)
    if not np.all(np.isfinite(t)):
        raise InputError("finite times", met=float(t[~np.isfinite(t)].flat[0]))
    return t


def _stretch(start: ArrayLike, stop: ArrayLike) -> tuple[FloatArray, FloatArray]:
    t0, t1 = np.broadcast_arrays(_times(start), _times(stop))
    if np.any(t1 < t0):
        row = int(np.flatnonzero((t1 < t0).ravel())[0])
        raise InputError(
            "a stop not before its start", met=(float(t0.flat[row]), float(t1.flat[row]))
        )
    return t0, t1


def _left(times: ArrayLike, end: float) -> FloatArray:
    t = _times(times)
    if np.any(t > end):
        raise InputError(f"times up to the clock's end {end!r}", met=float(t.max()))
    return np.asarray(end - t)


def _left_of_stretch(
    start: ArrayLike, stop: ArrayLike, end: float
) -> tuple[FloatArray, FloatArray]:
    t0, t1 = _stretch(start, stop)
    return _left(t0, end), _left(t1, end)


def _amount(information: ArrayLike) -> FloatArray:
    L = np.asarray(information, np.float64)
    if not np.all(L >= 0.0):
        raise InputError("information of 0 or more", met=float(L[~(L >= 0.0)].flat[0]))
    return L
