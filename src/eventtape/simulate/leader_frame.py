r"""A wide frame of prices whose leaders are known: a market, names, two venues, a probability.

Simulated. ``MKT`` and the probability ``ODDS`` (in probits) are walks; names answer to both with
known shares at once (:mod:`.factor_arrivals`): ``FUND1, FUND2`` all of it, ``SLOW1`` to ``SLOW3``
half in the minute of the shock. ``VENUE1`` and ``VENUE2`` quote one security at speeds .8 and .4
(:mod:`.price_leaders`): the first leads, PILS .8. ``ALONE`` walks by itself. The factors' own speed
is 1, so the true lead over either is 0 for the funds and -.5 for the slow names. Six sessions of
390 minutes, with a night between each two in which nothing moves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtr

from eventtape.arrays import IntArray
from eventtape.clock import MINUTE, parse_ns
from eventtape.simulate.factor_arrivals import factor_panel
from eventtape.simulate.price_leaders import STEP_SD, yan_zivot
from eventtape.simulate.price_placebos import independent_walks

__all__ = ["LeaderFrame", "leader_frame"]

SESSIONS, ROWS = 6, 390
FUNDS, SLOW, VENUES = ("FUND1", "FUND2"), ("SLOW1", "SLOW2", "SLOW3"), ("VENUE1", "VENUE2")
ODDS_SD = 0.02  # of the probit a minute
TRUTH = (
    "VENUE1 leads VENUE2 (speeds 0.80 and 0.40, PILS 0.80); SLOW1 to SLOW3 follow MKT and ODDS "
    "(speed 0.50, so -0.50 less the factor's); FUND1 and FUND2 move with both at once (speed 1, "
    "difference 0: a leader named there is false); ALONE and the venues answer neither; no other "
    "pair of prices shares a trend."
)


class LeaderFrame(NamedTuple):
    """``prices`` (``ts`` and a column a series), its market and probability, and what is true."""

    prices: pl.DataFrame
    market: str
    probability: str
    groups: dict[str, tuple[str, ...]]
    same: tuple[str, ...]  # quotes of one security, the leader first
    truth: str  # what an answer should say, in a sentence


def leader_frame(seed: int) -> LeaderFrame:
    """The frame of this seed: the same seed, the same prices."""
    n_rows = SESSIONS * ROWS
    shares = np.array([[1.0, 1.0]] * len(FUNDS) + [[0.5, 0.5]] * len(SLOW))
    loadings = np.column_stack([np.ones(len(shares)), np.full(len(shares), 0.5)])
    names = factor_panel((seed, 0), n_rows, loadings, shares)
    venues = yan_zivot((seed, 1), n_rows, np.array([0.8, 0.4]), np.array([0.5, -0.5]))
    alone = independent_walks((seed, 2), n_rows, 1)
    logs = np.log(100.0) + names.factors[:, 0]
    columns = {"MKT": np.exp(logs)}
    columns |= dict(zip(FUNDS + SLOW, np.exp(names.log_prices).T, strict=True))
    columns |= dict(zip(VENUES, np.exp(venues.log_prices).T, strict=True))
    columns |= {"ALONE": np.exp(alone.log_prices[:, 0])}
    columns |= {"ODDS": ndtr(names.factors[:, 1] * (ODDS_SD / STEP_SD))}
    ts = pl.Series("ts", _minutes()).cast(pl.Datetime("ns", "UTC"))
    groups = {"funds": FUNDS, "slow names": SLOW}
    frame = pl.DataFrame({"ts": ts, **columns})
    return LeaderFrame(frame, "MKT", "ODDS", groups, VENUES, TRUTH)


def _minutes() -> IntArray:
    """Stamps in a week of the year 2000 on which nothing here happened."""
    opens = parse_ns("2000-01-03T14:30Z") + 1440 * MINUTE * np.arange(SESSIONS, dtype=np.int64)
    return np.ravel(opens[:, None] + MINUTE * np.arange(1, ROWS + 1, dtype=np.int64))
