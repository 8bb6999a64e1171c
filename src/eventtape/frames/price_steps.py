"""On which step do the rows of a frame stand, and which of its rows are missing?

The step is the most frequent spacing inside sessions. Where nearly all spacings are whole steps, a
spacing of k steps is k - 1 missing rows. Where more than a tenth are not, or nine of ten rows would
be missing (any stamps in whole seconds stand on a grid of seconds), the rows stand on no step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import IntArray

__all__ = ["MOST_OFF_STEP", "Steps", "on_steps"]

MOST_OFF_STEP = 0.1
_NEAR = 0.05  # of a step
_THINNEST = 10  # rows of the grid for each one met


class Steps(NamedTuple):
    """Rows of the grid: at ``ts``, the row met at or before it, and which are missing."""

    ts: IntArray  # (m,) ns
    row: IntArray  # (m,)
    missing: IntArray  # (m,) steps since that row, 0 where it is the row itself
    off_step: float  # share of the spacings inside sessions that are no whole steps


def on_steps(ts: IntArray, sessions: IntArray) -> Steps:
    """Rising times ``(T,)`` with the missing ones of their sessions; as they came on no step."""
    gaps = np.diff(ts)
    inside = np.diff(sessions) == 0
    as_met = Steps(ts, np.arange(ts.size), np.zeros(ts.size, np.int64), 0.0)
    if not inside.any():
        return as_met
    spacing, count = np.unique(gaps[inside], return_counts=True)
    likely = spacing[count == count.max()]
    step = int(likely[np.argmin(np.abs(likely - np.median(gaps[inside])))])
    steps = np.ceil(gaps / step - 0.5).astype(np.int64)  # half a step late is late, and no hole
    off = (np.abs(gaps / step - steps) > _NEAR) | (steps < 1)
    share = float(off[inside].mean())
    if share > MOST_OFF_STEP:
        return as_met._replace(off_step=share)
    more = np.where(inside, np.maximum(steps - 1, 0), 0)
    if more.sum() > (_THINNEST - 1) * ts.size:
        return as_met._replace(off_step=float((steps != 1)[inside].mean()))
    row = np.repeat(np.arange(ts.size), np.r_[more + 1, 1])
    since = np.arange(row.size) - np.searchsorted(row, row)
    return Steps(ts[row] + since * step, row, since, share)
