r"""What do options pay at expiry, and what is left of their delta while the price is averaged?

An option pays max(A - K, 0) or max(K - A, 0) dollars at the delivery price A; one settled in coins
pays that many dollars' worth of coins at A itself. A is seldom one print: Deribit averages its
index over the half hour before 08:00 UTC. By then part of A is known. With the share f of the
window gone by, m the average so far and r what is left of the window::

    A = f m + (1 - f) a,   E A = f m + (1 - f) S,   dE A / dS = 1 - f,

where a is the average still to come, of log variance vol^2 r / 3 (before the window: the time to
its start, and a third of its length). An option is then Black's on E A with that variance, the
random part being (1 - f) S of the whole E A, and its delta to the spot fades with 1 - f: a hedge
that is not taken off in step over the half hour is a bet. The spot has no drift here; the law of
the average is matched to a lognormal in its first two moments, which over half an hour is exact to
far below a tick.

Source: Deribit, Settlement ("30-minute time-weighted average of the index").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import whole_array
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.points import DAY_NS, YEAR_DAYS, as_given
from eventtape.estimators.pricing.black import black_greeks

__all__ = [
    "WINDOW_NS",
    "Averaging",
    "Delivery",
    "averaging",
    "delivery_price",
    "leg_payoffs",
    "settling_delta",
]

WINDOW_NS = 1_800_000_000_000  # Deribit's half hour
_LONGEST_GAP = 60_000_000_000


class Delivery(NamedTuple):
    """A delivery price made out of an index, and how much of its window was seen."""

    price: float  # dollars
    covered: float  # share of the window in which the index was known
    longest_gap_ns: int  # within the window, without a print
    status: Status
    reason: str


class Averaging(NamedTuple):
    """The law of the delivery price seen from now, in the shape of the spots given."""

    forward: FloatArray  # its mean, dollars
    weight: FloatArray  # change of that mean per dollar of spot: 1 before the window, 0 after it
    variance: FloatArray  # of its logarithm, whole, not per year


def leg_payoffs(legs: Legs, delivery: ArrayLike) -> FloatArray:
    """What each leg pays at those delivery prices: dollars, or coins if inverse; short below 0.

    ``delivery`` is ``()`` for ``(n_legs,)``, or ``(n_points,)`` for ``(n_points, n_legs)``.
    """
    A = as_given(delivery, "delivery")
    if A.ndim > 1:
        raise InputError("one delivery price, or one a point", met=A.shape, column="delivery")
    _above_0(A, "delivery")
    A = A[..., None]
    dollars = np.maximum(np.where(legs.is_call, A - legs.strike, legs.strike - A), 0.0)
    return np.asarray(legs.quantity * (dollars / A if legs.inverse else dollars))


def delivery_price(
    times_ns: ArrayLike,
    index: ArrayLike,
    expiry_ns: int,
    *,
    window_ns: int = WINDOW_NS,
    longest_gap_ns: int = _LONGEST_GAP,
) -> Delivery:
    """The time-weighted average of the index over the window before expiry, in dollars.

    Each print ``(n,)`` holds until the next; the last at or before the window's start opens it.
    A window whose opening was not seen, or with a gap longer than ``longest_gap_ns``, is averaged
    over what there is and is ``NOT_RESOLVED``; one without a print is NaN, ``TOO_FEW``.
    """
    t = whole_array(times_ns, "times in ns UTC", column="times_ns")
    x = as_given(index, "index")
    if t.ndim != 1 or t.shape != x.shape:
        raise InputError("one index price a time", met=(t.shape, x.shape))
    if np.any(np.diff(t) < 0):
        raise InputError("rising times", row=int(np.argmax(np.diff(t) < 0)) + 2, column="times_ns")
    _above_0(x, "index")
    if window_ns <= 0:
        raise InputError("a window above 0 ns", met=window_ns, column="window_ns")
    start = expiry_ns - window_ns
    first = max(int(np.searchsorted(t, start, side="right")) - 1, 0)
    last = int(np.searchsorted(t, expiry_ns, side="left"))
    t, x = t[first:last], x[first:last]
    if not t.size:
        return Delivery(np.nan, 0.0, window_ns, Status.TOO_FEW, "no index price in the window")
    edges = np.append(np.maximum(t, start), expiry_ns)
    held = np.diff(edges)
    covered = float(held.sum() / window_ns)
    gap = int(np.diff(np.append(t, expiry_ns)).max())
    price = float(x @ held / held.sum())
    if covered < 1.0:
        reason = f"the index is known over {covered:.0%} of the window"
        return Delivery(
            price, covered, max(gap, int(edges[0]) - start), Status.NOT_RESOLVED, reason
        )
    if gap > longest_gap_ns:
        reason = f"no index price for {gap / 1e9:.0f} s"
        return Delivery(price, covered, gap, Status.NOT_RESOLVED, reason)
    return Delivery(price, covered, gap, Status.OK, "")


def averaging(
    spot: ArrayLike,
    at_ns: ArrayLike,
    expiry_ns: ArrayLike,
    vol: ArrayLike,
    *,
    average: ArrayLike | None = None,
    window_ns: int = WINDOW_NS,
) -> Averaging:
    """The law of the delivery price seen from ``at_ns``; any shapes that broadcast.

    ``average`` is the index's average over the part of the window gone by, in dollars, needed
    where part of it has; ``vol`` a decimal per sqrt(year of 365 days).
    """
    S = as_given(spot, "spot")
    _above_0(S, "spot")
    now = whole_array(at_ns, "a moment in ns UTC", column="at_ns").reshape(np.shape(at_ns))
    end = whole_array(expiry_ns, "an expiry in ns UTC", column="expiry_ns")
    left: IntArray = np.maximum(end.reshape(np.shape(expiry_ns)) - now, 0)
    rest = np.minimum(left, window_ns)
    weight = rest / window_ns
    if average is None:
        if np.any(weight < 1.0):
            raise InputError("the average so far, within the window", column="average")
        m = S
    else:
        m = as_given(average, "average")
        _above_0(np.where(weight < 1.0, m, 1.0), "average")
    forward = np.where(weight < 1.0, (1.0 - weight) * m + weight * S, S)
    years = ((left - rest) + rest / 3.0) / (YEAR_DAYS * DAY_NS)
    variance = (weight * S / forward * as_given(vol, "vol")) ** 2 * years
    return Averaging(forward, np.broadcast_to(weight, forward.shape), variance)


def settling_delta(
    legs: Legs,
    spot: ArrayLike,
    at_ns: int,
    *,
    average: float | None = None,
    window_ns: int = WINDOW_NS,
) -> FloatArray:
    """Delta of the position to the spot with averaged delivery, in units of the underlying.

    ``spot`` is ``()`` or ``(n_points,)``; before the window the difference from
    :func:`.position_greeks` is a third of half an hour, within it delta fades to 0 in step with
    the time left. Of inverse legs it is net of their price. ``average`` is the index's average
    so far over a window that is under way.
    """
    S = as_given(spot, "spot")
    if S.ndim > 1:
        raise InputError("one spot, or one a point", met=S.shape, column="spot")
    law = averaging(
        S[..., None], at_ns, legs.expiry_ns, legs.vol, average=average, window_ns=window_ns
    )
    g = black_greeks(law.forward, legs.strike, law.variance, 1.0, is_call=legs.is_call)
    # the share of the average still to come, and with it the variance, grows with the spot
    wider = 2.0 * law.variance * (law.forward / S[..., None] - law.weight) / law.forward
    delta = law.weight * g.delta - g.theta * wider
    if legs.inverse:
        delta = (delta - law.weight * g.price / law.forward) * S[..., None] / law.forward
    total = (legs.quantity * np.where(law.weight > 0.0, delta, 0.0)).sum(axis=-1)
    return np.asarray(total)[()]


def _above_0(values: FloatArray, column: str) -> None:
    good = (values > 0.0) & np.isfinite(values)
    if not bool(np.all(good)):
        at = int(np.argmin(good))
        row = at + 1 if values.size > 1 else None
        raise InputError("a price above 0", met=float(values.flat[at]), row=row, column=column)
