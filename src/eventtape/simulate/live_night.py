r"""A whole event night as live feeds, with every truth: what the dashboard shows without data.

One probability moves everything (:func:`~.event_night.event_night`): two venues quote it, four
markets answer with known gaps and lags, forty stocks tick (:func:`~.taq_day.taq_day`) with a known
gap each on top of their factors, and one option chain is quoted whose two states are known
(:func:`~.two_states.two_states`). All on the clock of a night on which nothing happened.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.simulate.event_night import MARKETS, NIGHT_NS, NightTruth, event_night
from eventtape.simulate.states_frame import chain_rows
from eventtape.simulate.taq_day import TaqDay, taq_day
from eventtape.simulate.taq_market import FACTORS
from eventtape.simulate.taq_streams import factor_weights
from eventtape.simulate.two_states import Span, TwoStates, two_states
from eventtape.tape import (
    EQUITY_TRADE,
    OPTION_QUOTE,
    PROBABILITY,
    QUOTE,
    Feed,
    Instrument,
    Record,
    Tape,
    check,
)

__all__ = ["OPTIONS", "STOCK_QUOTES", "STOCK_TRADES", "VENUES", "LiveNight", "live_night"]

VENUES = ("event", "other venue")
STOCK_TRADES, STOCK_QUOTES, OPTIONS = "stock trades", "stock quotes", "options"
_TIME = pl.Datetime("ns", "UTC")


class LiveNight(NamedTuple):
    """A simulated tape of all feeds, factor weights of the stocks, and what is true."""

    tape: Tape
    weights: pl.DataFrame  # symbol, factor, weight
    truth: NightTruth  # of the probability and the markets
    gaps: dict[str, float]  # of each stock: log return per unit of probability
    options: TwoStates
    day: TaqDay  # the stocks before the event moved them


def live_night(
    seed: int,
    *,
    minutes: float = 60.0,
    symbols: int = 40,
    stock_quotes: int = 120_000,
    stock_trades: int = 24_000,
    quote_s: float = 2.0,
    chain_s: float = 15.0,
    strikes: int = 24,
    delta: float = 0.08,
) -> LiveNight:
    """A night of ``minutes``, drawn from ``seed``; the options' gap is ``delta`` (log m1/m0).

    A venue quotes about every ``quote_s`` seconds and the option chain every ``chain_s``.
    """
    if minutes * 60.0 < 4.0 * chain_s:
        raise InputError("a night of four option snapshots or more", met=minutes, column="minutes")
    night = event_night(
        seed, markets=tuple(one._replace(tick_s=1.0) for one in MARKETS), hours=minutes / 60.0,
        quote_s=quote_s, quote_noise=0.003, information=0.5,
    )  # fmt: skip
    truth = night.truth
    markets = tuple(f for f in night.tape.of_kind("crypto", "currency", "future", "etf", "stock"))
    first = night.tape.feed("event")
    rng = np.random.default_rng([seed, 7])
    day = taq_day(
        seed, order="time", symbols=symbols, streams=0, seconds=round(minutes * 60.0),
        quotes=stock_quotes, trades=stock_trades,
    )  # fmt: skip
    names = day.truth.symbols["symbol"].cast(pl.String).to_list()
    gaps = dict(zip(names, (0.03 * rng.standard_normal(symbols)).tolist(), strict=True))
    made = _options(seed, truth, minutes, chain_s, strikes, delta)
    feeds = (
        first,
        _other_venue(first, rng),
        *markets,
        *_stocks(day, truth, gaps),
        _feed(OPTIONS, "option", OPTION_QUOTE, _cut(chain_rows(made, rng), truth)),
    )
    beta = day.truth.symbols.select(f"beta_{name}" for name in FACTORS).to_numpy()
    caps = np.full(symbols, 1.0 / symbols)
    weights = pl.DataFrame(
        {
            "symbol": names * len(FACTORS),
            "factor": np.repeat(np.array(FACTORS), symbols),
            "weight": factor_weights(caps, beta).T.ravel(),
        }
    )
    return LiveNight(Tape(feeds, simulated=True), weights, truth, gaps, made, day)


def _feed(label: str, kind: str, record: Record, frame: pl.DataFrame) -> Feed:
    instrument = Instrument("sim", label.replace(" ", "-"), kind)  # type: ignore[arg-type]
    return Feed(instrument, label, record, check(frame, record), 0, "simulated")


def _other_venue(first: Feed, rng: np.random.Generator) -> Feed:
    """The same probability in whole cents, a second later, from a third of the quotes."""
    frame = first.frame.gather_every(3).with_columns(pl.lit("sim:other").alias("symbol"))
    noisy = frame["probability"].to_numpy() + 0.004 * rng.standard_normal(frame.height)
    cents = np.clip(np.round(noisy, 2), 0.01, 0.99)
    frame = frame.with_columns(pl.Series("probability", cents), pl.col("ts").dt.offset_by("1s"))
    return _feed(VENUES[1], "event contract", PROBABILITY, frame)


def _stocks(day: TaqDay, truth: NightTruth, gaps: dict[str, float]) -> tuple[Feed, Feed]:
    """The day's ticks on the night's clock, moved by the event, on their own grids of prices."""
    shift = NIGHT_NS - int(day.truth.seconds["ts"].to_physical()[0]) + SECOND
    quotes, trades = (
        frame.with_columns(
            pl.col("symbol").cast(pl.String),
            (pl.col("ts").to_physical() + shift).cast(_TIME).alias("ts"),
        ).sort("ts", maintain_order=True)
        for frame in (day.quotes, day.trades)
    )
    up = _lift(quotes, truth, gaps)
    quotes = quotes.with_columns((pl.col("bid", "ask") * up * 100.0).round() / 100.0)
    up = _lift(trades, truth, gaps)
    trades = trades.with_columns((pl.col("price") * up * 200.0).round() / 200.0)
    return (
        _feed(STOCK_TRADES, "stock", EQUITY_TRADE, trades),
        _feed(STOCK_QUOTES, "stock", QUOTE, quotes),
    )


def _lift(rows: pl.DataFrame, truth: NightTruth, gaps: dict[str, float]) -> pl.Series:
    moved = truth.probability - truth.probability[0]
    gap = rows["symbol"].replace_strict(gaps, return_dtype=pl.Float64).to_numpy()
    return pl.Series(np.exp(gap * _at(rows["ts"].to_physical().to_numpy(), truth.ts, moved)))


def _at(ts: IntArray, known: IntArray, values: FloatArray) -> FloatArray:
    """The value at each time, the last known one."""
    return values[np.clip(np.searchsorted(known, ts, side="right") - 1, 0, None)]


def _options(
    seed: int, truth: NightTruth, minutes: float, chain_s: float, strikes: int, delta: float
) -> TwoStates:
    n = math.floor(minutes * 60.0 / chain_s)
    span = Span(n, chain_s / 86_400.0, 10.0, 0.6, 0.5, 0.01)
    times = NIGHT_NS + np.rint(np.arange(n) * chain_s * SECOND).astype(np.int64)
    path = np.clip(_at(times, truth.ts, truth.probability), 0.002, 0.998)
    return two_states(
        [seed, 8], delta=delta, span=span, skewness=-0.3, excess_kurtosis=0.4,
        n_strikes=strikes, start_ns=NIGHT_NS, path=path,
    )  # fmt: skip


def _cut(rows: pl.DataFrame, truth: NightTruth) -> pl.DataFrame:
    last = pl.lit(int(truth.ts[-1]), pl.Int64).cast(_TIME)
    return rows.filter(pl.col("ts") <= last).sort("ts", maintain_order=True)
