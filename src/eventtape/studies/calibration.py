"""Do the study's intervals cover the truth, and does it stay quiet where there is nothing?

Whole simulated nights go through the whole study, as a user's would. On half of them the markets
respond to the probability with known gaps and lags; on the other half (the placebo) they respond to
another probability of the same law. What is counted is what the study prints: a gap's interval
against the true gap, a lag's against the true lag, a prediction's against the realised move; and on
the placebo, gaps away from zero and links and leaders named where there are none. A leader named by
a method of the leadership section is right where its true lag is the shorter; on the placebo night
pairs with the probability have none, and on a shuffled copy of the linked night no pair has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.simulate import MarketTruth, event_night
from eventtape.studies.diffusion import run as diffusion
from eventtape.studies.diffusion_rows import Config, DiffusionResult, second_behind_first
from eventtape.studies.events import SIMULATED
from eventtape.studies.leadership_rows import METHODS
from eventtape.studies.words import minutes

__all__ = ["DESIGNS", "Check", "Design", "checks_of_night", "summarise"]

# No windows; one shuffled copy of each night.
CONFIG = Config(horizons_s=(300.0, 600.0, 1800.0, 3600.0), rolling_s=1e6, placebo_runs=1)


class Check(NamedTuple):
    """One yes-or-no: did this number of this night do what its nominal rate promises?"""

    quantity: str
    detail: str
    nominal: float
    answered: bool  # False: the study refused to give the number
    held: bool


class Design(NamedTuple):
    """A kind of night: how loud the markets' own noise is, and how the news arrives."""

    noise: float  # multiplies every market's own volatility
    news_share: float  # part of that noise that arrives with the news
    n_jumps: int
    delay_s: float = 0.0  # the probability is stamped late by up to this
    spread_s: float = 0.0  # markets take this long to answer in full
    restless: float = 1.0  # markets' own volatility in the second half over the first


DESIGNS = {
    "ordinary": Design(noise=1.0, news_share=1.0 / 3.0, n_jumps=8),
    "loud": Design(noise=5.0, news_share=1.0 / 3.0, n_jumps=8),
    "smooth": Design(noise=1.0, news_share=0.0, n_jumps=0),
    "stale": Design(noise=1.0, news_share=1.0 / 3.0, n_jumps=8, delay_s=60.0),
    "slow": Design(noise=1.0, news_share=1.0 / 3.0, n_jumps=8, spread_s=1200.0),
    "restless": Design(noise=1.0, news_share=1.0 / 3.0, n_jumps=8, restless=1.5),
}
"""Ordinary; most links drown; no announcement; late stamps; slow answers; a louder second half."""


def checks_of_night(seed: int, design: str = "ordinary") -> list[Check]:
    """All checks of the night of that seed: one linked tape, one placebo tape, both full studies.

    Three markets of different gap and noise, their lags drawn anew from -2 to +4 minutes.
    """
    if design not in DESIGNS:
        raise InputError(f"a design among {', '.join(DESIGNS)}", met=design)
    kind = DESIGNS[design]
    rng = np.random.default_rng([seed, 1])
    markets = tuple(
        MarketTruth(
            label,
            gap,
            float(rng.uniform(-120.0, 240.0)),
            volatility=volatility * kind.noise,
            news_share=kind.news_share,
            spread_s=kind.spread_s,
            restless=kind.restless,
        )
        for label, gap, volatility in (
            ("coin", 0.12, 0.0008),
            ("index", 0.03, 0.00025),
            ("currency", -0.02, 0.0002),
        )
    )
    linked, placebo = (
        diffusion(
            event_night(
                seed,
                markets=markets,
                n_jumps=kind.n_jumps,
                quote_delay_s=kind.delay_s,
                independent=alone,
            ).tape,
            SIMULATED,
            CONFIG,
        )
        for alone in (False, True)
    )
    truth = {m.label: m for m in markets}
    checks = [*_linked(linked, truth), *_placebo(placebo)]
    return [*checks, *_leaders(linked, truth), *_false_leaders(linked, placebo)]


def _linked(result: DiffusionResult, truth: dict[str, MarketTruth]) -> list[Check]:
    level = result.config.level
    out = []
    for row in result.gaps:
        held = row.estimate.lower <= truth[row.market].gap <= row.estimate.upper
        detail = f"{row.horizon_s:g} s"
        out.append(Check("gap covered", detail, level, row.status is Status.OK, held))
    for other in result.comparisons:
        held = other.lower <= truth[other.market].gap <= other.upper
        detail = f"{other.horizon_s:g} s, {other.method}"
        out.append(Check("gap covered", detail, level, other.status is Status.OK, held))
    for pair in result.lead_lags:
        first, second = (truth[n].lag_s if n in truth else 0.0 for n in (pair.first, pair.second))
        lag = second - first
        _, lower, upper = second_behind_first(pair)
        detail = "probability, market" if pair.first == SIMULATED.primary else "market, market"
        held = lower <= lag <= upper
        out.append(Check("lag covered", detail, level, math.isfinite(lower), held))
        right = pair.leader == (pair.second if lag < 0.0 else pair.first)
        out.append(Check("named leader right", detail, level, pair.leader is not None, right))
    for score in result.scores:
        if score.sample == "out":
            held = score.lower <= score.realised <= score.upper
            detail = f"gap from the first half, {result.config.headline_s:g} s"
            out.append(Check("move covered", detail, level, score.status is Status.OK, held))
    return out


def _placebo(result: DiffusionResult) -> list[Check]:
    alpha = 1.0 - result.config.level
    out = []
    for row in result.gaps:
        away = not row.estimate.lower <= 0.0 <= row.estimate.upper
        detail = f"{row.horizon_s:g} s"
        out.append(Check("placebo: gap shown", detail, alpha, row.status is Status.OK, away))
    for pair in result.lead_lags:
        if pair.first == SIMULATED.primary:
            linked = pair.status is not Status.NOT_IDENTIFIED
            out.append(Check("placebo: link found", "probability, market", alpha, True, linked))
            named = pair.leader is not None
            out.append(Check("placebo: leader named", "probability, market", alpha, True, named))
    return out


def _leaders(result: DiffusionResult, truth: dict[str, MarketTruth]) -> list[Check]:
    """Of the leaders each method names, those whose true lag is the shorter."""
    lag = {SIMULATED.primary: 0.0} | {label: market.lag_s for label, market in truth.items()}
    out = []
    for edge in result.leadership.edges:
        named = edge.leader is not None
        right = named and lag[str(edge.leader)] < lag[str(edge.follower)]
        detail = f"{edge.method}, " + (minutes(edge.step_s) if edge.step_s else "ticks")
        out.append(Check("named leader right", detail, result.config.level, named, right))
    return out


def _false_leaders(linked: DiffusionResult, placebo: DiffusionResult) -> list[Check]:
    """Whether a night has any leader where there is none, by method.

    On the placebo night those are the pairs with the probability; once the feeds of the linked
    night are shuffled, all pairs.
    """
    alpha, quantity = 1.0 - linked.config.level, "placebo: leader named"
    named = {
        edge.method
        for edge in placebo.leadership.edges
        if edge.leader is not None and SIMULATED.primary in (edge.first, edge.second)
    }
    alone = "any pair with the probability"
    out = [
        Check(quantity, f"{method}, {alone}", alpha, True, method in named)
        for method in METHODS
        if method != "shared trend"
    ]
    out.append(Check(quantity, f"any method, {alone}", alpha, True, bool(named)))
    for row in linked.leadership.placebos:
        by = "any method" if row.method == "any" else row.method
        out.append(Check(quantity, f"{by}, shuffled feeds", alpha, row.asked > 0, row.named > 0))
    return out


def summarise(checks: Iterable[Check]) -> pl.DataFrame:
    """Rates by quantity and detail, with the Wilson 95% interval of the rate itself."""
    frame = pl.DataFrame(list(checks), schema=Check._fields, orient="row")
    rows = frame.group_by("quantity", "detail", "nominal", maintain_order=True).agg(
        pl.col("held").filter(pl.col("answered")).mean().alias("rate"),
        pl.col("answered").sum().alias("answered"),
        pl.len().alias("asked"),
    )
    n, p, z = pl.col("answered"), pl.col("rate"), 1.959963984540054
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)).sqrt()
    return rows.with_columns((centre - half).alias("rate_low"), (centre + half).alias("rate_high"))
