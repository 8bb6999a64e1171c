r"""Do a premium and the odds of an outcome go together, in levels and in changes?

**Levels.** The seed of this study reports 0.54 between an election's premium and the odds over
some weeks. Both series wander, so the rows are worth far fewer independent ones: the interval is
Fisher's, tanh(atanh(r) -+ z / sqrt(n_eff - 3)), with the effective number of
:mod:`.persistence`. Under ``LEAST_EFFECTIVE`` independent pairs no interval is given: two random
walks of any length are worth about two.

**Changes.** Over ``change_rows`` rows, the same r, its variance from the influence of each row,

    psi_t = (u_t v_t - r (u_t^2 + v_t^2) / 2) / (1 - max(u_t^2, v_t^2) / n),    u, v standardised,

each raised by its leverage (as HC3: few large days carry the rest) and summed with Bartlett weights
(Newey and West 1987), so that volatility that moves, overlap and late quotes are counted, and rows
that overlap for no more than white steps would be worth;
:func:`~eventtape.estimators.states.distributed_lag.fixed_b` widens for the reach of the sums.
Ticks stamped at times of their own are put on a grid by :func:`eventtape.tape.sampling.as_of`, the
previous tick with a stated largest age. What is stale pulls r of changes to 0 (Epps 1979): take
``change_rows`` well above the usual time between ticks.

The interval of the textbook, which takes rows for independent normal pairs, is given beside ours.
Neither correlation is a cause: an event's premium may follow the odds, the odds the premium, or
both the news.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.premium.persistence import effective_rows, grid_column
from eventtape.estimators.states.distributed_lag import fixed_b

__all__ = ["Correlation", "OddsLink", "odds_link"]

LEAST_EFFECTIVE = 5.0
LEAST_ROWS = 20
_NEAREST_ONE = 1.0 - 1e-12


class Correlation(NamedTuple):
    """A sample correlation and what it says of the true one; bounds are NaN unless ``OK``."""

    correlation: float
    lower: float
    upper: float
    effective: float  # independent pairs that would tell as much
    n_rows: int
    naive_lower: float  # as if the rows were independent
    naive_upper: float
    status: Status
    reason: str


class OddsLink(NamedTuple):
    """Premium and odds together: levels, and changes over ``change_rows`` rows."""

    levels: Correlation
    changes: Correlation
    change_rows: int


def odds_link(
    premium: FloatArray, odds: FloatArray, *, change_rows: int = 1, level: float = 0.95
) -> OddsLink:
    """Correlation of premium and odds, between -1 and 1, in levels and in changes, with intervals.

    ``premium``, ``odds`` ``(n,)`` on one regular grid, NaN where not seen
    (ticks: :func:`eventtape.tape.sampling.as_of`). ``too few observations``: under 20 rows with
    both. ``not identified``: a series that does not move, or levels worth under 5 independent
    pairs; ``correlation`` then stands as a description of the sample, without bounds.
    """
    check_level(level)
    x, y = grid_column(premium, "premium"), grid_column(odds, "odds")
    if x.shape != y.shape:
        raise InputError("premium and odds of one shape (n,)", met=(x.shape, y.shape))
    if not 1 <= change_rows < max(x.size, 2):
        raise InputError(f"changes over 1 to {x.size - 1} rows", met=change_rows)
    return OddsLink(_levels(x, y, level), _changes(x, y, change_rows, level), change_rows)


def _levels(x: FloatArray, y: FloatArray, level: float) -> Correlation:
    both = np.isfinite(x) & np.isfinite(y)
    rows = int(both.sum())
    unsaid = _unsaid(x[both], y[both])
    if unsaid is not None:
        return unsaid
    r = _correlation(x[both], y[both])
    effective = effective_rows(x, y, both)
    if not effective >= LEAST_EFFECTIVE:
        worth = "with too many holes" if math.isnan(effective) else f"worth {effective:.1f} pairs"
        reason = f"levels {worth}: both wander, so any correlation may come of nothing"
        lower, upper = _fisher(r, rows, level)
        return Correlation(
            r, math.nan, math.nan, effective, rows, lower, upper, Status.NOT_IDENTIFIED, reason
        )
    return Correlation(
        r, *_fisher(r, effective, level), effective, rows, *_fisher(r, rows, level), Status.OK, ""
    )


def _changes(x: FloatArray, y: FloatArray, step: int, level: float) -> Correlation:
    dx, dy = x[step:] - x[:-step], y[step:] - y[:-step]
    both = np.isfinite(dx) & np.isfinite(dy)
    rows = int(both.sum())
    unsaid = _unsaid(dx[both], dy[both])
    if unsaid is not None:
        return unsaid
    r = _correlation(dx[both], dy[both])
    u, v = _standard(dx[both]), _standard(dy[both])
    influence = np.zeros(both.size)  # on the whole grid: rows about a hole are no neighbours
    leverage = np.minimum(np.maximum(u**2, v**2) / rows, 0.9)
    influence[both] = (u * v - 0.5 * r * (u**2 + v**2)) / (1.0 - leverage)
    reach = max(step, math.floor(4.0 * (rows / 100.0) ** (2.0 / 9.0)))
    total = float(influence @ influence)
    for lag in range(1, min(reach, both.size - 1) + 1):
        total += 2.0 * (1.0 - lag / (reach + 1)) * float(influence[lag:] @ influence[:-lag])
    variance = max(total, 0.0) / rows**2 / (1.0 - r * r) ** 2
    overlap = (2.0 * step**2 + 1.0) / (3.0 * step)  # sum of (1 - l/step)^2: that of white steps
    effective = min(1.0 / max(variance, 1e-300) + 3.0, max(rows / overlap, 4.0))
    wider = fixed_b(reach / rows, level)
    return Correlation(
        r,
        *_fisher(r, effective, level, wider),
        effective,
        rows,
        *_fisher(r, rows, level),
        Status.OK,
        "",
    )


def _fisher(r: float, pairs: float, level: float, wider: float = 1.0) -> tuple[float, float]:
    half = wider * float(ndtri(0.5 * (1.0 + level))) / math.sqrt(pairs - 3.0)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def _correlation(x: FloatArray, y: FloatArray) -> float:
    r = float(_standard(x) @ _standard(y)) / x.size
    return min(max(r, -_NEAREST_ONE), _NEAREST_ONE)


def _standard(x: FloatArray) -> FloatArray:
    away = x - x.mean()
    standard: FloatArray = away / math.sqrt(float(away @ away) / x.size)
    return standard


def _unsaid(x: FloatArray, y: FloatArray) -> Correlation | None:
    """Why there is no correlation at all, or None."""
    nan = math.nan
    if x.size < LEAST_ROWS:
        reason = f"{x.size} rows with both, of {LEAST_ROWS} needed"
        return Correlation(nan, nan, nan, nan, x.size, nan, nan, Status.TOO_FEW, reason)
    for name, z in (("premium", x), ("odds", y)):
        if float(np.ptp(z)) <= 1e-12 * float(np.abs(z).max()):
            reason = f"no move in the {name}"
            return Correlation(nan, nan, nan, nan, x.size, nan, nan, Status.NOT_IDENTIFIED, reason)
    return None
