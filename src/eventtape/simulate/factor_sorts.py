r"""A cross-section whose five factor returns are known: sorts as in Fama and French (2015).

Stocks have a market value, book-to-market, profitability and investment, drawn once. Returns are

    r_i = beta_i M + sum_c load_ic C_c + own noise     c: size, value, profitability, investment

with loadings that rise in the rank of the characteristic. Portfolios are the 2 x 3 sorts: size at
the median of the large exchange's stocks, each characteristic at its 30th and 70th percentile,
value-weighted within a cell, and weights follow market values from day to day::

    HML = (SH + BH)/2 - (SL + BL)/2,    SMB = mean over the three sorts of (small cells - big cells)

The truth of a day is what start-of-day weights earned on prices without noise, close to close. What
is seen is each stock's mid by its own clock: noise of a fraction of its spread, rows without a
quote (many for small stocks), and some stocks that are not there all day.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import rankdata

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError

__all__ = ["FACTORS", "SortDay", "factor_days", "sort_weights"]

FACTORS = ("MKT", "SMB", "HML", "RMW", "CMA")

_FIRST_DAY = 946_684_800 * SECOND  # 2000-01-01T00:00Z: no date on which anything here happened
_DAY = 86_400 * SECOND
_DAILY = (0.010, 0.005, 0.006, 0.004, 0.003)  # volatility a day: market, then each characteristic


class SortDay(NamedTuple):
    """One simulated day: what is seen, and the factor returns behind it."""

    ts: IntArray  # (n_rows,) ns; the first is the close of the day before
    names: tuple[str, ...]  # (n_stocks,)
    mids: FloatArray  # (n_rows, n_stocks) dollars, NaN where no quote came in the row
    weights: FloatArray  # (n_stocks, 5) at the start of the day, columns as in FACTORS
    truth: FloatArray  # (5,) simple returns of the day

    def frame(self) -> pl.DataFrame:
        """The mids as a wide frame, null where there is none."""
        columns = {name: self.mids[:, i] for i, name in enumerate(self.names)}
        stamps = pl.Series("ts", self.ts).cast(pl.Datetime("ns", "UTC"))
        return pl.DataFrame({"ts": stamps, **columns}).with_columns(
            pl.col(self.names).fill_nan(None)
        )


def sort_weights(value: FloatArray, large: FloatArray, characteristics: FloatArray) -> FloatArray:
    """Weights ``(n, 5)`` of MKT, SMB, HML, RMW, CMA from market values and sort cells.

    ``large`` ``(n,)`` is 1 for stocks above the size median, else 0; ``characteristics`` ``(n, 3)``
    holds -1, 0 or 1 for the low, middle and high third of book-to-market, profitability, and minus
    investment (conservative is high).
    """
    weights = np.zeros((value.size, 5))
    weights[:, 0] = value / value.sum()
    for c in range(3):
        for size in (0, 1):
            for third in (-1, 0, 1):
                cell = (large == size) & (characteristics[:, c] == third)
                if not cell.any():
                    raise InputError("stocks in every cell of the sorts", met=(c, size, third))
                part = np.where(cell, value, 0.0) / value[cell].sum()
                weights[:, 2 + c] += 0.5 * third * part
                weights[:, 1] += (1.0 - 2.0 * size) * part / 9.0
    return weights


def factor_days(
    seed: int,
    *,
    n_stocks: int = 2000,
    n_days: int = 60,
    rows: int = 390,
    half_spread: float = 0.0005,
    absent: float = 0.02,
    own_volatility: float = 0.02,
) -> Iterator[SortDay]:
    """Simulated days drawn from ``seed``, one at a time, each with ``rows`` one-minute rows.

    ``half_spread`` is relative, of the median stock (small ones have more): mids carry noise of a
    quarter of it. ``absent`` is the share of stocks not quoted at all on a day, ``own_volatility``
    the median stock's idiosyncratic volatility a day.
    """
    if n_stocks < 100 or n_days < 1 or rows < 1:
        raise InputError("at least 100 stocks, a day and a row", met=(n_stocks, n_days, rows))
    if not (0.0 <= absent < 1.0 and half_spread >= 0.0 and own_volatility >= 0.0):
        met = (absent, half_spread, own_volatility)
        raise InputError("absent in [0, 1), spread and volatility >= 0", met=met)
    rng = np.random.default_rng(seed)
    value = np.exp(1.9 * rng.standard_normal(n_stocks))
    raw = rng.standard_normal((n_stocks, 3)) + 0.15 * np.log(value)[:, None]
    rank = (rankdata(np.column_stack([-value, raw]), axis=0) - 0.5) / n_stocks
    exchange = rng.uniform(size=n_stocks) < 0.4
    large = (value > np.median(value[exchange])).astype(np.float64)
    low, high = np.quantile(raw[exchange], [0.3, 0.7], axis=0)
    thirds = (raw > high).astype(np.float64) - (raw <= low)
    names = tuple(f"S{i:04d}" for i in range(n_stocks))
    beta = np.column_stack([1.0 + 0.3 * rng.standard_normal(n_stocks), 2.0 * rank - 1.0])
    own = own_volatility * np.exp(0.3 * rng.standard_normal(n_stocks))
    noise = 0.25 * half_spread * (0.5 + 2.0 * rank[:, 0])
    gap = 0.7 * rank[:, 0] ** 2  # share of rows without a quote: most of the smallest stocks'
    log_price = np.log(20.0 + 80.0 * rng.uniform(size=n_stocks))
    for day in range(n_days):
        weights = sort_weights(value, large, thirds)
        common = rng.standard_normal((rows, 5)) * (np.array(_DAILY) / np.sqrt(rows))
        moves = common @ beta.T + own * rng.standard_normal((rows, n_stocks)) / np.sqrt(rows)
        path = log_price + np.vstack([np.zeros(n_stocks), np.cumsum(moves, axis=0)])
        seen = rng.uniform(size=path.shape) >= gap
        seen[[0, -1]] = True  # opening and closing auctions
        seen &= rng.uniform(size=n_stocks) >= absent
        mids = np.exp(path + noise * rng.standard_normal(path.shape))
        ts = _FIRST_DAY + day * _DAY + np.arange(rows + 1) * 60 * SECOND
        earned = np.expm1(path[-1] - path[0])
        yield SortDay(ts, names, np.where(seen, mids, np.nan), weights, weights.T @ earned)
        value, log_price = value * (1.0 + earned), path[-1]
