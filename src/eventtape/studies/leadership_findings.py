"""Who moved first, in sentences: leaders after the control over all pairs, and the placebo."""

from __future__ import annotations

import math

from eventtape.arrays import Status
from eventtape.studies.diffusion_rows import DiffusionResult
from eventtape.studies.leadership import enough_draws
from eventtape.studies.leadership_rows import METHODS, Edge, Method, Placebo
from eventtape.studies.measured import measured
from eventtape.studies.words import Finding, chance, minutes, named

__all__ = [
    "between",
    "leader_findings",
    "measured_by",
    "placebo_sentence",
    "q_words",
    "step_words",
    "trend_caution",
]

FATES = (Status.NOT_IDENTIFIED, Status.NOT_RESOLVED, Status.TOO_FEW)
MOST_NAMED = 8


def leader_findings(result: DiffusionResult) -> list[Finding]:
    """Leaders by lag, then by the other methods, then what refused, the control and the placebo."""
    edges = result.leadership.edges
    out = [_lag(edge, result) for edge in _led(edges, "lead-lag")[:MOST_NAMED]]
    more = len(_led(edges, "lead-lag")) - MOST_NAMED
    if more > 0:
        out.append(Finding(f"{more} more pairs have a leader: see the table.", Status.OK))
    out += _refusals([edge for edge in edges if edge.method == "lead-lag"])
    out += [f for method in METHODS[1:] for f in _method(edges, method, result)]
    out += _fair_game(result)
    out += _control(result)
    return [*out, *_placebo(result)]


def placebo_sentence(result: DiffusionResult) -> str:
    """How often the same rules name a leader of shuffled feeds; empty where that was not tried."""
    rates = {row.method: row for row in result.leadership.placebos}
    if "any" not in rates:
        return ""
    by = ", ".join(
        f"{method} {rates[method].named}" for method in METHODS if rates[method].named > 0
    )
    if not rates["any"].asked:
        return (
            f"In {rates['any'].runs} runs on shuffled feeds no rule could be asked (too few rows, "
            "or stamps too coarse), so how often they err here is not known."
        )
    mute = [method for method in METHODS if not rates[method].asked]
    some = [
        f"{method} in {rates[method].asked} only"
        for method in METHODS
        if 0 < rates[method].asked < rates["any"].asked
    ]
    return (
        f"The same rules named a leader in {_rate(rates['any'])}{f': {by}' if by else ''}; "
        f"{rates['any'].n_draws} draws each."
        + (f" Could be asked there: {', '.join(some)}." if some else "")
        + (f" Not asked there, so not tried: {', '.join(mute)}." if mute else "")
    )


def _rate(row: Placebo) -> str:
    low, high = 100.0 * row.rate_low, 100.0 * row.rate_high
    return (
        f"{row.named} of {row.asked} runs on shuffled feeds, where nobody leads (95% interval of "
        f"the rate {low:.1f} to {high:.1f}%)"
    )


def _placebo(result: DiffusionResult) -> list[Finding]:
    said = placebo_sentence(result)
    asked = any(row.asked for row in result.leadership.placebos)
    return [Finding(said, Status.OK if asked else Status.TOO_FEW)] if said else []


def trend_caution(result: DiffusionResult) -> str:
    """What a shared trend that names a leader is worth; empty where none does."""
    if not _led(result.leadership.edges, "shared trend"):
        return ""
    row = next(r for r in measured()["rates"] if r["detail"] == "shared trend, 60 s")
    return (
        "Prices that answer the same news look tied while it is loud: on simulated nights, where "
        f"no two share a trend for good, a leader to one was named for "
        f"{row['answered'] / row['asked']:.0%} of pairs (it did move first in {row['rate']:.0%} of "
        "those). Shuffling takes the common news away, so the placebo does not show this. Read it "
        "as moved first that night, not as tied for good."
    )


def step_words(edge: Edge) -> str:
    """``5 min``, or ``ticks`` where no grid was used."""
    return minutes(edge.step_s) if edge.step_s else "ticks"


def measured_by(edge: Edge) -> str:
    """What the method measured, in its own unit; empty where it only says yes or no."""
    if not math.isfinite(edge.value):
        return ""
    if edge.method == "lead-lag":
        return f"{edge.value:.0f} s"
    return f"{edge.value:+.2f}" if edge.method == "speed" else f"{edge.value:.2f}"


def q_words(edge: Edge, result: DiffusionResult) -> str:
    """The q-value; of a lag's link at most that, where no draw was as large as the link."""
    said, config = chance(edge.q_value), result.config
    draws = enough_draws(len(result.lead_lags), config, config.n_draws)
    least = edge.method == "lead-lag" and edge.p_value * (draws + 1) <= 1.0 + 1e-9
    return f"≤ {said}" if least and not said.startswith("<") else said


def between(edge: Edge) -> str:
    """The interval, in the unit of :func:`measured_by`; empty where there is none."""
    if not (math.isfinite(edge.lower) and math.isfinite(edge.upper)):
        return ""
    if edge.method == "lead-lag":
        return f"{edge.lower:.0f} to {edge.upper:.0f} s"
    form = "+.2f" if edge.method == "speed" else ".2f"
    return f"{edge.lower:{form}} to {edge.upper:{form}}"


def _led(edges: tuple[Edge, ...], method: Method) -> list[Edge]:
    return [edge for edge in edges if edge.method == method and edge.leader is not None]


def _lag(edge: Edge, result: DiffusionResult) -> Finding:
    ratio = {(row.first, row.second): row.ratio for row in result.lead_lags}
    sides = ratio.get((edge.first, edge.second), math.nan)
    said = f"; lead-lag ratio {sides:.1f}" if math.isfinite(sides) else ""
    return Finding(
        f"{edge.leader} moved before {edge.follower} by {edge.value:.1f} s "
        f"({result.config.level:.0%} interval {edge.lower:.1f} to {edge.upper:.1f} s{said}).",
        edge.status,
    )


def _refusals(edges: list[Edge]) -> list[Finding]:
    """Pairs without a leader by lag, one sentence a reason."""
    held = [edge for edge in edges if edge.leader is None]
    out = []
    for why in dict.fromkeys(edge.reason for edge in held):
        pairs = [edge for edge in held if edge.reason == why]
        count = "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
        names = named([f"{edge.first} and {edge.second}" for edge in pairs], MOST_NAMED)
        out.append(Finding(f"{count} without a leader, {why}: {names}.", pairs[0].status))
    return out


def _method(edges: tuple[Edge, ...], method: Method, result: DiffusionResult) -> list[Finding]:
    """Leaders by one of the other methods, or that there is none."""
    asked = [edge for edge in edges if edge.method == method]
    if not asked:
        return []
    led = _led(edges, method)
    name = method[0].upper() + method[1:]
    if led:
        said = [
            f"{edge.leader} before {edge.follower} ({step_words(edge)}"
            + (f": {measured_by(edge)}, {between(edge)}" if measured_by(edge) else "")
            + ")"
            for edge in led
        ]
        level = f"{result.config.level:.0%}"
        unit = {
            "speed": f"; the market's speed less the probability's, {level} interval",
            "shared trend": f"; the leader's share, {level} interval",
        }.get(method, "")
        text = f"{name}: {named(said, MOST_NAMED)}{unit}."
        if method == "shared trend":
            text = f"{text} {trend_caution(result)}"
        return [Finding(text, Status.OK)]
    reasons = dict.fromkeys(edge.reason for edge in asked if " stamped within " not in edge.reason)
    why = "; ".join(reasons) or "the stamps are too coarse at every step"
    status = next((s for s in FATES if any(edge.status is s for edge in asked)), asked[0].status)
    return [Finding(f"{name}: no leader at any step ({why}).", status)]


def _fair_game(result: DiffusionResult) -> list[Finding]:
    """Whether the contract's quotes depart from a fair game, by their variance ratios."""
    said = []
    for row in result.leadership.martingales:
        if row.status is not Status.OK:
            continue
        size = [abs(r - 1.0) / (1.0 - b) for r, b in zip(row.ratios, row.null_lower, strict=True)]
        k = size.index(max(size))
        said.append(
            f"at {minutes(row.step_s)} {chance(row.p_value, result.config.n_draws, 'p')} "
            f"(variance ratio {row.ratios[k]:.2f} "
            f"over {minutes(row.horizons[k] * row.step_s)}, a fair game's "
            f"{row.null_lower[k]:.2f} to {row.null_upper[k]:.2f})"
        )
    if not said:
        return []
    away = min(r.p_value for r in result.leadership.martingales if r.status is Status.OK)
    verdict = "depart" if away <= 1.0 - result.config.level else "do not depart"
    source = result.leadership.martingales[0].source
    return [Finding(f"{source}'s quotes {verdict} from a fair game: {'; '.join(said)}.", Status.OK)]


def _control(result: DiffusionResult) -> list[Finding]:
    pairs = sum(
        edge.method == "lead-lag" and math.isfinite(edge.q_value)
        for edge in result.leadership.edges
    )
    if pairs < 2:  # noqa: PLR2004
        return []
    rate = f"{1.0 - result.config.level:.0%}"
    return [
        Finding(
            f"{pairs} pairs were tested together: a link counts, and a leader is named, only "
            f"where the share of false links among those found is kept at {rate} (Benjamini and "
            "Hochberg); the other methods at each step likewise.",
            Status.OK,
        )
    ]
