"""The probability estimators on data frames: filter a quote history, join two contracts."""

from __future__ import annotations

import numpy as np
import polars as pl

from eventtape.errors import InputError
from eventtape.estimators.probability import local_level, vig
from eventtape.estimators.probability.local_level import LevelFit
from eventtape.tape import PROBABILITY, check, times_ns

__all__ = ["filter_probability", "join_complementary"]


def filter_probability(
    quotes: pl.DataFrame, *, tick: float = 0.0, fit: LevelFit | None = None
) -> tuple[pl.DataFrame, LevelFit]:
    """The quotes with filtered ``mean``, ``sd``, normalised innovation ``z`` and ``regime`` added.

    ``quotes`` is a probability frame of one symbol, in time order; ``tick`` its price grid. Q and R
    are fitted unless a ``fit`` is given. Where they cannot be, the new columns are null and
    ``regime`` is ``unknown``; the fit's status says why.
    """
    if quotes["symbol"].n_unique() > 1:
        raise InputError("quotes of one symbol", met=quotes["symbol"].unique().to_list())
    ts, y = times_ns(quotes), quotes["probability"].to_numpy()
    fit = fit or local_level.fit(ts, y, tick=tick)
    if np.isnan(fit.q):
        blank = pl.lit(None, pl.Float64)
        columns = [blank.alias(name) for name in ("mean", "sd", "z")]
        return quotes.with_columns(*columns, pl.lit(local_level.REGIMES[0]).alias("regime")), fit
    out = local_level.batch(ts, y, q=fit.q, r=fit.r)
    regime = np.array(local_level.REGIMES)[local_level.regimes(out.z)]
    z = pl.Series("z", out.z).fill_nan(None)
    return quotes.with_columns(
        pl.Series("mean", out.mean), pl.Series("sd", out.sd), z, pl.Series("regime", regime)
    ), fit


def join_complementary(
    yes: pl.DataFrame, no: pl.DataFrame, *, method: vig.VigMethod = "proportional"
) -> pl.DataFrame:
    """Probability of YES from a contract and its complement, the vig out; one row a shared time.

    Both are probability frames with ``bid`` and ``ask``. The result is a probability frame (the
    best bid and ask over both books, mids with the vig removed) plus ``overround``: what buying
    both at the ask costs above 1.
    """
    sides = ["ts", "bid", "ask"]
    both = yes.drop_nulls(sides).join(
        no.drop_nulls(sides).select(sides), on="ts", how="inner", suffix="_no"
    )
    if both.is_empty():
        raise InputError("times at which both contracts are quoted", met="none")
    bid, ask, bid_no, ask_no = (
        both[name].to_numpy() for name in ("bid", "ask", "bid_no", "ask_no")
    )
    mids = np.column_stack([0.5 * (bid + ask), 0.5 * (bid_no + ask_no)])
    book = vig.joint_book(bid, ask, bid_no, ask_no)
    frame = both.with_columns(
        pl.Series("probability", vig.remove_vig(mids, method=method).probability[:, 0]),
        pl.Series("bid", book.bid),
        pl.Series("ask", book.ask),
    )
    checked = check(frame, PROBABILITY)
    return checked.with_columns(pl.Series("overround", ask + ask_no - 1.0))
