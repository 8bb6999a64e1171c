"""At which forwards, moments and volatilities is a position looked at? Checked once, for all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array
from eventtape.estimators.positions.legs import MOST_VOL, Legs

__all__ = ["DAY_NS", "YEAR_DAYS", "Points", "as_given", "points_of"]

DAY_NS = 86_400_000_000_000
YEAR_DAYS = 365.0


class Points(NamedTuple):
    """Forwards, times and volatilities of every leg at every point."""

    forward: FloatArray  # (n_points, n_legs), the delivery price once a leg has expired
    tau: FloatArray  # years
    vol: FloatArray
    carry: FloatArray  # (n_legs,), ones where each leg has its own forward
    expired: BoolArray
    shape: tuple[int, ...]


def points_of(
    legs: Legs,
    forward: ArrayLike,
    at_ns: ArrayLike,
    vol: ArrayLike | None,
    carry: ArrayLike,
    delivery: ArrayLike | None,
) -> Points:
    """The points at which a position is looked at, checked; :func:`.position_value` explains."""
    n = legs.strike.size
    price = as_given(forward, "forward")
    when = whole_array(at_ns, "a moment in ns UTC", column="at_ns").reshape(np.shape(at_ns))
    own = price.ndim == 2
    factor = np.ones(n) if own else _each_leg(carry, n, "carry")
    shape: tuple[int, ...] = price.shape[:1]
    if when.ndim and when.shape != shape:
        if shape or when.ndim > 1:
            raise InputError("one moment, or one a point", met=when.shape, column="at_ns")
        shape = when.shape
    if price.ndim > 2 or (own and price.shape[-1] != n):
        met = price.shape
        raise InputError(f"one price, one a point, or {n} a point", met=met, column="forward")
    rows = shape[0] if shape else 1
    F = np.broadcast_to(price if own else price.reshape(-1, 1) * factor, (rows, n))
    if not bool(np.all((F > 0.0) & np.isfinite(F))):
        bad = float(F[~((F > 0.0) & np.isfinite(F))][0])
        raise InputError("a price above 0", met=bad, column="forward")
    left = legs.expiry_ns - when.reshape(-1, 1)
    v = legs.vol if vol is None else _override(vol, (rows, n))
    F = _delivered(F, left, delivery)
    tau = np.maximum(left, 0) / (YEAR_DAYS * DAY_NS)
    return Points(F, tau, v, factor, np.broadcast_to(left <= 0, (rows, n)), shape)


def _delivered(forward: FloatArray, left: IntArray, delivery: ArrayLike | None) -> FloatArray:
    """The forwards, with the delivery prices of the legs that have expired in their place."""
    if not np.any(left <= 0):
        return forward
    if delivery is None:
        late = np.any(left < 0, axis=0)
        if late.any():
            row = int(np.argmax(late)) + 1
            raise InputError("the delivery price of a leg that has expired", row=row)
        return forward
    given = as_given(delivery, "delivery")
    try:
        price = np.broadcast_to(given, forward.shape)
    except ValueError:
        raise InputError("a delivery price a leg", met=given.shape, column="delivery") from None
    needed = np.broadcast_to(left <= 0, forward.shape)
    bad = needed & ~((price > 0.0) & np.isfinite(price))
    if bad.any():
        at = np.argwhere(bad)[0]
        met = float(price[tuple(at)])
        raise InputError("a price above 0", met=met, row=int(at[1]) + 1, column="delivery")
    return np.where(needed, price, forward)


def _override(vol: ArrayLike, shape: tuple[int, int]) -> FloatArray:
    v = as_given(vol, "vol")
    try:
        v = np.broadcast_to(v, shape)
    except ValueError:
        raise InputError(f"volatilities for {shape} points and legs", met=v.shape) from None
    good = (v >= 0.0) & (v < MOST_VOL)
    if not bool(good.all()):
        raise InputError("a decimal: .55 for 55%", met=float(v[~good][0]), column="vol")
    return v


def _each_leg(values: ArrayLike, n: int, column: str) -> FloatArray:
    x = float_array(values, column=column)
    if x.shape not in ((1,), (n,)):
        raise InputError(f"one number, or one for each of {n} legs", met=x.shape, column=column)
    if not bool(np.all((x > 0.0) & np.isfinite(x))):
        raise InputError("a factor above 0", met=x.tolist(), column=column)
    return np.broadcast_to(x, n)


def as_given(values: ArrayLike, column: str) -> FloatArray:
    """The numbers as floats in the shape they came in; one number stays one."""
    return float_array(values, column=column).reshape(np.shape(values))
