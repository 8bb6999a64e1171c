r"""Moments by rows added and rows taken away: what a window costs when it moves on by one row.

Sums that are only ever added to and taken from drift, and the walk leaves their origin behind. So a
second sum grows beside the first by additions alone, about an origin of its own, and takes its
place when it is one window long. With w rows in the window, the sums are then the outcome of at
most 3 w additions of rows no older than 2 w, whatever the length of the stream: an error of at most
``3 w eps sum |z z'|`` over those rows. A row costs m^2 products and half as many for the second
sum, m = n (lags + 2) + 1 and a dummy for each season but one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.vecm_moments import (
    Moments,
    blank_moments,
    check_prices,
    check_shape,
    same_series,
)

__all__ = ["Rolling", "add", "remove", "roll", "rolling", "rolling_moments"]


class Rolling(NamedTuple):
    """Moments of the last ``window`` prices, the sums that will replace them, and those prices."""

    current: Moments
    coming: Moments
    recent: FloatArray  # (window + 1, n), price number i in row i % (window + 1)
    clock: IntArray  # prices seen, season of the first


@njit(cache=True)
def _row(
    prices: FloatArray,
    at: int,
    origin: FloatArray,
    lags: int,
    season: int,
    seasons: int,
    z: FloatArray,
) -> None:
    """The row of price number ``at``; its forerunners lie before it, round the end of the array."""
    size, n = prices.shape
    first = 0
    for step in range(lags + 1):
        now, before = (at - step) % size, (at - step - 1) % size
        for j in range(n):
            z[first + j] = prices[now, j] - prices[before, j]
        first += n if step else 2 * n
    before = (at - 1) % size
    for j in range(n):
        z[n + j] = prices[before, j] - origin[j]
    z[first] = 1.0
    for s in range(seasons - 1):
        z[first + 1 + s] = (1.0 if s == season else 0.0) - 1.0 / seasons


@njit(cache=True)
def _plus(cross: FloatArray, z: FloatArray, sign: float) -> None:
    for i in range(z.shape[0]):
        a, right, row = sign * z[i], z[i:], cross[i, i:]
        for j in range(right.shape[0]):  # from 0, so that it runs four at a time
            row[j] += a * right[j]


@njit(cache=True)
def _slide(cross: FloatArray, z: FloatArray, old: FloatArray) -> None:
    for i in range(z.shape[0]):
        a, right, b, left, row = z[i], z[i:], old[i], old[i:], cross[i, i:]
        for j in range(right.shape[0]):
            row[j] += a * right[j] - b * left[j]


@njit(cache=True)
def _span(
    cross: FloatArray,
    prices: FloatArray,
    origin: FloatArray,
    lags: int,
    season: int,
    seasons: int,
    sign: float,
) -> None:
    """Every row that ``prices`` can form, added (1.0) or taken away (-1.0)."""
    z = np.empty(cross.shape[0])
    for at in range(lags + 1, prices.shape[0]):
        now = (season + at) % seasons if seasons else 0
        _row(prices, at, origin, lags, now, seasons, z)
        _plus(cross, z, sign)


@njit(cache=True)
def _through(
    cross: FloatArray,
    origin: FloatArray,
    next_cross: FloatArray,
    next_origin: FloatArray,
    recent: FloatArray,
    clock: IntArray,
    lags: int,
    seasons: int,
    prices: FloatArray,
) -> None:
    size, n = recent.shape
    full = size - 2 - lags  # rows a whole window forms
    one = n * (lags + 2)
    z, old = np.empty(cross.shape[0]), np.empty(cross.shape[0])
    for t in range(prices.shape[0]):
        at = clock[0]
        recent[at % size] = prices[t]
        clock[0] += 1
        if at == 0:
            origin[:] = prices[t]
            next_origin[:] = prices[t]
        if at < lags + 1:
            continue
        now = (clock[1] + at) % seasons if seasons else 0
        _row(recent, at, next_origin, lags, now, seasons, z)
        _plus(next_cross, z, 1.0)
        _row(recent, at, origin, lags, now, seasons, z)
        if cross[one, one] < full:
            _plus(cross, z, 1.0)
        else:
            gone = (clock[1] + at - full) % seasons if seasons else 0
            _row(recent, at - full, origin, lags, gone, seasons, old)
            _slide(cross, z, old)
        if next_cross[one, one] == full:
            cross[:] = next_cross
            origin[:] = next_origin
            next_cross[:] = 0.0
            next_origin[:] = prices[t]


def add(state: Moments, log_prices: FloatArray, *, first_season: int = 0) -> Moments:
    """The moments with every row that ``log_prices`` ``(T, n)`` forms put in, by rank-one updates.

    One row takes ``lags + 2`` prices; another session, with its own past, is one call. The state
    handed in is left as it was.
    """
    return _updated(state, log_prices, first_season, 1.0)


def remove(state: Moments, log_prices: FloatArray, *, first_season: int = 0) -> Moments:
    """The moments with every row that ``log_prices`` forms taken out: the inverse of :func:`add`.

    What was never put in cannot be told from what was. :func:`rolling_moments` bounds the rounding.
    """
    return _updated(state, log_prices, first_season, -1.0)


def rolling(
    n_series: int, window: int, lags: int = 1, *, seasons: int = 0, first_season: int = 0
) -> Rolling:
    """The state before any price: moments of none, that will hold the last ``window`` prices."""
    check_shape(lags, seasons)
    if n_series < 1:
        raise InputError("at least one series", met=n_series)
    if window < lags + 2:
        raise InputError(f"a window of at least {lags + 2} prices for {lags} lags", met=window)
    blank = blank_moments(n_series, lags, seasons, np.zeros(n_series))
    fresh = blank._replace(cross=blank.cross.copy(), origin=blank.origin.copy())
    recent = np.full((window + 1, n_series), np.nan)
    return Rolling(blank, fresh, recent, np.array([0, first_season]))


def roll(state: Rolling, log_prices: FloatArray) -> Rolling:
    """The state after more prices ``(T, n)``, bit for bit the same in whatever chunks they come.

    Before ``window`` prices were seen, ``current`` holds those there were. The state handed in is
    left as it was.
    """
    x = same_series(log_prices, state.current)
    current, coming = (m._replace(cross=m.cross.copy(), origin=m.origin.copy()) for m in state[:2])
    after = Rolling(current, coming, state.recent.copy(), state.clock.copy())
    _advance(after, x)
    return after


def rolling_moments(
    log_prices: FloatArray,
    window: int,
    lags: int = 1,
    *,
    every: int = 1,
    seasons: int = 0,
    first_season: int = 0,
) -> Iterator[tuple[int, Moments]]:
    """The last row of each whole window of ``window`` prices, and its moments, ``every`` rows.

    The same numbers, bit for bit, as :func:`roll` price by price.
    """
    x = check_prices(log_prices)
    if every < 1:
        raise InputError("a step of at least one row", met=every)
    state = rolling(x.shape[1], window, lags, seasons=seasons, first_season=first_season)
    done = 0
    for end in range(window, x.shape[0] + 1, every):
        _advance(state, x[done:end])
        done = end
        now = state.current
        yield end - 1, now._replace(cross=now.cross.copy(), origin=now.origin.copy())


def _updated(state: Moments, log_prices: FloatArray, first_season: int, sign: float) -> Moments:
    x = same_series(log_prices, state)
    cross = state.cross.copy()
    _span(cross, x, state.origin, state.lags, first_season, state.seasons, sign)
    return state._replace(cross=cross)


def _advance(state: Rolling, x: FloatArray) -> None:
    now, coming = state.current, state.coming
    arrays = (now.cross, now.origin, coming.cross, coming.origin, state.recent, state.clock)
    _through(*arrays, now.lags, now.seasons, x)
