"""From a term structure and groups of events to the averaged posterior: units, priors, laws.

The kernel works where the base is about 1 a day: total variances are divided by the median iv^2 a
day, so that its grids mean the same for bitcoin and for Treasuries, and nothing but the ratio of
error to vol matters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.estimators.premium.day_weights import YEAR_DAYS, week_phase
from eventtape.estimators.premium.premium_base import base_columns
from eventtape.estimators.premium.premium_clock import Clock, closer
from eventtape.estimators.premium.premium_kernel import average
from eventtape.estimators.premium.premium_mixture import mixture
from eventtape.estimators.premium.ridges import Group
from eventtape.estimators.premium.term_structure import TermStructure

__all__ = ["PremiumFit", "SizeLaw", "premium_fit", "size_law"]

_LEAST_ERROR = 1e-4  # an error below a hundredth of a vol point is taken as that
_CLOSER = 8  # times at most that the grid of weekends is drawn together
_SLOPE_PRECISION = 4.0  # the base changes by half of itself per e-fold of time, one sd


class SizeLaw(NamedTuple):
    """Of a size squared its mean and sd, before the cut at 0; of the size its quantiles."""

    mean: float
    sd: float
    size: float  # median; NaN, with its bounds, where next to nothing lies above 0
    lower: float
    upper: float


class PremiumFit(NamedTuple):
    """The posterior over the grid, and what it was made from."""

    term: TermStructure
    clock: Clock
    kinds: tuple[str, ...]
    counts: FloatArray  # (n, n_kinds)
    parts: tuple[Group, ...]
    laws: tuple[SizeLaw, ...]  # one a group: of its kind's size, or of the sum's
    rows: FloatArray  # (n_groups, q): what each law is of, in the cells' coefficients
    cells: tuple[FloatArray, FloatArray, FloatArray]  # weight, mean, covariance; scaled by unit
    unit: float  # variance a day
    tail: float
    base: FloatArray  # (n,) total variance without events, its sd, and with them
    base_sd: FloatArray
    fitted: FloatArray
    weekends: FloatArray  # posterior of the clock's grid
    roughness: float
    misfit: float


def premium_fit(
    term: TermStructure,
    clock: Clock,
    kinds: tuple[str, ...],
    counts: FloatArray,
    parts: tuple[Group, ...],
    known: Mapping[str, tuple[float, float]],
    tail: float,
) -> PremiumFit | None:
    """The averaged posterior, or None where no cell of the grid has one."""
    unit = float(np.median(term.iv**2)) / YEAR_DAYS
    columns, precision, mean = _columns(parts, kinds, known, unit, term.iv.size)
    error = 2.0 * term.iv * np.maximum(term.error, _LEAST_ERROR) * term.days / YEAR_DAYS
    base = base_columns(clock.days, week_phase(term.at_ns), clock.split)
    for left in range(_CLOSER, 0, -1):
        weight, b, cov, bare, sd, fitted, chi, degrees, weekends, rough = average(
            base, term.variance / unit, error / unit, columns, precision, mean,
            clock.grid, clock.log_prior,
        )  # fmt: skip
        if not weight.size:
            return None
        narrower = closer(clock, weekends) if left > 1 else None
        if narrower is None:
            break
        clock = narrower
    rows = _rows(parts, columns.shape[1])
    cells = (weight, b, cov)
    laws = tuple(size_law(cells, row, unit, tail) for row in rows)
    misfit = float(chi / degrees) if degrees > 0.0 else math.nan
    return PremiumFit(
        term, clock, kinds, counts, parts, laws, rows, cells, unit, tail,
        bare * unit, sd * unit, fitted * unit, weekends, -float(rough), misfit,
    )  # fmt: skip


def size_law(
    cells: tuple[FloatArray, FloatArray, FloatArray], row: FloatArray, unit: float, tail: float
) -> SizeLaw:
    """The law of the size whose square is ``row`` times the coefficients."""
    mean, sd, _, low, middle, high = (unit * mixture(*cells, row[None], tail)[0]).tolist()
    if math.isnan(middle):
        return SizeLaw(mean, sd, math.nan, math.nan, math.nan)
    lower = math.sqrt(max(low, 0.0))
    return SizeLaw(mean, sd, math.sqrt(middle), lower, math.sqrt(high))


def _columns(
    parts: tuple[Group, ...],
    kinds: tuple[str, ...],
    known: Mapping[str, tuple[float, float]],
    unit: float,
    n: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Event columns ``(n, q)``; prior precision and mean of the q variances, level and slope."""
    together = np.concatenate([np.empty((n, 0)), *(part.columns for part in parts)], axis=1)
    columns = np.ascontiguousarray(together)  # the kernel is compiled for that layout
    q = columns.shape[1]
    precision, mean = np.zeros(q + 2), np.zeros(q + 2)
    precision[q + 1] = _SLOPE_PRECISION
    c = 0
    for part in parts:
        if part.given:
            size, sd = known[kinds[part.members[0]]]
            # The square of a normal size: its mean and variance.
            mean[c] = (size**2 + sd**2) / unit
            variance = (4.0 * size**2 * sd**2 + 2.0 * sd**4) / unit**2
            precision[c] = 1.0 / max(variance, 1e-12)
        c += part.columns.shape[1]
    return columns, precision, mean


def _rows(parts: tuple[Group, ...], q: int) -> FloatArray:
    rows = np.zeros((len(parts), q))
    c = 0
    for row, part in zip(rows, parts, strict=True):
        k = part.columns.shape[1]
        row[c : c + k] = part.columns[-1] if len(part.members) > 1 else 1.0
        c += k
    return rows
