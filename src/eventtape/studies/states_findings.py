"""What the study of states found, in plain sentences: each number with interval and assumption."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.studies.densities_findings import price
from eventtape.studies.states_rows import (
    BOUNDS,
    EXPOSURE,
    JOINT,
    Estimate,
    Rung,
    Score,
    StatesResult,
    StatesRow,
)
from eventtape.studies.words import Finding, percent, span

__all__ = ["estimate_words", "findings", "price_words", "row_findings", "verdict_words"]


def findings(result: StatesResult) -> tuple[Finding, ...]:
    """The study's sentences, row by row."""
    out: list[Finding] = []
    for row in result.rows:
        label = result.label(row)
        out += [Finding(f"{label}: {f.text}", f.status) for f in row_findings(row, result)]
    return tuple(out)


def row_findings(row: StatesRow, result: StatesResult) -> tuple[Finding, ...]:
    """The sentences of one underlying and expiry: the verdict first."""
    out = [verdict_words(row, result)]
    if row.at is None:
        return tuple(out)
    out += [_bounds(row.rung(BOUNDS))]
    out += [_rung(r) for r in row.rungs if r.name != BOUNDS]
    out += [
        f for f in (_states(row), _vols(row, result), _turn(row), _agree(row), _hedge(row)) if f
    ]
    out += _scores(row)
    if row.truth is not None:
        out.append(_truth(row))
    return tuple(out)


def verdict_words(row: StatesRow, result: StatesResult) -> Finding:
    """What may be said of the gap, by the first of joint fit and exposure that stands."""
    at = row.at
    if at is None:
        return Finding(f"no rung has an answer: {row.reason or row.status}.", row.status)
    when = format_ns(at.at_ns, seconds=False)
    event = f"“{result.event}”"
    stands = [row.rung(n) for n in (JOINT, EXPOSURE) if row.rung(n).status is Status.OK]
    if not stands:
        why = row.rung(JOINT).reason or str(row.rung(JOINT).status)
        text = f"as of {when} the gap between {event} and its opposite is not identified ({why})"
        return Finding(f"{text}; only the bounds stand.", row.rung(JOINT).status)
    rung = stands[0]
    low, high = rung.gap.lower, rung.gap.upper
    said = f"{percent(rung.gap.value)} ({span(low, high)})"
    if low <= 0.0 <= high:
        text = f"as of {when} no gap between {event} and its opposite can be claimed: {said}"
    else:
        side = "above" if low > 0.0 else "below"
        text = f"as of {when} the price under {event} stands {side} that under its opposite: {said}"
    return Finding(f"{text}, by the {rung.name}, where {rung.assumption}.", Status.OK)


def estimate_words(estimate: Estimate) -> str:
    """A gap with its interval, an interval alone, or a dash."""
    if not estimate.known:
        return "—"
    between = span(estimate.lower, estimate.upper)
    if not math.isfinite(estimate.value):
        return between
    return f"{percent(estimate.value)} ({between})"


def price_words(estimate: Estimate) -> str:
    """A price with its interval, an interval alone, or a dash."""
    if not estimate.known:
        return "—"
    half = 0.5 * (estimate.upper - estimate.lower)
    low, high = price(estimate.lower, half), price(estimate.upper, half)
    if not math.isfinite(estimate.value):
        return f"{low} to {high}"
    return f"{price(estimate.value, half)} ({low} to {high})"


def _bounds(rung: Rung) -> Finding:
    if not rung.gap.known:
        return Finding(f"no bounds: {rung.reason or rung.status}.", rung.status)
    text = f"with no assumption the gap lies between {span(rung.gap.lower, rung.gap.upper)}"
    text = text.replace(" to ", " and ")
    extra = f" ({rung.reason})" if rung.reason else ""
    means = f"the mean if it happens between {price_words(rung.mean_1).replace(' to ', ' and ')}"
    return Finding(f"{text}, {means}{extra}.", rung.status)


def _rung(rung: Rung) -> Finding:
    if rung.status is not Status.OK:
        return Finding(f"{rung.name}: {rung.reason or rung.status}.", rung.status)
    zero = "; zero is inside" if rung.gap.lower <= 0.0 <= rung.gap.upper else ""
    share = math.nan if rung.verdict is None else rung.verdict.placebo
    shuffled = ""
    if math.isfinite(share):
        shuffled = f"; {share:.0%} of shuffled probabilities fit as well"
    text = f"{rung.name}, assuming {rung.assumption}: gap {estimate_words(rung.gap)}"
    return Finding(f"{text}{zero}{shuffled}.", Status.OK)


def _standing(row: StatesRow) -> Rung | None:
    return next((row.rung(n) for n in (JOINT, EXPOSURE) if row.rung(n).status is Status.OK), None)


def _states(row: StatesRow) -> Finding | None:
    rung = _standing(row)
    if rung is None or not rung.mean_1.known:
        return None
    text = (
        f"by the {rung.name} the price at expiry averages {price_words(rung.mean_1)} if it "
        f"happens and {price_words(rung.mean_0)} if not"
    )
    return Finding(f"{text}.", Status.OK)


def _vols(row: StatesRow, result: StatesResult) -> Finding | None:
    if row.joint is None or row.rung(JOINT).status is not Status.OK:
        return None
    if not row.rung(JOINT).vol_1.known:
        text = "no volatility of either state: the likelihood of no gap is too near"
        return Finding(f"{text}.", Status.NOT_RESOLVED)
    half = float(ndtri(0.5 + 0.5 * result.config.level)) * row.joint.log_vol_ratio_error
    ratio = row.joint.log_vol_ratio
    low, high = np.exp([ratio - half, ratio + half]).tolist()
    said = f"volatility if it happens is {math.exp(ratio):.2f} ({low:.2f} to {high:.2f}) of if not"
    if low <= 1.0 <= high:
        return Finding(f"no difference in volatility can be claimed: {said}.", Status.OK)
    return Finding(f"the states differ in volatility: {said}.", Status.OK)


def _turn(row: StatesRow) -> Finding | None:
    """What the joint fit rests on: how far skewness turned, whoever turned it."""
    if row.joint is None or row.rung(JOINT).status is not Status.OK:
        return None
    turn = row.joint.skewness_turn
    if not math.isfinite(turn):
        return None
    text = (
        f"the joint fit rests on the skewness turning by {turn:+.3f} as the probability went from "
        "its least to its most: a turn of that size from anything else would read the same"
    )
    return Finding(f"{text}.", Status.OK)


def _agree(row: StatesRow) -> Finding | None:
    """Whether the estimate contradicts a rung that assumes less."""
    rung, bounds = row.rung(JOINT), row.rung(BOUNDS)
    if rung.status is not Status.OK or not bounds.gap.known:
        return None
    against = []
    if rung.gap.lower > bounds.gap.upper or rung.gap.upper < bounds.gap.lower:
        against.append(BOUNDS)
    other = row.rung(EXPOSURE)
    if other.status is Status.OK and (
        rung.gap.lower > other.gap.upper or rung.gap.upper < other.gap.lower
    ):
        against.append(EXPOSURE)
    if not against:
        return None
    text = f"the joint fit contradicts the {' and the '.join(against)}, which assume less"
    return Finding(f"{text}: its assumption is doubtful.", Status.NOT_RESOLVED)


def _hedge(row: StatesRow) -> Finding | None:
    if row.hedge is None:
        return None
    h = row.hedge.hedge
    lower, upper = h.wanted_lower, h.wanted_upper
    if h.status is not Status.OK:
        ends = f"between {_count(lower, '+')} and {_count(upper, '+')} contracts of payout 1"
        return Finding(f"hedge of one unit: {ends}, by the bounds: not determined.", h.status)
    n = float(h.contracts[0])
    verb = "buy" if n > 0.0 else "sell"
    text = (
        f"hedge of one unit: {verb} {_count(abs(n))} contracts of payout 1 at "
        f"{row.hedge.bid:.3f} / {row.hedge.ask:.3f} "
        f"({_count(lower, '+')} to {_count(upper, '+')}), "
        f"which takes out {h.explained:.0%} of the event's variance and costs {_count(h.cost)}"
    )
    none = "; zero is inside, so a hedge is not called for" if lower <= 0.0 <= upper else ""
    return Finding(f"{text}; by the {row.hedge.rung}{none}.", Status.OK)


def _count(value: float, sign: str = "") -> str:
    """Three digits and no exponent: ``2,230``, ``-7.56``."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:{sign},g}"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):{sign},.{max(digits, 0)}f}"


def _scores(row: StatesRow) -> list[Finding]:
    """What each rung said and what came; why a rung was refused is said once, before."""
    mute = [s for s in row.scores if s.inside is None and row.rung(s.rung).status is not Status.OK]
    out = [_score(score, row) for score in row.scores if score not in mute]
    if mute:
        names = ", ".join(score.rung for score in mute)
        out.append(Finding(f"refused, so nothing was predicted: {names}.", mute[0].status))
    return out


def _score(score: Score, row: StatesRow) -> Finding:
    assert row.realised is not None
    came = "happened" if row.realised.happened else "did not happen"
    if score.inside is None:
        text = f"it {came}: {score.rung} had predicted nothing ({score.reason})"
        return Finding(f"{text}.", score.status)
    number = percent(score.predicted) if math.isfinite(score.predicted) else ""
    between = span(score.lower, score.upper)
    said = f"{number} ({between})" if number else between
    fate = "inside" if score.inside else "outside"
    text = f"it {came}: {score.rung} said {said}, the price moved {percent(score.realised)}"
    return Finding(f"{text}: {fate}.", score.status)


def _truth(row: StatesRow) -> Finding:
    assert row.truth is not None
    gap = float(np.mean(row.truth.gap[row.fitted])) if row.fitted.size else math.nan
    inside = [
        f"{r.name} {'yes' if r.gap.lower <= gap <= r.gap.upper else 'no'}"
        for r in row.rungs
        if r.gap.known
    ]
    text = f"the truth is {percent(gap)}; inside the interval of: {', '.join(inside) or 'none'}"
    return Finding(f"{text} (simulated).", Status.OK)
