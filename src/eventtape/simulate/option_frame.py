"""Option quotes as rows of the tape whose density is known: one underlying, four expiries.

Simulated. One Heston model at four horizons (7, 30, 91 and 182 days), so that no expiry contradicts
another, quoted as :func:`~eventtape.simulate.option_chain.option_surface` quotes: around the true
prices, in whole cents, sizes that know nothing. The forward is 100 growing at the rate, 4% a year.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import numpy as np
import polars as pl

from eventtape.clock import parse_ns
from eventtape.estimators.pricing.heston import heston
from eventtape.estimators.pricing.terminal_law import TerminalLaw
from eventtape.simulate.option_chain import OptionChain, option_surface
from eventtape.tape import check_options

__all__ = ["OptionFrame", "option_frame"]

UNDERLYING = "SIM"
DAYS = (7, 30, 91, 182)
_RATE, _SPOT = 0.04, 100.0
_DAY_NS = 86_400 * 1_000_000_000
_AT = "2000-01-03T21:00Z"  # a moment at which nothing here happened


class OptionFrame(NamedTuple):
    """``frame`` of option quotes, the law of each expiry (ns), and what is true in a sentence."""

    frame: pl.DataFrame
    truths: dict[int, TerminalLaw]
    truth: str


def option_frame(seed: int) -> OptionFrame:
    """The frame of this seed: the same seed, the same quotes."""
    laws = [
        heston(
            _SPOT * math.exp(_RATE * days / 365.0),
            days / 365.0,
            variance=0.05,
            mean_reversion=3.0,
            long_run_variance=0.06,
            vol_of_variance=0.7,
            correlation=-0.65,
        )
        for days in DAYS
    ]
    at = parse_ns(_AT)
    made = option_surface(laws, seed=seed, rate=_RATE)
    expiries = [at + days * _DAY_NS for days in DAYS]
    parts = [_rows(chain, at, end) for chain, end in zip(made, expiries, strict=True)]
    truth = (
        f"Heston's model, forward {_SPOT:g} growing at {_RATE:.0%} a year, correlation -0.65; "
        f"expiries in {', '.join(map(str, DAYS))} days; no arbitrage, European."
    )
    laws_at = dict(zip(expiries, cast("list[TerminalLaw]", laws), strict=True))
    return OptionFrame(check_options(pl.concat(parts)), laws_at, truth)


def _rows(chain: OptionChain, at: int, expiry: int) -> pl.DataFrame:
    time = pl.Datetime("ns", "UTC")
    n = chain.strikes.size
    day = str(np.datetime64(expiry, "ns").astype("datetime64[D]"))
    names = [
        f"{UNDERLYING} {day} {strike:.2f} {'C' if call else 'P'}"
        for strike, call in zip(chain.strikes, chain.is_call, strict=True)
    ]
    return pl.DataFrame(
        {
            "symbol": names,
            "underlying": [UNDERLYING] * n,
            "ts": pl.Series([at] * n).cast(time),
            "expiry": pl.Series([expiry] * n).cast(time),
            "strike": chain.strikes,
            "is_call": chain.is_call,
            "style": ["european"] * n,
            "settlement": ["cash"] * n,
            "bid": pl.Series(chain.bids),
            "ask": pl.Series(chain.asks),
            "bid_size": chain.bid_sizes.astype(np.float64),
            "ask_size": chain.ask_sizes.astype(np.float64),
        }
    ).with_columns(pl.when(pl.col("bid") > 0).then("bid").alias("bid"))
