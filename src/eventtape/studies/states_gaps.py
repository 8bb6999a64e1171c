"""The gap between the outcomes over time: the bounds, the joint fit, two lognormals at each time.

The exposure's gap is one number for all times and has no series. The joint fit's interval at a
time is never narrower than that of its profile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import Status
from eventtape.estimators.states.joint_result import JointFit
from eventtape.studies.states_rows import (
    BOUNDS,
    JOINT,
    TWO_LOGNORMAL,
    GapSeries,
    Rung,
    Snapshot,
)

__all__ = ["gap_series"]


def gap_series(
    snapshots: Sequence[Snapshot],
    fitted: Sequence[int],
    fit: JointFit | None,
    joint: Rung,
    level: float,
) -> tuple[GapSeries, ...]:
    """A series a rung, at the snapshots of ``fitted``."""
    some = [snapshots[i] for i in fitted]
    times = np.array([s.at_ns for s in some], np.int64)
    n = times.size
    bounds, pairs = np.full((2, n), np.nan), np.full((3, n), np.nan)
    bounds_fate, pair_fate = [], []
    for t, s in enumerate(some):
        if s.bounds is not None:
            gap = s.bounds.gap
            bounds[:, t] = float(gap.interval_lower), float(gap.interval_upper)
        bounds_fate.append(s.status if s.bounds is None else s.bounds.status)
        if s.two_lognormal is not None:
            found = s.two_lognormal
            pairs[:, t] = found.delta, found.lower, found.upper
        pair_fate.append(
            Status.NOT_IDENTIFIED if s.two_lognormal is None else s.two_lognormal.verdict.status
        )
    path = np.full((3, n), np.nan)
    if fit is not None and joint.status is Status.OK:
        half = float(ndtri(0.5 + 0.5 * level)) * fit.delta_path_error
        low = np.fmax(half, fit.delta - fit.lower)
        high = np.fmax(half, fit.upper - fit.delta)
        seen = np.where(np.isfinite(fit.delta_path), 1.0, np.nan)
        path = np.stack([fit.delta_path, fit.delta_path - low * seen, fit.delta_path + high * seen])
    return (
        GapSeries(BOUNDS, times, np.full(n, np.nan), bounds[0], bounds[1], tuple(bounds_fate)),
        GapSeries(JOINT, times, path[0], path[1], path[2], (joint.status,) * n),
        GapSeries(TWO_LOGNORMAL, times, pairs[0], pairs[1], pairs[2], tuple(pair_fate)),
    )
