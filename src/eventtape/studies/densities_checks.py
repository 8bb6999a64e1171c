r"""Checks beside a density: other laws fitted to the same quotes, and the quotes' own arbitrage.

Two lognormal states, Kou's jump diffusion and an SVI smile are fitted to the mids of the quotes the
density used, European ones, with the standard error (ask - bid) / sqrt(12) of a value anywhere in
its spread, and held to the same forward. The distance is the integral of \|f - g\| over the grid: 0
for one law, 2 for two that never meet. A distance above what the density's own band allows says
that the quotes want a shape the other law has not, or the reverse; it does not say which is right.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.density.fit import Density
from eventtape.estimators.density.kou_fit import fit_kou
from eventtape.estimators.density.raw_arbitrage import QuoteViolation, quote_arbitrage
from eventtape.estimators.density.svi_fit import fit_svi
from eventtape.estimators.density.two_lognormal import fit_two_lognormal
from eventtape.studies.densities_european import EuropeanChain
from eventtape.studies.densities_rows import CrossCheck, LockedIn
from eventtape.tape.chains import Chain

__all__ = ["cross_checks", "quote_checks"]

_UNIFORM = math.sqrt(12.0)
_NOT_NEEDED = "one volatility would do"


def cross_checks(quotes: pl.DataFrame, law: Density, grid: pl.DataFrame) -> tuple[CrossCheck, ...]:
    """Two lognormals, SVI and Kou's law on the quotes used, each with its distance and its fate."""
    used = quotes.filter((pl.col("fate") == "used") & pl.col("european_bid").is_not_null())
    strikes = used["strike"].to_numpy()
    call = used["is_call"].to_numpy()
    bid, ask = used["european_bid"].to_numpy(), used["european_ask"].to_numpy()
    mid, spread = 0.5 * (bid + ask), ask - bid
    least = float(spread[spread > 0.0].min()) if (spread > 0.0).any() else 0.01
    errors = np.maximum(spread, least) / _UNIFORM
    known = {"forward": law.forward, "tau": law.tau}
    prices = {**known, "discount": law.discount}
    two = fit_two_lognormal(strikes, call, mid, errors, **prices)
    jumps = fit_kou(strikes, call, mid, errors, **prices)
    vol = used["mid_vol"].to_numpy()
    wide = (used["ask_vol"] - used["bid_vol"]).to_numpy()
    there = np.isfinite(vol) & np.isfinite(wide)
    narrow = float(wide[there & (wide > 0.0)].min()) if (there & (wide > 0.0)).any() else 1e-3
    svi = fit_svi(strikes[there], vol[there], np.maximum(wide[there], narrow) / _UNIFORM, **known)
    wings = "" if svi.butterfly is None or svi.butterfly.free else "has butterfly arbitrage"
    return (
        _check("two lognormals", two, grid, _needed(two.status)),
        _check("SVI", svi, grid, wings),
        _check("Kou jump diffusion", jumps, grid, _needed(jumps.status)),
    )


def quote_checks(
    chain: Chain, european: EuropeanChain | None, *, american: bool
) -> tuple[LockedIn, ...]:
    """What could be locked in at the quotes as listed, before any model, by kind.

    European options are held to the forward, give or take two of its errors, as well; American
    ones to what needs none.
    """
    if european is None:  # too few quotes to trade, or one option listed twice
        return ()
    known: dict[str, float] = {}
    if european.status is Status.OK and not american:
        found = european.forward
        known = {
            "forward": found.forward,
            "discount": found.discount,
            "forward_open": 2.0 * found.forward_error,
        }
    told = quote_arbitrage(
        chain.strikes,
        chain.is_call,
        chain.bids,
        chain.asks,
        **known,
    )
    by_kind: dict[str, list[QuoteViolation]] = {}
    for violation in told.violations:
        by_kind.setdefault(str(violation.kind), []).append(violation)
    return tuple(
        LockedIn(kind, len(some), some[0].gain, some[0].strikes) for kind, some in by_kind.items()
    )


def _needed(status: Status) -> str:
    return _NOT_NEEDED if status is Status.NOT_IDENTIFIED else ""


def _check(name: str, fit: Any, grid: pl.DataFrame, note: str) -> CrossCheck:
    strikes, ours = grid["strike"].to_numpy(), grid["pdf"].to_numpy()
    theirs = (
        np.full(strikes.size, math.nan) if fit.law is None else np.asarray(fit.law.pdf(strikes))
    )
    return CrossCheck(
        name,
        _distance(strikes, ours, theirs),
        theirs,
        {key: float(value) for key, value in fit.params._asdict().items()},
        {key: float(value) for key, value in fit.errors._asdict().items()},
        fit.status,
        note,
    )


def _distance(strikes: FloatArray, f: FloatArray, g: FloatArray) -> float:
    return float(np.trapezoid(np.abs(f - g), strikes))
