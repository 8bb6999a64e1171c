r"""One expiry's quotes over many times, as the joint fit takes them: calls and their errors.

Of each strike and time the option out of the money is used; puts become calls by parity at the
forward. A quote's error is that of a value somewhere within the spread, and of rounding::

    error^2 = (0.3 (ask - bid) / 2)^2 + tick^2 / 12.

Strikes far out whose bid falls under one and a half ticks end the range, and so do the last two
before them: whether such a quote is used would hang on its own error. Crossed quotes are left out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError

__all__ = ["OptionPanel", "option_panel"]

_MARGIN = 2


class OptionPanel(NamedTuple):
    """Snapshots of one expiry: ``(n_times,)`` each, calls and errors ``(n_times, n_strikes)``.

    ``times`` in seconds; ``taus`` in years; ``calls`` undiscounted, NaN where not used.
    """

    times: FloatArray
    taus: FloatArray
    forwards: FloatArray
    strikes: FloatArray
    calls: FloatArray
    errors: FloatArray


def option_panel(
    times: ArrayLike,
    taus: ArrayLike,
    forwards: ArrayLike,
    strikes: ArrayLike,
    is_call: ArrayLike,
    bids: ArrayLike,
    asks: ArrayLike,
    *,
    tick: float,
    discounts: ArrayLike = 1.0,
) -> OptionPanel:
    """The panel of these quotes: which are used, their values and errors.

    Parameters
    ----------
    times, taus, forwards
        ``(n_times,)``: seconds, rising; years to expiry; forwards.
    strikes
        ``(n_strikes,)``, rising.
    is_call
        ``(n_strikes,)`` or ``(n_times, n_strikes)``: which right is quoted.
    bids, asks
        ``(n_times, n_strikes)``, premiums today, NaN where nobody quotes.
    tick
        Of the premiums, in their unit.
    discounts
        Price today of 1 at expiry, one or ``(n_times,)``.
    """
    t, tau, F, K = (np.asarray(x, np.float64) for x in (times, taus, forwards, strikes))
    bid, ask = np.asarray(bids, np.float64), np.asarray(asks, np.float64)
    shape = (t.size, K.size)
    if t.ndim != 1 or t.size < 2 or not np.all(np.diff(t) > 0.0):
        raise InputError("2 or more rising times", met=t.shape, column="times")
    if K.ndim != 1 or K.size < 5 or not (K[0] > 0.0 and np.all(np.diff(K) > 0.0)):
        raise InputError("5 or more rising strikes above 0", met=K.shape, column="strikes")
    for name, x in (("taus", tau), ("forwards", F)):
        if x.shape != t.shape or not np.all((x > 0.0) & np.isfinite(x)):
            raise InputError(f"{t.size} numbers above 0", met=x.shape, column=name)
    for name, x in (("bids", bid), ("asks", ask)):
        if x.shape != shape:
            raise InputError(f"shape {shape}", met=x.shape, column=name)
    if not 0.0 < tick < math.inf:
        raise InputError("a tick above 0", met=tick, column="tick")
    call = np.broadcast_to(np.asarray(is_call, np.bool_), shape)
    D = np.broadcast_to(np.asarray(discounts, np.float64), t.shape)[:, None]
    used = np.zeros(shape, np.bool_)
    for i in range(t.size):
        offered = np.isfinite(ask[i]) & (ask[i] >= bid[i])
        used[i] = _range_of(bid[i] >= 1.5 * tick, offered, K, float(F[i]))
    value = 0.5 * (bid + ask) / D
    calls = np.where(call, value, value + (F[:, None] - K))
    errors = np.sqrt((0.15 * (ask - bid)) ** 2 + tick * tick / 12.0) / D
    blank = np.where(used, 1.0, math.nan)
    return OptionPanel(t, tau, F, K, calls * blank, errors * blank)


def _range_of(
    quoted: BoolArray, offered: BoolArray, strikes: FloatArray, forward: float
) -> BoolArray:
    """Strikes ``(n,)`` from the forward outward until quotes end, less a margin."""
    both = np.flatnonzero(quoted & offered)
    used = np.zeros(quoted.size, np.bool_)
    if both.size == 0:
        return used
    dead = np.flatnonzero(~quoted & np.isfinite(strikes))
    below = dead[strikes[dead] < forward]
    above = dead[strikes[dead] >= forward]
    low = below[-1] + 1 + _MARGIN if below.size else 0
    high = above[0] - 1 - _MARGIN if above.size else quoted.size - 1
    used[both[(both >= low) & (both <= high)]] = True
    return used
