r"""Term structures around a dated event, its odds and the price, all of known truth. Simulated.

A vote is due; a rate decision follows two days later, another each six weeks. On each of the 40
days before the vote and the 5 after it, at 12:00 UTC, every listed expiry T has::

    iv^2 (T - t) = theta (T - t) + (v - theta) (1 - exp(-kappa (T - t))) / kappa
                   + size^2 1{t < vote < T} + fomc^2 (decisions between t and T),

and is met with normal noise. v reverts to theta, the size of the vote walks, and so do its odds,
whose daily changes have a known correlation with the size's. The price moves by v each day and by a
normal of each event's size at it: no premium is paid for variance here, risk-neutral is physical.

Expiries are those of :func:`~eventtape.simulate.option_listing.listed_expiries`, and the Friday
after the vote from the first day on, as Deribit had 8 November 2024 long before. One day's quotes,
whose law at each expiry is lognormal with that day's true volatility, are option rows of the tape.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock.event_calendar import DatedEvent
from eventtape.errors import InputError
from eventtape.estimators.pricing.lognormal_mixture import lognormal
from eventtape.simulate.option_chain import option_surface
from eventtape.simulate.option_frame import UNDERLYING, _rows
from eventtape.simulate.premium_paths import (
    MEAN_VARIANCE,
    REVERSION,
    VOTE,
    base_variance,
    events_due,
    listed_around,
    price_path,
    true_iv,
    vote_path,
)
from eventtape.tape import PROBABILITY, check, check_options

__all__ = ["PremiumFrame", "PremiumTruth", "simulated_premium"]

_DAY_NS = 86_400 * 10**9
_YEAR = 365.0
_TIME = pl.Datetime("ns", "UTC")


class PremiumTruth(NamedTuple):
    """What made the numbers; arrays are one value a snapshot, ``(n_days,)``, unless said.

    Sizes are one standard deviation of a move in log price, variances are per year.
    """

    times_ns: IntArray
    size: FloatArray  # of the vote; NaN once it is over
    fomc_size: float  # of each rate decision
    base_variance: FloatArray  # v
    mean_variance: float  # theta
    reversion: float  # kappa, per year
    correlation: float  # of the daily changes of size and odds, before the vote
    noise: float  # sd of what is added to each volatility
    iv: FloatArray  # without noise, one a row of the terms
    move: float  # log return by which the vote moved the price


class PremiumFrame(NamedTuple):
    """Frames as the readers give them, the events due, and the truth.

    ``terms``: columns of :func:`eventtape.sources.term_tables.read_term_table`. ``odds``: a
    probability frame. ``spot``: columns ts, price. ``quotes``: option rows of one day.
    """

    terms: pl.DataFrame
    odds: pl.DataFrame
    spot: pl.DataFrame
    quotes: pl.DataFrame
    events: tuple[DatedEvent, ...]
    made: PremiumTruth
    truth: str


def simulated_premium(
    seed: int,
    *,
    before: int = 40,
    after: int = 5,
    size: float = 0.08,
    fomc_size: float = 0.02,
    correlation: float = 0.6,
    noise: float = 0.0035,
    quotes_before: int = 10,
) -> PremiumFrame:
    """The frames of this seed: the same seed, the same numbers. Simulated.

    Parameters
    ----------
    before, after
        Snapshots before the vote, the last on its morning, and after it.
    size, fomc_size
        Standard deviation of the vote's move on the first day, and of a decision's, as decimals.
    correlation
        Of the daily changes of the vote's size and odds.
    noise
        Standard deviation added to each volatility, a decimal.
    quotes_before
        Days before the vote at which the option rows are quoted.
    """
    if before < 2 or after < 0 or not 0 <= quotes_before < before:
        wanted = "2 or more snapshots before the vote, 0 or more after, the quotes' one before"
        raise InputError(wanted, met=(before, after, quotes_before))
    if not (size > 0 and fomc_size >= 0 and noise >= 0 and abs(correlation) <= 1):
        wanted = "a size > 0, fomc_size and noise >= 0, a correlation in [-1, 1]"
        raise InputError(wanted, met=(size, fomc_size, noise, correlation))
    rng = np.random.default_rng(seed)
    noon = VOTE - 11 * _DAY_NS // 24
    times = noon + _DAY_NS * np.arange(1 - before, after + 1, dtype=np.int64)
    events = events_due(int(times[-1]))
    v = base_variance(rng, times.size)
    sizes, odds, happened = vote_path(rng, before, after, size, correlation)
    last = {"election": float(sizes[before - 1]), "fomc": fomc_size}
    price, move = price_path(rng, times, v, last, events)
    expiries = [listed_around(int(at)) for at in times]
    clean = [
        true_iv(int(at), each, variance, {"election": e, "fomc": fomc_size}, events)
        for at, each, variance, e in zip(times, expiries, v, sizes, strict=True)
    ]
    made = PremiumTruth(
        times,
        sizes,
        fomc_size,
        v,
        MEAN_VARIANCE,
        REVERSION,
        correlation,
        noise,
        np.concatenate(clean),
        move,
    )
    day = before - 1 - quotes_before
    told = (
        f"a vote of size {size:.1%} at first and {sizes[before - 1]:.1%} on its morning, decisions "
        f"of {fomc_size:.1%}; daily changes of size and odds correlated {correlation:g}; base "
        f"volatility reverting to {math.sqrt(MEAN_VARIANCE):.0%}; noise {100 * noise:g} points of "
        f"volatility; the vote {'won' if happened else 'lost'} and moved the price by {move:+.1%}"
    )
    return PremiumFrame(
        _terms(rng, made, expiries, price),
        _odds_frame(times, odds),
        pl.DataFrame({"ts": pl.Series(times).cast(_TIME), "price": price}),
        _quotes(seed, int(times[day]), expiries[day], clean[day], float(price[day])),
        events,
        made,
        told,
    )


def _terms(
    rng: np.random.Generator, made: PremiumTruth, expiries: list[IntArray], price: FloatArray
) -> pl.DataFrame:
    counts = [each.size for each in expiries]
    spot = np.repeat(price, counts)
    iv = made.iv + made.noise * rng.standard_normal(made.iv.size)
    return pl.DataFrame(
        {
            "ts": pl.Series(np.repeat(made.times_ns, counts)).cast(_TIME),
            "label": [UNDERLYING] * spot.size,
            "expiry": pl.Series(np.concatenate(expiries)).cast(_TIME),
            "iv": np.maximum(iv, 0.01),
            "error": np.full(spot.size, made.noise),
            "forward": spot,
            "index": spot,
        }
    )


def _odds_frame(times: IntArray, odds: FloatArray) -> pl.DataFrame:
    known = {"symbol": [f"{UNDERLYING}-VOTE"] * odds.size, "probability": odds}
    absent = [pl.lit(None, pl.Float64).alias(name) for name in ("bid", "ask", "size")]
    frame = pl.DataFrame(known | {"ts": pl.Series(times).cast(_TIME)})
    return check(frame.with_columns(absent), PROBABILITY)


def _quotes(seed: int, at: int, expiries: IntArray, iv: FloatArray, forward: float) -> pl.DataFrame:
    """Option rows of one snapshot: chains around lognormal laws of these volatilities."""
    years = ((expiries - at) / (_YEAR * _DAY_NS)).tolist()
    laws = [lognormal(forward, tau, vol) for tau, vol in zip(years, iv.tolist(), strict=True)]
    chains = option_surface(laws, seed=seed, n_strikes=40)
    rows = [_rows(chain, at, end) for chain, end in zip(chains, expiries.tolist(), strict=True)]
    return check_options(pl.concat(rows))
