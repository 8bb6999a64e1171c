r"""What has to stay in the account against options sold?

Standard margin looks at each sold option alone; bought options are paid in full and need none. Per
option on one coin, in coins, with m its mark price and OTM / F how far it is out of the money::

    call  initial max(.15 - OTM / F, .10) + m             maintenance .075 + m
    put   initial max(the same, maintenance)              maintenance max(.075, .075 m) + m

and in dollars for linear options, times F. A position's margin is the sum over its sold legs:
nothing is set off, so a calendar strangle needs what its sold strangle needs, and a bought far leg
helps only through the equity. Portfolio margin, which reprices the whole account over a grid of
moves, is another rule and is not attempted here.

The account is liquidated when its equity, cash and the worth of all its options together, falls
below maintenance. Since both m and the loss grow with the move, a sold option's margin is called
well before its payoff would have eaten the cash.

Sources: Deribit, Standard margin, for calls. The venue's page was not at hand for puts: their rule
is as TSLab's documentation of Deribit states it, and as Aevo, which took the rule over, prints it
in dollars. From when the rates hold is not on record; the schedule starts where its fees do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import format_ns, parse_ns
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import whole_array
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.points import as_given, points_of
from eventtape.estimators.pricing.black import black_price

__all__ = ["DERIBIT_STANDARD_MARGIN", "Margin", "MarginRow", "margin_called", "standard_margin"]


class MarginRow(NamedTuple):
    """The rates of standard margin from a moment on, shares of one unit of the underlying."""

    from_ns: int
    initial: float
    least_initial: float
    maintenance: float
    source: str


class Margin(NamedTuple):
    """Margin of a position in its own money, at least 0, in the shape of the points asked for."""

    initial: FloatArray  # to open it
    maintenance: FloatArray  # to keep it


DERIBIT_STANDARD_MARGIN = (
    MarginRow(parse_ns("2022-03-31T00:00Z"), 0.15, 0.10, 0.075, "Deribit: Standard margin"),
)


def standard_margin(
    legs: Legs,
    forward: ArrayLike,
    at_ns: ArrayLike,
    *,
    marks: ArrayLike | None = None,
    vol: ArrayLike | None = None,
    carry: ArrayLike = 1.0,
    schedule: tuple[MarginRow, ...] = DERIBIT_STANDARD_MARGIN,
) -> Margin:
    """Margin of the sold legs together, in coins for inverse legs, else in dollars.

    Points as in :func:`.position_value`; ``marks``, prices of one option each in the legs' money
    that broadcast to ``(n_points, n_legs)``, are Black's at ``vol`` if None. A leg that has
    expired needs none. A moment before the schedule's first row is an :class:`InputError`.
    """
    # an expired leg has no margin, whatever it was delivered at
    p = points_of(legs, forward, at_ns, vol, carry, 1.0)
    row = _rows(schedule, whole_array(at_ns, "a moment in ns UTC", column="at_ns"))
    initial, least, kept = (
        np.array([getattr(schedule[i], name) for i in row])[:, None]
        for name in ("initial", "least_initial", "maintenance")
    )
    if marks is None:
        price = black_price(p.forward, legs.strike, p.tau, p.vol, is_call=legs.is_call)
        m = price / p.forward
    else:
        m = _marks(marks, p.forward) / (1.0 if legs.inverse else p.forward)
    away = np.where(legs.is_call, legs.strike - p.forward, p.forward - legs.strike) / p.forward
    opened = np.maximum(initial - np.maximum(away, 0.0), least) + m
    held = np.where(legs.is_call, kept, np.maximum(kept, kept * m)) + m
    opened = np.where(legs.is_call, opened, np.maximum(opened, held))
    sold = np.where(p.expired, 0.0, np.maximum(-legs.quantity, 0.0))
    unit = sold if legs.inverse else sold * p.forward
    sums = [np.asarray((unit * each).sum(axis=1).reshape(p.shape)) for each in (opened, held)]
    return Margin(sums[0][()], sums[1][()])


def margin_called(equity: ArrayLike, margin: Margin) -> BoolArray:
    """Whether the equity, in the money of the margin, is below maintenance."""
    return np.asarray(np.asarray(equity, np.float64) < margin.maintenance)


def _marks(marks: ArrayLike, forward: FloatArray) -> FloatArray:
    m = as_given(marks, "marks")
    try:
        m = np.broadcast_to(m, forward.shape)
    except ValueError:
        raise InputError("a mark a leg", met=m.shape, column="marks") from None
    if not bool(np.all((m >= 0.0) & np.isfinite(m))):
        bad = float(m[~((m >= 0.0) & np.isfinite(m))][0])
        raise InputError("a price of 0 or more", met=bad, column="marks")
    return m


def _rows(schedule: tuple[MarginRow, ...], at_ns: IntArray) -> IntArray:
    starts = np.array([row.from_ns for row in schedule], np.int64)
    row = np.searchsorted(starts, at_ns.reshape(-1), side="right") - 1
    if np.any(row < 0):
        met = format_ns(int(at_ns.reshape(-1)[np.argmin(row)]))
        raise InputError(f"a time from {format_ns(int(starts[0]))} on", met=met, column="at_ns")
    return row
