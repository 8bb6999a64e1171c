"""Where is margin called, and how likely is that?

The account holds a deposit and the position. It is called where its equity, the deposit and the
position's profit, falls below the margin a function says must be kept: ``margin(spot, vol_move,
at_ns)``, for prices ``(n,)`` and volatilities moved by ``vol_move``, in the legs' money. The
standard rule is ``lambda spot, move, t: standard_margin(legs, spot, t, vol=legs.vol +
move).maintenance``.

The probability at one horizon is the law's over the prices where margin is called; the probability
of ever being called on the way is the share of simulated paths, seen at their steps alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, IntArray, check_level
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.move_law import Outcomes, probability_below
from eventtape.estimators.positions.paths import Paths
from eventtape.estimators.positions.pnl_law import Share, share
from eventtape.estimators.positions.scenarios import between, bisect, scenario_grid
from eventtape.estimators.positions.value import position_value

__all__ = ["MarginCall", "MarginFunction", "PathCalls", "margin_call", "path_margin_calls"]

MarginFunction = Callable[[FloatArray, float, int], FloatArray]


class MarginCall(NamedTuple):
    """Where margin is called at a horizon: from ``lower`` to ``upper``, a region a row."""

    lower: FloatArray  # (n_regions,) rising; the end of the search where a region reaches it
    upper: FloatArray
    probability: float  # of ending in a region, by the law
    excess: float  # equity less margin at the price now, below 0 where it is called already


class PathCalls(NamedTuple):
    """Which paths are called, and when first."""

    called: BoolArray  # (n_paths,)
    first_ns: IntArray  # (n_paths,) the step of the first call, -1 for none
    share: Share


def margin_call(
    legs: Legs,
    margin: MarginFunction,
    *,
    deposit: float,
    forward: float,
    at_ns: int,
    states: Outcomes,
    vol_move: float = 0.0,
    carry: ArrayLike = 1.0,
    opened_ns: int | None = None,
    premium: float | None = None,
    vols: ArrayLike | None = None,
    low: float | None = None,
    high: float | None = None,
    points: int = 1001,
) -> MarginCall:
    """Every stretch of prices at ``at_ns`` on which margin is called.

    Looked for between ``low`` and ``high``, a quarter and four times ``forward`` by default, and
    closed by bisection; one that reaches an end is taken to go on beyond it. ``states`` is the
    price's law at the horizon, of :func:`.price_law`; other arguments as :func:`.scenario_grid`.
    """
    start, stop = between(low, high, forward)
    if not np.isfinite(deposit):
        raise InputError("a finite deposit", met=deposit, column="deposit")
    opened = at_ns if opened_ns is None else opened_ns
    paid = premium
    if paid is None:
        paid = float(position_value(legs, forward, opened, carry=carry))

    def excess(price: FloatArray) -> FloatArray:
        grid = scenario_grid(
            legs, price / forward - 1.0, (vol_move,), at_ns,
            forward=forward, carry=carry, opened_ns=opened, premium=paid, vols=vols,
        )  # fmt: skip
        return np.asarray(deposit + grid[0, 0] - margin(price, vol_move, at_ns))

    prices = np.geomspace(start, stop, points)
    called = excess(prices) < 0.0
    turns = np.flatnonzero(called[1:] != called[:-1])
    into = called[turns + 1]  # a region begins here as the price rises, or ends
    last, first = bisect(
        lambda price: (excess(price) < 0.0) == into, prices[turns], prices[turns + 1]
    )
    lower = np.r_[prices[:1][called[:1]], first[into]]
    upper = np.r_[last[~into], prices[-1:][called[-1:]]]
    under, below = (probability_below(ends, forward, states) for ends in (lower, upper))
    under[: int(called[0])] = 0.0
    below[below.size - int(called[-1]) :] = 1.0
    now = float(excess(np.array([forward]))[0])
    return MarginCall(lower, upper, float(np.sum(below - under)), now)


def path_margin_calls(
    walked: Paths, margin: MarginFunction, *, deposit: float, level: float = 0.95, points: int = 201
) -> PathCalls:
    """Which simulated paths ever have less equity than margin, at a step before the last.

    For paths simulated with ``keep=True``. ``margin`` is asked at ``points`` prices a step and
    read off between them along a straight line; a path that its stop has closed needs none.
    """
    check_level(level)
    if not walked.prices.size:
        raise InputError("paths simulated with keep=True", met=walked.prices.shape)
    first = np.full(walked.pnl.size, -1, np.int64)
    for i, at in enumerate(walked.times_ns[:-1]):
        S = walked.prices[i]
        grid = np.geomspace(S.min() * 0.999, S.max() * 1.001, points)
        needed = np.interp(S, grid, margin(grid, 0.0, int(at)))
        short = deposit + walked.profits[i] < needed
        first[short & (first < 0) & (walked.closed_ns > at)] = at
    return PathCalls(first >= 0, first, share(first >= 0, level=level))
