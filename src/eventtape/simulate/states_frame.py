"""Option quotes and a probability as rows of the tape, whose two states are known. Simulated.

The snapshots of :func:`~eventtape.simulate.two_states.two_states` with both rights at every strike:
beside the option out of the money the other one, at parity with it, in the same spread and two
ticks more, the place of the value in it drawn anew. Then the event is decided: state 1 with the
probability of the last snapshot, and a step later the forward is that state's mean, moved by a
step of other news.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray
from eventtape.simulate.two_states import DAY, Span, TwoStates, two_states
from eventtape.tape import check_options

__all__ = ["UNDERLYING", "StatesFrame", "chain_rows", "states_frame"]

UNDERLYING = "SIM"
_YEAR_NS = 365 * 86_400 * 10**9
_CENT_TICKS = 2.0
_TIME = pl.Datetime("ns", "UTC")


class StatesFrame(NamedTuple):
    """Option quotes, the probability's quotes, the truth, and what came of it."""

    frame: pl.DataFrame
    probability: pl.DataFrame  # ts, probability, bid, ask
    made: TwoStates
    happened: bool
    price: float  # the forward once the event is decided
    at_ns: int
    truth: str


def states_frame(
    seed: int,
    *,
    delta: float = 0.08,
    log_vol_ratio: float = 0.0,
    span: Span = DAY,
    n_strikes: int = 40,
    p_noise: float = 0.0,
    skewness: float = -0.3,
    excess_kurtosis: float = 0.4,
) -> StatesFrame:
    """The frames of this seed: the same seed, the same quotes. Letters as in ``two_states``."""
    made = two_states(
        seed,
        delta=delta,
        log_vol_ratio=log_vol_ratio,
        span=span,
        n_strikes=n_strikes,
        p_noise=p_noise,
        skewness=skewness,
        excess_kurtosis=excess_kurtosis,
    )
    rng = np.random.default_rng([seed, 1])
    frame = chain_rows(made, rng)
    p = made.probability
    quotes = pl.DataFrame(
        {
            "ts": pl.Series(made.times_ns).cast(_TIME),
            "probability": p,
            "bid": np.maximum(p - 0.005, 0.0),
            "ask": np.minimum(p + 0.005, 1.0),
        }
    )
    happened = bool(rng.random() < made.truth.probability[-1])
    mean = float(made.truth.laws[-1].means[0 if happened else 1])
    step = span.step_days / 365.0
    price = mean * math.exp(span.spot_vol * math.sqrt(step) * float(rng.standard_normal()))
    at_ns = int(made.times_ns[-1]) + round(step * _YEAR_NS)
    truth = (
        f"log(m1/m0) = {delta:g}, log ratio of volatilities {log_vol_ratio:g}, shape of either "
        f"state: skewness {skewness:g}, excess kurtosis {excess_kurtosis:g}; {span.n_times} "
        f"snapshots while the probability goes from {p[0]:.2f} to {p[-1]:.2f}"
    )
    return StatesFrame(frame, quotes, made, happened, price, at_ns, truth)


def chain_rows(made: TwoStates, rng: np.random.Generator) -> pl.DataFrame:
    """Quotes of both rights at every strike and snapshot, the other right drawn from ``rng``."""
    return check_options(pl.concat(_both_rights(made, rng)))


def _both_rights(made: TwoStates, rng: np.random.Generator) -> list[pl.DataFrame]:
    """One frame a snapshot and right."""
    expiry = int(made.times_ns[0]) + round(float(made.tau[0]) * _YEAR_NS)
    day = str(np.datetime64(expiry, "ns").astype("datetime64[D]"))
    parts = []
    for i in range(made.times_ns.size):
        parity = made.forward[i] - made.strikes
        for call in (True, False):
            bid, ask = made.bids[i].copy(), made.asks[i].copy()
            other = made.is_call != call
            moved = parity if call else -parity
            value = 0.5 * (bid + ask) + moved
            half = 0.5 * (ask - bid) + _CENT_TICKS * made.tick
            fair = value + 0.4 * half * rng.uniform(-1.0, 1.0, value.size)
            bid[other] = _ticks(fair - half, made.tick)[other]
            ask[other] = _ticks(fair + half, made.tick)[other]
            names = [
                f"{UNDERLYING} {day} {strike:.2f} {'C' if call else 'P'}" for strike in made.strikes
            ]
            parts.append(_rows(names, made, i, expiry, call, bid, ask))
    return parts


def _ticks(prices: FloatArray, tick: float) -> FloatArray:
    return np.asarray(np.maximum(np.round(prices / tick), 0.0) * tick)


def _rows(
    names: list[str],
    made: TwoStates,
    i: int,
    expiry: int,
    call: bool,
    bid: FloatArray,
    ask: FloatArray,
) -> pl.DataFrame:
    n = made.strikes.size
    kept = (pl.col("ask") > 0.0) & (pl.col("bid") <= pl.col("ask"))
    return (
        pl.DataFrame(
            {
                "symbol": names,
                "underlying": [UNDERLYING] * n,
                "ts": pl.Series([int(made.times_ns[i])] * n).cast(_TIME),
                "expiry": pl.Series([expiry] * n).cast(_TIME),
                "strike": made.strikes,
                "is_call": [call] * n,
                "style": ["european"] * n,
                "settlement": ["cash"] * n,
                "bid": pl.Series(bid),
                "ask": pl.Series(ask),
            }
        )
        .filter(kept)
        .with_columns(pl.when(pl.col("bid") > 0).then("bid").alias("bid"))
    )
