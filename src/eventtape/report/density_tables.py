"""The tables of the densities' page: one function a table, dashes where nothing was said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eventtape.arrays import Status
from eventtape.estimators.density.fit import SmileReport
from eventtape.report.cells import DASH, refused
from eventtape.report.html import Column, Html, badge, element, table
from eventtape.studies.densities_findings import (
    distinct,
    left_out_words,
    price,
    price_with_error,
    quantile_words,
    sure,
    width,
)
from eventtape.studies.densities_rows import ChainDensity, DensitiesResult

__all__ = [
    "arbitrage_table",
    "cross_table",
    "fate_table",
    "law_table",
    "locked_in_table",
    "moment_table",
    "refused_table",
    "repair_table",
    "tail_table",
    "trust_table",
]


def law_table(result: DensitiesResult) -> Html:
    """A row an expiry: forward, volatility, skew and quantiles."""
    names = ["Expiry", "Days", "Forward", "Volatility at it", "Slope", "Skewness"]
    names += [f"{100 * p:g}%" for p in result.config.probabilities]
    rows = []
    for chain in result.found:
        law = chain.density
        assert law is not None
        band = 100.0 * width(result.config.level) * chain.atm_vol_error
        rows.append(
            [
                _when(chain, result),
                f"{chain.days:.1f}",
                price_with_error(law.forward, law.forward_error),
                f"{100 * chain.atm_vol:.2f}% ± {band:.2f}",
                f"{chain.skew:+.3f}",
                _skewness(chain),
                *(quantile_words(chain, i) for i in range(len(result.config.probabilities))),
            ]
        )
    return table("Each expiry", _columns(names, text=(0,)), rows)


def trust_table(result: DensitiesResult) -> Html:
    """A row an expiry: what the density rests on, and whether it is free of arbitrage."""
    names = ["Expiry", "Arbitrage", "Negative mass", "Quotes used", "Rate", "Rate from"]
    names += ["Dividend yield", "Pairs", "Distance to truth" if result.simulated else ""]
    rows = []
    for chain in result.found:
        law, made = chain.density, chain.european
        assert law is not None
        assert made is not None
        found = made.forward
        row = [
            _when(chain, result),
            _verdict(chain),
            f"{law.negative_mass:.1e}" if law.negative_mass > 0.0 else "0",
            f"{chain.fates['used']} of {chain.quotes.height}",
            _rate(found.rate, found.rate_error),
            chain.rate_source,
            f"{_implied_yield(chain):.2%}" if math.isfinite(_implied_yield(chain)) else DASH,
            f"{found.pairs_used}",
            f"{chain.truth_distance:.4f}" if math.isfinite(chain.truth_distance) else DASH,
        ]
        rows.append(row if result.simulated else row[:-1])
    names = [name for name in names if name]
    return table("What they rest on", _columns(names, text=(0, 1, 5)), rows)


def _implied_yield(chain: ChainDensity) -> float:
    """The yield that takes the spot to the forward at the rate; NaN without a spot."""
    made = chain.european
    if made is None or not math.isfinite(made.spot):
        return math.nan
    return made.forward.rate - math.log(made.forward.forward / made.spot) / chain.tau


def refused_table(result: DensitiesResult) -> Html:
    """A row an expiry that has no density, and why."""
    rows = [
        (
            _when(chain, result),
            f"{chain.days:.1f}",
            f"{chain.quotes.height}",
            badge(chain.status),
            chain.reason or DASH,
        )
        for chain in result.chains
        if not chain.found
    ]
    names = ["Expiry", "Days", "Quotes", "Status", "Why"]
    return table("Expiries without a density", _columns(names, text=(0, 3, 4)), rows)


def arbitrage_table(result: DensitiesResult) -> Html:
    """A row a violation: the check, where, how much, and in its own errors."""
    rows = [
        (
            _when(chain, result),
            str(check.name),
            price(check.strike) if 0.0 < check.strike < math.inf else "wing",
            f"{check.worst:.2g}",
            f"{-check.over_error:.1f}" if math.isfinite(check.over_error) else DASH,
            "in the quotes" if sure(check) else "within what the quotes leave open",
        )
        for chain in result.found
        for check in chain.violations
    ]
    n, clean = len(result.found), sum(not distinct(chain.violations) for chain in result.found)
    said = element("p", f"{clean} of {n} expiries pass every check.")
    if not rows:
        return said
    names = ["Expiry", "Check", "Near", "Worst", "In errors", "Verdict"]
    made = table("Checks that failed", _columns(names, text=(0, 1, 5)), rows)
    return element("div", said, made)


def locked_in_table(result: DensitiesResult) -> Html:
    """A row an expiry and kind: how often, and the largest gain at the quotes as listed."""
    rows = [
        (
            _when(chain, result),
            found.kind,
            f"{found.times:,}",
            price(found.gain, 0.01),
            ", ".join(f"{strike:g}" for strike in found.strikes),
        )
        for chain in result.chains
        for found in chain.quote_arbitrage
    ]
    if not rows:
        return element("p", "None.")
    names = ["Expiry", "Trade", "How many", "Largest gain", "Its strikes"]
    return table("Gains at the quotes as listed", _columns(names, text=(0, 1, 4)), rows)


def tail_table(result: DensitiesResult) -> Html:
    """A row an expiry: what lies beyond the strikes used."""
    names = ["Expiry", "First strike", "Below it", "Share of variance", "Wing volatility"]
    names += ["Last strike", "Above it", "Share of variance ", "Wing volatility "]
    rows = []
    for chain in result.found:
        law, tails = chain.density, chain.tails
        assert law is not None
        assert tails is not None
        rows.append(
            (
                _when(chain, result),
                price(law.tails.low_strike),
                _share(tails.mass_below, tails.mass_below_error),
                f"{tails.variance_below:.1%}",
                _vol(tails.wing_vol_below, tails.wing_vol_below_error),
                price(law.tails.high_strike),
                _share(tails.mass_above, tails.mass_above_error),
                f"{tails.variance_above:.1%}",
                _vol(tails.wing_vol_above, tails.wing_vol_above_error),
            )
        )
    return table("Beyond the strikes used", _columns(names, text=(0,)), rows)


def moment_table(result: DensitiesResult) -> Html:
    """A row an expiry: moments of the log return, errors, and the part from the tails."""
    names = ["Expiry", "Sd, % of one", "Skewness", "from beyond", "Excess kurtosis", "from beyond "]
    rows: list[Sequence[str]] = []
    for chain in result.found:
        found = chain.moments
        if found is None or found.status is not Status.OK:
            why = refused(Status.NOT_IDENTIFIED if found is None else found.status)
            rows.append((_when(chain, result), why, *[DASH] * 4))
            continue
        m, e, part = found.log_return, found.log_return_errors, found.log_return_beyond
        rows.append(
            (
                _when(chain, result),
                f"{100 * m.sd:.3f} ± {100 * e.sd:.3f}",
                f"{m.skewness:.2f} ± {e.skewness:.2f}",
                f"{part.skewness:.0%}",
                f"{m.excess_kurtosis:.2f} ± {e.excess_kurtosis:.2f}",
                f"{part.excess_kurtosis:.0%}",
            )
        )
    return table("Moments of the log return to expiry", _columns(names, text=(0,)), rows)


def cross_table(result: DensitiesResult) -> Html:
    """A row an expiry and law: distance, parameters where they are identified, status."""
    rows = [
        (
            _when(chain, result),
            check.name,
            f"{check.distance:.4f}" if math.isfinite(check.distance) else DASH,
            badge(check.status),
            check.note or DASH,
            _parameters(check.parameters),
        )
        for chain in result.found
        for check in chain.cross_checks
    ]
    names = ["Expiry", "Law", "Distance", "Parameters are", "Note", "Parameters"]
    return table("Other laws", _columns(names, text=(0, 1, 3, 4, 5)), rows)


def repair_table(result: DensitiesResult) -> Html:
    """A row an expiry: what repair removed and moved."""
    names = ["Expiry", "Changed", "Negative mass removed", "Distance moved", "Largest price change"]
    names += ["at strike", "in errors", "Status"]
    rows = []
    for chain in result.found:
        done = chain.repaired
        if done is None:
            continue
        known = done.status is Status.OK and done.changed
        rows.append(
            (
                _when(chain, result),
                "yes" if done.changed else "no",
                f"{done.mass_removed:.1e}" if known else DASH,
                f"{done.moved:.4f}" if known else DASH,
                f"{done.price_change:.3g}" if known else DASH,
                price(done.at_strike) if known else DASH,
                f"{done.price_change_in_errors:.2f}" if known else DASH,
                badge(done.status),
            )
        )
    return table("Repair", _columns(names, text=(0, 1, 7)), rows)


def fate_table(result: DensitiesResult) -> Html:
    """A row an expiry: quotes given, used, why the others not, and what noise they were given."""
    names = ["Expiry", "Given", "Used", "Left out", "Older than asked", "Median age"]
    names += ["Noise scale", "Misfit", "Weight of sizes"]
    rows = []
    for chain in result.chains:
        fit = chain.density.report if chain.found and chain.density is not None else None
        rows.append(
            (
                _when(chain, result),
                f"{chain.quotes.height}",
                f"{chain.fates['used']}",
                left_out_words(chain, 9),
                f"{chain.too_old}",
                f"{chain.median_age_s:.0f} s" if math.isfinite(chain.median_age_s) else DASH,
                DASH if fit is None else f"{fit.noise_scale:.2f}",
                DASH if fit is None else f"{fit.misfit:.2f}",
                _weight(fit),
            )
        )
    return table("Quotes", _columns(names, text=(0, 3)), rows)


def _weight(fit: SmileReport | None) -> str:
    """The weight of sizes; a dash where no sizes differ."""
    if fit is None or not math.isfinite(fit.size_weight):
        return DASH
    return f"{fit.size_weight:.2f} ± {fit.size_weight_error:.2f}"


def _when(chain: ChainDensity, result: DensitiesResult) -> Html:
    return element("span", result.label(chain), class_="clock")


def _verdict(chain: ChainDensity) -> str:
    found = distinct(chain.violations)
    if not found:
        return "clean"
    names = ", ".join(str(check.name) for check in found)
    return names if any(sure(check) for check in found) else f"{names} (within errors)"


def _skewness(chain: ChainDensity) -> str:
    found = chain.moments
    if found is None or not math.isfinite(found.log_return.skewness):
        return DASH
    return f"{found.log_return.skewness:.2f} ± {found.log_return_errors.skewness:.2f}"


def _rate(value: float, error: float) -> str:
    if not math.isfinite(value):
        return DASH
    return f"{value:.2%} ± {100 * error:.2f}" if error < 1.0 else "not told"


def _share(value: float, error: float) -> str:
    return f"{value:.3%} ± {100 * error:.3f}" if math.isfinite(value) else DASH


def _vol(value: float, error: float) -> str:
    return f"{value:.1%} ± {100 * error:.1f}" if math.isfinite(value) else DASH


def _parameters(values: dict[str, float]) -> str:
    known = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items()
             if math.isfinite(value)]  # fmt: skip
    return ", ".join(known) or DASH


def _columns(names: Sequence[str], *, text: Sequence[int]) -> list[Column]:
    return [Column(name, numeric=i not in text) for i, name in enumerate(names)]
