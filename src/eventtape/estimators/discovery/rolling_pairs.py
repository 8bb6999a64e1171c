r"""Who leads now? The measures of every pair over a window that moves on price by price.

A pair's model is a corner of the panel's moments (see :mod:`.pair_kernel`), and the moments of a
window are moved on by one row added and one taken away (:mod:`.moment_updates`), so an update costs
the algebra of the pairs and nothing in the length of the window. Numbers equal those of the window
fitted afresh within 1e-9, bit for bit the same in whatever chunks the prices come.

There is no interval here: it needs the rows. A pair is ``identified`` where its relation passes the
tests of :func:`~.pairs.pair_discovery` for steps of one size (the law of signs, for volatility that
moves for all at once, needs the rows too: in a loud window ask ``pair_discovery``) and its bounds
are no wider than one half; that one leads is for the interval to say. Lags are as given: a model
too short for the prices is not found out here, nor is a price that stands still. Windows overlap,
and so do their errors: n windows are not n tests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.moment_updates import Rolling, roll, rolling, rolling_moments
from eventtape.estimators.discovery.pair_kernel import COLUMNS, centred, solve_pairs
from eventtape.estimators.discovery.pair_rows import pair_columns
from eventtape.estimators.discovery.pairs import SECOND_ROOT, WIDEST
from eventtape.estimators.discovery.rank_law import relation_tests
from eventtape.estimators.discovery.vecm_moments import Moments, check_prices

__all__ = ["RollingPairs", "WindowPairs", "batch", "start", "step"]

_ROWS_PER_REGRESSOR = 10.0
_SHOWN = ("is_first", "is_last", "component", "pds")


class RollingPairs(NamedTuple):
    """Sums of the last prices, the pairs asked for, and the rate of false relations allowed."""

    sums: Rolling
    first: IntArray  # (m,)
    second: IntArray  # (m,)
    false_discovery: float


class WindowPairs(NamedTuple):
    """Measures of the first series of each pair, ``(m,)`` or ``(n_windows, m)``.

    NaN where not identified. ``status`` is ``too few observations`` before the window is whole, or
    where it never holds enough rows.
    """

    pils: FloatArray
    is_first: FloatArray
    is_last: FloatArray
    component: FloatArray
    pds: FloatArray
    p_none: FloatArray  # of no relation; given whether or not identified
    identified: BoolArray
    end: IntArray  # number of the window's last price, from 0: a scalar array or (n_windows,)
    status: Status


def start(
    n: int,
    window: int,
    lags: int = 1,
    pairs: IntArray | None = None,
    *,
    false_discovery: float = 0.01,
) -> RollingPairs:
    """The state before any price of ``n`` series, for windows of ``window`` prices.

    ``pairs`` ``(m, 2)`` names some pairs only.
    """
    if n < 2:
        raise InputError("two or more series", met=n)
    if not 0.0 < false_discovery < 1.0:
        raise InputError("a false-discovery rate between 0 and 1", met=false_discovery)
    first, second = pair_columns(n, pairs)
    return RollingPairs(rolling(n, window, lags), first, second, false_discovery)


def step(state: RollingPairs, prices: FloatArray) -> tuple[RollingPairs, WindowPairs]:
    """The state after log prices ``(n,)`` or ``(T, n)``, and the measures at the last of them."""
    x = np.atleast_2d(np.asarray(prices, np.float64))
    after = state._replace(sums=roll(state.sums, x))
    seen, window = int(after.sums.clock[0]), after.sums.recent.shape[0] - 1
    end = np.array(seen - 1)
    if seen < window:
        return after, _nothing((state.first.size,), end)
    work = _Work(after.sums.current, state.first, state.second)
    return after, work.measured(after.sums.current, state.false_discovery, end)


def batch(
    log_prices: FloatArray,
    window: int,
    lags: int = 1,
    pairs: IntArray | None = None,
    *,
    every: int = 1,
    false_discovery: float = 0.01,
) -> WindowPairs:
    """The measures of every whole window of log prices ``(T, n)``, each ``every`` rows.

    The same numbers, bit for bit, as :func:`step` price by price.
    """
    x = check_prices(log_prices)
    state = start(x.shape[1], window, lags, pairs, false_discovery=false_discovery)
    work = _Work(state.sums.current, state.first, state.second)
    found = [
        work.measured(sums, false_discovery, np.array(end))
        for end, sums in rolling_moments(x, window, lags, every=every)
    ]
    if not found:
        return _nothing((0, state.first.size), np.empty(0, np.int64))
    stacked = (np.stack([getattr(one, name) for one in found]) for name in WindowPairs._fields[:-1])
    together = dict(zip(WindowPairs._fields, stacked, strict=False))
    return WindowPairs(**together, status=found[0].status)


class _Work:
    """Arrays that every window of one shape can use again."""

    def __init__(self, shape: Moments, first: IntArray, second: IntArray) -> None:
        self.first, self.second = first, second
        self.size = shape.origin.size * (shape.lags + 2)
        self.cross = np.zeros((self.size, self.size))
        self.table = np.empty((first.size, len(COLUMNS)))

    def measured(self, sums: Moments, false_discovery: float, end: IntArray) -> WindowPairs:
        n, k, rows = sums.origin.size, sums.lags, float(sums.n_rows)
        if rows < _ROWS_PER_REGRESSOR * (2 * k + 2):
            return _nothing((self.first.size,), end)
        centred(sums.cross, self.size, self.cross)
        solve_pairs(self.cross, n, k, rows, self.first, self.second, self.table)
        table = dict(zip(COLUMNS, self.table.T, strict=True))
        p_none, p_stationary, p_alone = relation_tests(table, rows, k)
        identified = (
            (adjusted(np.maximum(p_none, p_alone)) <= false_discovery)
            & (p_stationary > SECOND_ROOT)
            & (np.abs(table["is_first"] - table["is_last"]) <= WIDEST)
        )
        shown = np.where(identified, 1.0, np.nan)
        pils = shown * np.sin(table["angle"]) ** 2
        first, last, component, pds = (shown * table[name] for name in _SHOWN)
        return WindowPairs(pils, first, last, component, pds, p_none, identified, end, Status.OK)


def _nothing(shape: tuple[int, ...], end: IntArray) -> WindowPairs:
    pils, first, last, component, pds, p_none = np.full((6, *shape), np.nan)
    no = np.zeros(shape, bool)
    return WindowPairs(pils, first, last, component, pds, p_none, no, end, Status.TOO_FEW)
