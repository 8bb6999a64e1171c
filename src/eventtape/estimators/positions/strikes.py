r"""Which strike has the delta wanted?

With s = vol sqrt(tau) and d2 = d1 - s, the forward delta of an option is Phi(d1) for a call and
-Phi(-d1) for a put, so that the strike is exact::

    K = F exp(s^2 / 2 - s d1),   d1 = Phi^-1(delta) or -Phi^-1(-delta).

An option settled in coins has the net delta, less its own price in coins (premium-adjusted)::

    call  (K / F) Phi(d2),   put  -(K / F) Phi(-d2).

The put's runs once from 0 down without end. The call's does not run one way in the strike: it
rises to a top and falls again, so that every delta below the top has two strikes, one deep in the
money. The strike given back is the higher one, the one a trader means by a 25-delta call; above
the top there is none, and the error says where the top is. In z = -d2 the logarithm of both is
concave, so Newton's steps from the far side come down on the root and never pass it.

Source: Reiswich and Wystup (2010), FX Volatility Smile Construction, for the convention.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtri

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.given_options import check_each, option_columns

__all__ = ["strike_of_delta"]

_STEPS = 100
_LOG_ROOT_2PI = 0.9189385332046728
_ROUNDING = 4e-16


def strike_of_delta(
    delta: ArrayLike,
    forward: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    is_call: ArrayLike,
    *,
    premium_adjusted: bool = False,
) -> FloatArray:
    """The strike in dollars of the option of that forward delta; any shapes that broadcast.

    ``delta`` is above 0 for a call and below 0 for a put, .25 and not 25; ``tau`` in years,
    ``vol`` a decimal. ``premium_adjusted`` is the net delta of an option settled in coins; of the
    two strikes a call then has, the higher. No time or no volatility left is an
    :class:`InputError`, as is a delta that no strike has. NaN gives NaN.

    >>> round(float(strike_of_delta(0.25, 62_000.0, 174 / 365, 0.5778, True)))
    87864
    """
    shape, right, (D, F, T, v) = option_columns(
        is_call, delta=delta, forward=forward, tau=tau, vol=vol
    )
    for name, values in (("forward", F), ("tau", T), ("vol", v)):
        check_each(name, values, "a number above 0", lambda x: x <= 0.0)
    call, D, F, s = np.broadcast_arrays(right, D, F, v * np.sqrt(T))
    side = np.where(call, D, -D)
    wrong = side <= 0.0
    if wrong.any():
        at = int(np.argmax(wrong))
        row = at + 1 if side.size > 1 else None
        wanted = "a delta above 0 for a call, below 0 for a put"
        raise InputError(wanted, met=float(D[at]), row=row, column="delta")
    if premium_adjusted:
        z = _adjusted(side, s, call)
        K = F * np.exp(s * z - 0.5 * s * s)
    else:
        check_each("delta", D, "a delta between -1 and 1: .25, not 25", lambda x: np.abs(x) >= 1.0)
        d1 = np.where(call, 1.0, -1.0) * ndtri(side)
        K = F * np.exp(0.5 * s * s - s * d1)
    return np.asarray(K, np.float64).reshape(shape)[()]


def _adjusted(size: FloatArray, s: FloatArray, call: FloatArray) -> FloatArray:
    """The z = -d2 at which s z - s^2 / 2 + log Phi(-+z), the log of |net delta|, is log(size)."""
    target = np.log(size)
    top = _top(s)
    most = np.where(call, s * top - 0.5 * s * s + log_ndtr(-top), np.inf)
    above = target > most
    if above.any():
        at = int(np.argmax(above))
        raise InputError(
            f"a premium-adjusted call delta of at most {np.exp(most[at]):.4f}, its highest",
            met=float(size[at]),
            row=at + 1 if size.size > 1 else None,
            column="delta",
        )
    sign = np.where(call, -1.0, 1.0)
    # Phi(-z) <= exp(-z^2 / 2) / 2 on the far side of 0: beyond these the delta is too small
    z = sign * (-s - np.sqrt(np.maximum(0.0, -2.0 * (target + np.log(2.0)))))
    for _ in range(_STEPS):
        tail = log_ndtr(sign * z)
        slope = s + sign * np.exp(-0.5 * z * z - _LOG_ROOT_2PI - tail)
        over = s * z - 0.5 * s * s + tail - target
        flat = (np.abs(over) <= _ROUNDING * np.abs(target)) | (slope == 0.0)  # at the top itself
        step = np.divide(over, slope, out=np.zeros_like(z), where=~flat)
        z = z - step
        if not bool(np.any(np.abs(step) > 1e-15 * np.maximum(1.0, np.abs(z)))):
            break
    return np.asarray(z)


def _top(s: FloatArray) -> FloatArray:
    """The z at which a call's net delta is highest: phi(z) / Phi(-z) = s, from the right."""
    z = s.copy()
    for _ in range(_STEPS):
        hazard = np.exp(-0.5 * z * z - _LOG_ROOT_2PI - log_ndtr(-z))
        step = (hazard - s) / (hazard * (hazard - z))
        z = z - step
        if not bool(np.any(np.abs(step) > 1e-12)):
            break
    return z
