"""Chains for tests of the densities: simulated quotes as the tape's chains, and odd ones."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from scipy.special import ndtr

from eventtape.clock import parse_ns
from eventtape.estimators.pricing.american import american
from eventtape.estimators.pricing.binomial import binomial
from eventtape.estimators.pricing.lognormal_mixture import lognormal
from eventtape.simulate.option_chain import option_chain
from eventtape.tape.chains import Chain

AT = parse_ns("2001-03-01T21:00Z")
DAY = 86_400 * 1_000_000_000


def as_chain(made, *, name="TEST", style="european", spot=math.nan, **columns):
    """A simulated chain as one of the tape's; ``columns`` replace its arrays."""
    fields = {
        "strikes": made.strikes,
        "is_call": made.is_call,
        "bids": np.where(made.bids > 0.0, made.bids, math.nan),
        "asks": made.asks,
        "bid_sizes": made.bid_sizes.astype(float),
        "ask_sizes": made.ask_sizes.astype(float),
        **columns,
    }
    n = fields["strikes"].size
    return Chain(
        underlying=name,
        expiry_ns=AT + round(made.tau * 365.0) * DAY,
        at_ns=AT,
        style=style,
        settlement="cash",
        tau=made.tau,
        underlying_price=spot,
        age_s=np.zeros(n),
        too_old=0,
        frame=pl.DataFrame(),
        **fields,
    )


def lognormal_chain(days=30, vol=0.3, *, seed=1, forward=100.0, n_strikes=40, **options):
    """Quotes around Black's prices."""
    law = lognormal(forward, days / 365.0, vol)
    return option_chain(law, seed=seed, n_strikes=n_strikes, **options)


def some(chain, rows):
    """The chain with these rows only."""
    names = ("strikes", "is_call", "bids", "asks", "bid_sizes", "ask_sizes", "age_s")
    return chain._replace(**{name: getattr(chain, name)[rows] for name in names})


def american_chain(*, spot, rate, dividend_yield, vol, days, seed=1, name="TEST", known_spot=True):
    """Quotes around American prices of a lognormal stock."""
    tau = days / 365.0
    law = lognormal(spot * math.exp((rate - dividend_yield) * tau), tau, vol)

    def priced(strikes, is_call):
        return american(spot, strikes, tau, rate, dividend_yield, vol, is_call=is_call).price

    made = option_chain(law, seed=seed, n_strikes=40, pricer=priced)
    return as_chain(made, style="american", spot=spot if known_spot else math.nan, name=name)


def dividend_chain(*, spot=100.0, rate=0.05, vol=0.2, days=60, ex_days=10, cash=1.5, seed=1):
    """Quotes around American prices, on a tree, of a stock that pays cash once before expiry."""
    tau, paid = days / 365.0, ([ex_days / 365.0], [cash])
    prepaid = spot - cash * math.exp(-rate * ex_days / 365.0)
    law = lognormal(prepaid * math.exp(rate * tau), tau, vol)

    def priced(strikes, is_call):
        return binomial(
            spot, strikes, tau, rate, 0.0, vol,
            is_call=is_call, dividends=paid, dividend_model="escrowed",
        ).price  # fmt: skip

    made = option_chain(law, seed=seed, n_strikes=40, half_spread=(0.005, 0.0), pricer=priced)
    return as_chain(made, style="american", spot=spot), law


def vogt_chain(forward=10_000.0):
    """Quotes of Vogt's smile, whose density is below 0 for k in (0.64, 1.26): no law has them.

    Raw SVI (-.0410, .1331, .3586, .3060, .4153) at one year (Gatheral and Jacquier 2014).
    """
    k = np.linspace(-1.5, 1.5, 90)
    strikes = forward * np.exp(k)
    w = -0.0410 + 0.1331 * (0.3060 * (k - 0.3586) + np.hypot(k - 0.3586, 0.4153))
    d2 = -k / np.sqrt(w) - 0.5 * np.sqrt(w)
    calls = forward * ndtr(d2 + np.sqrt(w)) - strikes * ndtr(d2)
    prices = np.concatenate([calls, calls - forward + strikes])
    half = 0.01 + 0.002 * prices
    n = k.size
    return Chain(
        underlying="VOGT",
        expiry_ns=AT + 365 * DAY,
        at_ns=AT,
        style="european",
        settlement="cash",
        tau=1.0,
        underlying_price=math.nan,
        strikes=np.tile(strikes, 2),
        is_call=np.repeat([True, False], n),
        bids=np.where(prices > half, np.round(prices - half, 2), math.nan),
        asks=np.round(prices + half, 2),
        bid_sizes=np.full(2 * n, 10.0),
        ask_sizes=np.full(2 * n, 10.0),
        age_s=np.zeros(2 * n),
        too_old=0,
        frame=pl.DataFrame(),
    )
