"""What the densities say in sentences, and whether a chain's smile is clean, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import Status
from eventtape.estimators.density.no_arbitrage import Check, CheckName
from eventtape.studies.densities_rows import SURE, ChainDensity, DensitiesResult
from eventtape.studies.words import Finding, named

__all__ = [
    "arbitrage_words",
    "findings",
    "left_out_words",
    "price",
    "price_with_error",
    "quantile_words",
    "sure",
    "violation_words",
    "width",
]

# Five checks see one fact, a density below 0: the first of them speaks for all
_SAME = (
    CheckName.BUTTERFLY,
    CheckName.NEGATIVE_MASS,
    CheckName.MONOTONE,
    CheckName.BOUNDS,
    CheckName.CALL_SPREAD,
)
_MOST = 3
_NEGLIGIBLE = 1e-8


def findings(result: DensitiesResult) -> tuple[Finding, ...]:
    """The study's sentences: how many densities, where each stands, arbitrage, who has none."""
    out = [_count(result)]
    out += [_chain(chain, result.config.level) for chain in result.found[:_MOST]]
    out += [_arbitrage(result)] if result.found else []
    out += [_tails(result)] if result.found else []
    if any(math.isfinite(c.truth_distance) for c in result.found):
        out.append(_truth(result))
    if result.config.checks and result.found:
        out.append(_checks(result))
    if result.config.repair and result.found:
        out.append(_repaired(result))
    refused = [chain for chain in result.chains if not chain.found]
    out += [Finding(f"{c.name}: no density, {c.reason or c.status}.", c.status) for c in refused]
    return tuple(out)


def width(level: float) -> float:
    """How many standard errors a band of this level reaches to either side.

    >>> round(width(0.95), 3)
    1.96
    """
    return float(ndtri(0.5 + 0.5 * level))


def price(value: float, error: float = 0.0) -> str:
    """A price with as many decimals as its error (or its size) bears out.

    >>> price(6512.3456), price(101.23456, 0.0004), price(float("nan"))
    ('6,512.3', '101.2346', '—')
    """
    if not math.isfinite(value):
        return "—"
    scale = error if 0.0 < error < math.inf else abs(value) * 1e-4
    decimals = min(max(1 - math.floor(math.log10(scale)), 0), 4) if scale > 0.0 else 2
    return f"{value:,.{decimals if error else max(decimals - 1, 0)}f}"


def price_with_error(value: float, error: float) -> str:
    """A price, plus or minus its standard error.

    >>> price_with_error(257.2738, 0.0112)
    '257.274 ± 0.011'
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
        return price(value)
    decimals = min(max(1 - math.floor(math.log10(error)), 0), 4)
    return f"{value:,.{decimals}f} ± {error:.{decimals}f}"


def quantile_words(chain: ChainDensity, index: int) -> str:
    """One quantile with its error, or a dash."""
    if chain.quantiles is None:
        return "—"
    found = chain.quantiles
    return price_with_error(float(found.prices[index]), float(found.errors[index]))


def sure(check: Check) -> bool:
    """Whether a violation is beyond what the quotes leave open: two errors, or no error known.

    A sum that misses by a rounding has no error and is not one.
    """
    if math.isfinite(check.over_error):
        return check.over_error <= SURE
    return check.worst < -_NEGLIGIBLE


def distinct(violations: Iterable[Check]) -> tuple[Check, ...]:
    """The violations, those that follow from a negative density under one name, roundings left out.

    A violation without an error of its own counts with its size.
    """
    kept: list[Check] = []
    for check in violations:
        follows = check.name in _SAME and any(other.name in _SAME for other in kept)
        if not follows and (math.isfinite(check.over_error) or check.worst < -_NEGLIGIBLE):
            kept.append(check)
    return tuple(kept)


def violation_words(check: Check) -> str:
    """``butterfly near 231 (0.7 errors)``."""
    where = f" near {price(check.strike)}" if 0.0 < check.strike < math.inf else " in a wing"
    where = where if math.isfinite(check.strike) or check.strike == math.inf else ""
    size = f" ({-check.over_error:.1f} errors)" if math.isfinite(check.over_error) else ""
    return f"{check.name}{where}{size}"


def arbitrage_words(chain: ChainDensity) -> str:
    """``clean``, or the names of the violations, each with its size in its own errors."""
    if not chain.found:
        return "—"
    return ", ".join(violation_words(check) for check in distinct(chain.violations)) or "clean"


def left_out_words(chain: ChainDensity, most: int = 3) -> str:
    """``36 worth exercising at once, 28 one side only``: the quotes not used, by reason."""
    fates = {fate: n for fate, n in chain.fates.items() if fate != "used"}
    return named([f"{n} {fate}" for fate, n in fates.items()], most) or "none"


def _count(result: DensitiesResult) -> Finding:
    n, found = len(result.chains), len(result.found)
    if not found:
        return Finding(f"None of {n} chains has a density.", result.chains[0].status)
    used = sum(chain.fates["used"] for chain in result.found)
    given = sum(chain.quotes.height for chain in result.chains)
    names = sorted({chain.underlying for chain in result.chains})
    text = (
        f"{found} of {n} {'chain' if n == 1 else 'chains'} of {named(names, 4)} "
        f"{'has' if found == 1 else 'have'} a density, from {used:,} of {given:,} quotes."
    )
    return Finding(text, Status.OK)


def _chain(chain: ChainDensity, level: float) -> Finding:
    at = chain.density
    assert at is not None
    assert chain.quantiles is not None
    z = width(level)
    vol, error = 100.0 * chain.atm_vol, 100.0 * z * chain.atm_vol_error
    text = (
        f"{chain.name} ({chain.days:.1f} days): forward "
        f"{price_with_error(at.forward, at.forward_error)}, volatility at it {vol:.2f}% "
        f"({level:.0%} band ± {error:.2f}), {_quantiles(chain)}"
        f"{f'; {chain.reason}' if chain.reason else ''}."
    )
    return Finding(text, chain.status)


def _quantiles(chain: ChainDensity) -> str:
    assert chain.quantiles is not None
    prices = chain.quantiles.prices
    if not np.isfinite(prices).all():
        return "quantiles not identified throughout"
    return f"quantiles {', '.join(price(float(x)) for x in prices)}"


def _arbitrage(result: DensitiesResult) -> Finding:
    each = [(chain, distinct(chain.violations)) for chain in result.found]
    clean = sum(not found for _, found in each)
    serious = [(chain, [v for v in found if sure(v)]) for chain, found in each]
    serious = [(chain, found) for chain, found in serious if found]
    n = len(each)
    if clean == n:
        what = "The density is" if n == 1 else f"All {n} densities are"
        return Finding(f"{what} free of arbitrage.", Status.OK)
    text = f"{clean} of {n} densities are free of arbitrage; "
    if not serious:
        return Finding(f"{text}every violation is within what the quotes leave open.", Status.OK)
    words = [f"{chain.name}: {violation_words(found[0])}" for chain, found in serious]
    many = "is" if len(words) == 1 else "are"
    text += f"{len(words)} {many} not by two errors or more ({named(words, _MOST)})."
    return Finding(text, Status.NOT_RESOLVED)


def _tails(result: DensitiesResult) -> Finding:
    worst = max(result.found, key=_beyond)
    return Finding(
        f"Beyond the last strikes used lies at most {_beyond(worst):.1%} of the probability "
        f"({worst.name}); its shape there is an assumption, flat wings, and not a quote's.",
        Status.OK,
    )


def _beyond(chain: ChainDensity) -> float:
    assert chain.tails is not None
    return chain.tails.mass_below + chain.tails.mass_above


def _truth(result: DensitiesResult) -> Finding:
    gaps = [chain.truth_distance for chain in result.found if chain.truth is not None]
    return Finding(
        f"Simulated: the distance of estimate and truth, the integral of their gap, is "
        f"{np.median(gaps):.4f} (median of {len(gaps)}; at most {max(gaps):.4f}, of 2).",
        Status.OK,
    )


def _checks(result: DensitiesResult) -> Finding:
    by_name: dict[str, list[float]] = {}
    for chain in result.found:
        for check in chain.cross_checks:
            if math.isfinite(check.distance):
                by_name.setdefault(check.name, []).append(check.distance)
    words = [f"{name} {np.median(gaps):.3f}" for name, gaps in by_name.items()]
    return Finding(
        f"Median distance of other laws fitted to the same quotes: {', '.join(words) or 'none'} "
        "(0 the same law, 2 none in common).",
        Status.OK if words else Status.NO_CONVERGENCE,
    )


def _repaired(result: DensitiesResult) -> Finding:
    done = [chain.repaired for chain in result.found if chain.repaired is not None]
    failed = sum(one.status is not Status.OK for one in done)
    changed = [one for one in done if one.status is Status.OK and one.changed]
    if not changed and not failed:
        return Finding("Repair had nothing to change.", Status.OK)
    text = f"Repair changed {len(changed)} of {len(done)} densities"
    if changed:
        moved, cost = max(c.moved for c in changed), max(c.price_change for c in changed)
        text += f", the largest by {moved:.4f} of 2 in distance and {cost:.3g} in price"
    text += f"; {failed} could not be repaired." if failed else "."
    return Finding(text, Status.NO_CONVERGENCE if failed else Status.OK)
