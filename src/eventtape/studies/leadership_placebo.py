"""Feeds that keep their law and lose their links, and the interval of a rate counted on them.

The event is cut into blocks of 30 minutes and each feed's increments (of the log price, or the
probit of the probability) move with their stamps to another block, by orders such that no block of
two feeds meets again: each keeps its own law, noise and clock. Rates have Wilson's (1927) interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.special import ndtr, ndtri

from eventtape.clock import SECOND
from eventtape.studies.events import Event
from eventtape.tape import Feed
from eventtape.tape.sampling import levels

__all__ = ["shuffled", "wilson"]

BLOCK_S = 1800.0


def wilson(named: int, runs: int) -> tuple[float, float]:
    """The 95% interval of a rate of ``named`` in ``runs``.

    >>> low, high = wilson(1, 40)
    >>> round(low, 4), round(high, 4)
    (0.0044, 0.1288)
    """
    if runs == 0:
        return math.nan, math.nan
    p, z = named / runs, float(ndtri(0.975))
    centre = p + z**2 / (2 * runs)
    half = z * math.sqrt(p * (1.0 - p) / runs + z**2 / (4 * runs**2))
    scale = 1.0 + z**2 / runs
    low, high = (centre - half) / scale, (centre + half) / scale
    return 0.0 if named == 0 else low, 1.0 if named == runs else high


def shuffled(
    feeds: Sequence[Feed], event: Event, *, seed: int | Sequence[int], block_s: float = BLOCK_S
) -> list[Feed]:
    """The feeds with their increments moved to other blocks of the event, no two alike.

    Feed k's block number (b + s_k) of one random order comes to place b, the s_k all different.
    """
    whole = event.end_ns - event.start_ns
    n_blocks = max(round(whole / (block_s * SECOND)), 2 * len(feeds))
    length = whole // n_blocks
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_blocks)
    turns = rng.permutation(n_blocks)[: len(feeds)]
    out = []
    for feed, turn in zip(feeds, turns.tolist(), strict=True):
        ts, level = levels(feed.frame)
        name = "probability" if "probability" in feed.frame.columns else "price"
        inside = np.clip(level, 1e-6, 1.0 - 1e-6) if name == "probability" else level
        gauge = ndtri(inside) if name == "probability" else np.log(level)
        place = np.empty(n_blocks, np.int64)
        place[order[(np.arange(n_blocks) + turn) % n_blocks]] = np.arange(n_blocks)
        block = (ts - event.start_ns - 1) // length
        kept = (block >= 0) & (block < n_blocks)
        kept[:1] = False  # the first has no increment
        moved = ts[kept] + (place[block[kept]] - block[kept]) * length
        by_time = np.argsort(moved)
        path = gauge[0] + np.cumsum(np.diff(gauge, prepend=gauge[0])[kept][by_time])
        value = ndtr(path) if name == "probability" else np.exp(path)
        frame = pl.DataFrame({"ts": moved[by_time], name: value}).with_columns(
            pl.col("ts").cast(pl.Datetime("ns", "UTC"))
        )
        out.append(feed._replace(frame=frame))
    return out
