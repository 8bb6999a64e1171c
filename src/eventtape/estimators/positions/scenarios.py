r"""What does a position make if spot, volatility and the term structure move together?

A cell of the grid is the position at a horizon (at once, at the onset of an event, just before the
near expiry) with

- the price at ``forward * (1 + spot_move)``, each leg's forward its carry times that;
- each leg's volatility at ``vol + vol_move + shift``, as decimals (.05 is five points), where
  ``shift`` is the term structure's: a shock of the 30-day volatility falls off as the square root
  of time, ``shock * sqrt(30 / days)`` with the days from the horizon to the leg's expiry (at least
  one), or it is given for each leg. Volatilities stick to strikes; one moved below 0 counts as 0.

Profit is the worth in the cell less what was paid: the premium named, else the position's own
value at the opening. So with the horizon at the opening the cell without moves is 0, and with a
later one it is what time has cost. Past an event the legs hold its variance no longer: name the
volatilities at the horizon (:func:`.later_vols`). Coins for inverse legs, dollars for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.points import DAY_NS, as_given, points_of
from eventtape.estimators.positions.scenario_kernel import add_legs
from eventtape.estimators.positions.value import position_value

__all__ = [
    "BreakEvens",
    "Cell",
    "Extremes",
    "between",
    "bisect",
    "break_evens",
    "extremes",
    "scenario_grid",
    "term_shifts",
]

_SHOCK_DAYS = 30.0
_MOST_MOVE = 5.0  # 500 points: above it percent were meant


class Cell(NamedTuple):
    """One cell of a grid: its moves and the profit there."""

    spot_move: float  # a share of the price: -.1 is a fall of a tenth
    vol_move: float  # a decimal
    term_move: int  # which of the term moves
    pnl: float


class Extremes(NamedTuple):
    """The worst and the best cell of a grid."""

    worst: Cell
    best: Cell


class BreakEvens(NamedTuple):
    """Where along the price the profit is 0, and the limits between which it lies.

    A limit met at an end of the search may go on beyond it.
    """

    prices: FloatArray  # (n_roots,) rising
    direction: IntArray  # (n_roots,) 1 where the position gains above the root, -1 where below
    lowest: float  # the least profit at the prices looked at, and where
    lowest_at: float
    highest: float
    highest_at: float
    status: Status  # NOT_IDENTIFIED: profit is 0 along a whole stretch, which is no root


def scenario_grid(
    legs: Legs,
    spot_moves: ArrayLike,
    vol_moves: ArrayLike,
    at_ns: int,
    *,
    forward: float,
    term_moves: ArrayLike = (0.0,),
    carry: ArrayLike = 1.0,
    opened_ns: int | None = None,
    premium: float | None = None,
    vols: ArrayLike | None = None,
) -> FloatArray:
    """Profit ``(n_terms, n_vols, n_spots)`` at ``at_ns``, positive where the position gains.

    Parameters
    ----------
    legs
        The position, at the volatilities it is opened at.
    spot_moves
        Shares of the price ``(n_spots,)``, above -1.
    vol_moves
        Decimals ``(n_vols,)`` added to every leg's volatility.
    at_ns
        The horizon, ns UTC, no later than the first expiry.
    forward
        The price at the opening, dollars.
    term_moves
        Shocks of the 30-day volatility ``(n_terms,)``, or the shift of each leg's volatility
        ``(n_terms, n_legs)``; decimals.
    carry
        Forward of each leg over the one price, ``(n_legs,)``.
    opened_ns
        When the position was opened; the horizon itself if None.
    premium
        What was paid, above 0, in the legs' money; the position's value at the opening if None.
    vols
        The legs' volatilities at the horizon before they are moved ``(n_legs,)``, their own if
        None; not read for a leg that expires then.

    Moves that leave no price or are not finite, and a leg that expired before the horizon, are an
    :class:`InputError`.
    """
    moved = _moves(spot_moves, "spot_moves")
    if not bool(np.all(moved > -1.0)):
        met = float(moved.min())
        raise InputError("a share above -1: -.1 for a fall of 10%", met=met, column="spot_moves")
    wider = _moves(vol_moves, "vol_moves")
    _small(wider, "vol_moves")
    opened = at_ns if opened_ns is None else opened_ns
    if opened > at_ns:
        raise InputError("a horizon no earlier than the opening", met=at_ns, column="at_ns")
    late = legs.expiry_ns < at_ns
    if bool(late.any()):
        row = int(np.argmax(late)) + 1
        raise InputError("a horizon no later than the first expiry", met=at_ns, row=row)
    marks = legs.vol if vols is None else _later(legs, vols, at_ns)
    p = points_of(legs, forward * (1.0 + moved), at_ns, marks, carry, None)
    paid = premium
    if paid is None:
        paid = float(position_value(legs, forward, opened, carry=carry))
    if not np.isfinite(paid):
        raise InputError("a finite premium", met=paid, column="premium")
    shift = term_shifts(legs, term_moves, at_ns)
    out = np.full((shift.shape[0], wider.size, moved.size), -paid)
    add_legs(
        np.ascontiguousarray(p.forward.T), legs.quantity, legs.strike, legs.is_call,
        np.sqrt(p.tau).reshape(-1), np.ascontiguousarray(marks), wider, shift, legs.inverse, out,
    )  # fmt: skip
    return out


def term_shifts(legs: Legs, term_moves: ArrayLike, at_ns: int) -> FloatArray:
    """How far each leg's volatility moves ``(n_terms, n_legs)``, decimals.

    ``term_moves`` as :func:`scenario_grid` takes them.
    """
    given = as_given(term_moves, "term_moves")
    _small(given, "term_moves")
    n = legs.strike.size
    if given.ndim == 2 and given.shape[-1] == n:
        return given
    if given.ndim > 1:
        wanted = f"shocks (n_terms,), or shifts (n_terms, {n})"
        raise InputError(wanted, met=given.shape, column="term_moves")
    days = np.maximum((legs.expiry_ns - at_ns) / DAY_NS, 1.0)
    return np.multiply.outer(given.reshape(-1), np.sqrt(_SHOCK_DAYS / days))


def extremes(grid: FloatArray, spot_moves: ArrayLike, vol_moves: ArrayLike) -> Extremes:
    """The worst and the best cell of a grid ``(n_terms, n_vols, n_spots)``; the first of equals."""
    moved, wider = _moves(spot_moves, "spot_moves"), _moves(vol_moves, "vol_moves")
    if grid.ndim != 3 or grid.shape[1:] != (wider.size, moved.size) or not grid.size:
        wanted = f"a grid of shape (n_terms, {wider.size}, {moved.size})"
        raise InputError(wanted, met=grid.shape)
    if not bool(np.isfinite(grid).all()):
        raise InputError("finite profits", column="grid")
    cells = []
    for found in (float(grid.min()), float(grid.max())):
        k, m, n = np.argwhere(grid == found)[0].tolist()
        cells.append(Cell(float(moved[n]), float(wider[m]), k, found))
    return Extremes(*cells)


def break_evens(
    legs: Legs,
    at_ns: int,
    *,
    forward: float,
    low: float | None = None,
    high: float | None = None,
    vol_move: float = 0.0,
    carry: ArrayLike = 1.0,
    opened_ns: int | None = None,
    premium: float | None = None,
    vols: ArrayLike | None = None,
    points: int = 2001,
) -> BreakEvens:
    """Every price between ``low`` and ``high`` where the profit at ``at_ns`` changes its sign.

    By default from a quarter to four times ``forward``. The profile is searched at ``points``
    prices and at the strikes, then each root is closed by bisection; a profit that touches 0 and
    turns back is no break-even. Other arguments as :func:`scenario_grid`.
    """
    start, stop = between(low, high, forward)
    opened = at_ns if opened_ns is None else opened_ns
    opening = points_of(legs, forward, opened, None, carry, None)
    paid = premium
    if paid is None:
        paid = float(position_value(legs, forward, opened, carry=carry))

    def pnl(price: FloatArray) -> FloatArray:
        grid = scenario_grid(
            legs, price / forward - 1.0, (vol_move,), at_ns,
            forward=forward, carry=carry, opened_ns=opened, premium=paid, vols=vols,
        )  # fmt: skip
        return np.asarray(grid[0, 0])

    kinks = legs.strike / opening.carry
    kinks = kinks[(kinks > start) & (kinks < stop)]
    prices = np.unique(np.r_[np.geomspace(start, stop, points), kinks])
    y = pnl(prices)
    rounding = 1e-13 * float(np.abs(legs.quantity).sum()) * (1.0 if legs.inverse else stop)
    sign = np.where(np.abs(y) <= rounding, 0.0, np.sign(y))
    flat = (sign[1:] == 0.0) & (sign[:-1] == 0.0)
    seen = np.flatnonzero(sign)
    a, b = seen[:-1], seen[1:]
    turns = (sign[a] != sign[b]) & (b - a <= 2)
    a, b = a[turns], b[turns]
    up = sign[b]
    _, roots = bisect(lambda price: pnl(price) * up > 0.0, prices[a], prices[b])
    worst, best = int(np.argmin(y)), int(np.argmax(y))
    status = Status.NOT_IDENTIFIED if bool(flat.any()) else Status.OK
    return BreakEvens(
        roots, up.astype(np.int64), float(y[worst]), float(prices[worst]),
        float(y[best]), float(prices[best]), status,
    )  # fmt: skip


def bisect(
    beyond: Callable[[FloatArray], BoolArray], low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The last prices that are not ``beyond`` and the first that are, between each pair."""
    for _ in range(60 if low.size else 0):
        middle = 0.5 * (low + high)
        past = beyond(middle)
        low, high = np.where(past, low, middle), np.where(past, middle, high)
    return low, high


def between(low: float | None, high: float | None, forward: float) -> tuple[float, float]:
    """The ends of a search along the price: a quarter and four times ``forward`` if None."""
    start = 0.25 * forward if low is None else low
    stop = 4.0 * forward if high is None else high
    if not 0.0 < start < stop < np.inf:
        raise InputError("a low price above 0 and below the high", met=(start, stop))
    return start, stop


def _moves(values: ArrayLike, column: str) -> FloatArray:
    x = float_array(values, column=column)
    if x.ndim != 1 or not x.size or not bool(np.isfinite(x).all()):
        raise InputError("finite moves, one or more", met=x.shape, column=column)
    return x


def _small(values: FloatArray, column: str) -> None:
    good = np.abs(values) < _MOST_MOVE
    if not bool(good.all()):
        met = float(values[~good].flat[0])
        raise InputError("a decimal: .05 for five points", met=met, column=column)


def _later(legs: Legs, vols: ArrayLike, at_ns: int) -> FloatArray:
    given = as_given(vols, "vols")
    if given.shape not in ((), legs.vol.shape):
        wanted = f"one number, or one for each of {legs.vol.size} legs"
        raise InputError(wanted, met=given.shape, column="vols")
    return np.where(legs.expiry_ns == at_ns, legs.vol, given)
