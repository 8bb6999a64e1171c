"""What is read off one fitted chain: quotes, grid, quantiles, moments, tails, checks beside it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.density.breeden_litzenberger import smile_at
from eventtape.estimators.density.density_quantities import density_at, quantiles, tails
from eventtape.estimators.density.density_quantities_moments import moments
from eventtape.estimators.density.fit import Density
from eventtape.estimators.density.repair import repair
from eventtape.estimators.density.smile_observations import QuoteFate
from eventtape.estimators.pricing.implied_vol import implied_vol
from eventtape.estimators.pricing.terminal_law import TerminalLaw, law_prices
from eventtape.studies.densities_checks import cross_checks, quote_checks
from eventtape.studies.densities_european import EuropeanChain
from eventtape.studies.densities_rows import ChainDensity, DensitiesConfig, Surface
from eventtape.tape.chains import Chain

__all__ = ["FATE_WORDS", "WITH_NUMBERS", "as_row"]

FATE_WORDS = {
    QuoteFate.USED: "used",
    QuoteFate.MISSING: "not quoted",
    QuoteFate.ONE_SIDED: "one side only",
    QuoteFate.ZERO_BID: "no bid",
    QuoteFate.CROSSED: "crossed",
    QuoteFate.NEGATIVE: "negative",
    QuoteFate.NO_VOLATILITY: "outside the bounds of arbitrage",
    QuoteFate.IN_THE_MONEY: "in the money",
    QuoteFate.OUTLIER: "off the smile",
    QuoteFate.ONE_TICK: "a bid of one tick",
}
_AT_EXERCISE = "worth exercising at once"
_NO_FIT = "no density"
_FAR = 1e-4  # probability beyond which a simulated truth is not drawn as a volatility
WITH_NUMBERS = (Status.OK, Status.NOT_RESOLVED)  # of a fit
_FITS = {
    Status.TOO_FEW: "under five quotes with a volatility",
    Status.NOT_IDENTIFIED: (
        "the quotes have no smile: one price at all strikes, no volatility, or another forward"
    ),
    Status.NOT_RESOLVED: "more detail than the fit carries: the errors are too small",
    Status.NO_CONVERGENCE: "the fit does not come to rest",
}


def as_row(
    chain: Chain,
    american: bool,
    european: EuropeanChain | None,
    rate_source: str,
    law: Density | None,
    before: tuple[Status, str],
    surface: Surface,
    config: DensitiesConfig,
    truth: TerminalLaw | None,
) -> ChainDensity:
    """The row of one chain; ``before`` is its status ahead of the fit."""
    status, reason = before
    if law is not None and status is Status.OK:
        status, reason = law.status, _FITS.get(law.status, "")
    found = law if law is not None and law.status in WITH_NUMBERS else None
    quotes = _quotes(chain, european, law, american=american)
    read: dict[str, Any] = dict.fromkeys(("quantiles", "moments", "tails", "repaired"))
    atm = error = skew = math.nan
    violations: tuple[Any, ...] = ()
    if found is not None:
        at_forward = np.array([found.forward])
        at = density_at(found.smile, at_forward)
        atm, error = float(at.vol[0]), float(at.vol_error[0])
        skew = float(smile_at(found.smile, at_forward)[1][0]) / math.sqrt(found.tau)
        ends = (found.tails.low_strike, found.tails.high_strike)
        read["quantiles"] = quantiles(found.smile, config.probabilities)
        read["moments"] = moments(found.smile, low_strike=ends[0], high_strike=ends[1])
        read["tails"] = tails(found.smile, *ends)
        read["repaired"] = repair(found.smile) if config.repair else None
        violations = _violations(surface, chain.expiry_ns)
    grid = _grid(found, truth, read["repaired"])
    asked = config.checks and found is not None and european is not None
    ages = chain.age_s[np.isfinite(chain.age_s)]
    return ChainDensity(
        underlying=chain.underlying,
        expiry_ns=chain.expiry_ns,
        at_ns=chain.at_ns,
        settlement=chain.settlement,
        american=american,
        tau=chain.tau,
        european=european,
        rate_source=rate_source,
        density=law,
        quotes=quotes,
        grid=grid,
        atm_vol=atm,
        atm_vol_error=error,
        skew=skew,
        violations=violations,
        quote_arbitrage=quote_checks(chain, european, american=american),
        cross_checks=cross_checks(quotes, found, grid) if asked and found is not None else (),
        truth=truth,
        too_old=chain.too_old,
        median_age_s=float(np.median(ages)) if ages.size else math.nan,
        status=status,
        reason=reason,
        **read,
    )


def _violations(surface: Surface, expiry_ns: int) -> tuple[Any, ...]:
    if surface.report is None or expiry_ns not in surface.expiries:
        return ()
    mine = surface.expiries.index(expiry_ns)
    return tuple(check for check in surface.report.failed() if check.expiry == mine)


def _quotes(
    chain: Chain, made: EuropeanChain | None, law: Density | None, *, american: bool
) -> pl.DataFrame:
    """A row a quote: prices as listed and as European ones, volatilities, fate in words."""
    n = chain.strikes.size
    nothing = np.full(n, math.nan)
    bids, asks = (made.bids, made.asks) if made is not None else (chain.bids, chain.asks)
    vols = dict.fromkeys(("bid_vol", "ask_vol", "mid_vol", "fitted_vol", "vol_error"), nothing)
    known = made is not None and math.isfinite(made.forward.forward)
    if made is not None and known:
        for name, price in (("bid_vol", bids), ("ask_vol", asks), ("mid_vol", 0.5 * (bids + asks))):
            vols[name] = _vols(price, chain, made)
    fates = [_NO_FIT] * n
    if law is not None:
        fates = [FATE_WORDS[QuoteFate(int(fate))] for fate in law.report.fates]
    if law is not None and law.status in WITH_NUMBERS and n:
        at = density_at(law.smile, chain.strikes)
        vols["fitted_vol"], vols["vol_error"] = at.vol, at.vol_error
    if made is not None and american:
        silent = made.at_exercise
        fates = [
            _AT_EXERCISE if out and fate != "used" else fate
            for out, fate in zip(silent, fates, strict=True)
        ]
    return pl.DataFrame(
        {
            "strike": chain.strikes,
            "is_call": chain.is_call,
            "bid": chain.bids,
            "ask": chain.asks,
            "bid_size": chain.bid_sizes,
            "ask_size": chain.ask_sizes,
            "age_s": chain.age_s,
            "european_bid": bids,
            "european_ask": asks,
            "premium": made.premium if made is not None else nothing,
            **vols,
            "fate": pl.Series(fates, dtype=pl.String),
        },
        nan_to_null=True,
    )


def _vols(price: FloatArray, chain: Chain, made: EuropeanChain) -> FloatArray:
    """Volatilities of the prices that have one; NaN elsewhere."""
    out = np.full(price.size, math.nan)
    there = np.isfinite(price) & (price > 0.0)
    if there.any():
        out[there] = implied_vol(
            price[there],
            made.forward.forward,
            chain.strikes[there],
            chain.tau,
            is_call=chain.is_call[there],
            discount=made.forward.discount,
        ).vol
    return out


def _true_vol(truth: TerminalLaw, found: Density) -> pl.Series:
    """The truth's own smile, where its prices still say a volatility."""
    strikes, inside = found.strikes, (found.cdf > _FAR) & (found.cdf < 1.0 - _FAR)
    out, call = np.full(strikes.size, math.nan), truth.forward <= strikes
    prices = law_prices(truth, strikes[inside], call[inside])
    out[inside] = implied_vol(
        prices, truth.forward, strikes[inside], found.tau, is_call=call[inside]
    ).vol
    return pl.Series(out).fill_nan(None)


def _grid(found: Density | None, truth: TerminalLaw | None, repaired: Any) -> pl.DataFrame:
    names = ("strike", "pdf", "cdf", "vol", "pdf_error", "cdf_error", "vol_error")
    if found is None:
        empty = {name: pl.Series(dtype=pl.Float64) for name in names}
        return pl.DataFrame({**empty, "beyond": pl.Series(dtype=pl.Boolean)})
    strikes = found.strikes
    frame = pl.DataFrame(
        {
            "strike": strikes,
            "pdf": found.pdf,
            "cdf": found.cdf,
            "vol": found.vol,
            "pdf_error": found.pdf_error,
            "cdf_error": found.cdf_error,
            "vol_error": found.vol_error,
            "beyond": (found.tails.low_strike > strikes) | (found.tails.high_strike < strikes),
        }
    )
    if truth is not None:
        frame = frame.with_columns(
            truth_pdf=truth.pdf(strikes),
            truth_cdf=truth.cdf(strikes),
            truth_vol=_true_vol(truth, found),
        )
    if repaired is not None and repaired.status is Status.OK:
        at = density_at(repaired.smile, strikes)
        frame = frame.with_columns(repaired_pdf=at.pdf, repaired_cdf=at.cdf, repaired_vol=at.vol)
    return frame
