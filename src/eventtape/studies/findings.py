"""What the study found, in plain sentences made from its numbers: each with interval and status."""

from __future__ import annotations

import math

import numpy as np

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.studies.diffusion_rows import DiffusionResult, GapRow, Score
from eventtape.studies.leadership_findings import leader_findings
from eventtape.studies.words import Finding, minutes, percent, span
from eventtape.tape import times_ns

__all__ = ["Finding", "findings", "minutes", "percent", "span"]


WORDS = {
    Status.NOT_IDENTIFIED: "the data do not identify one",
    Status.NOT_RESOLVED: "the stamps are too coarse",
    Status.TOO_FEW: "too few observations",
    Status.NO_CONVERGENCE: "the search did not converge",
}


def findings(result: DiffusionResult) -> tuple[Finding, ...]:
    """The study's sentences, most important first."""
    headline = [row for row in result.gaps if row.horizon_s == result.config.headline_s]
    out = [_probability(result)]
    out += [_gap(row, result) for row in headline]
    out += [f for f in (_short_horizon(result), _how_many(result)) if f is not None]
    out += leader_findings(result)
    out += [_score(row, result) for row in result.scores if row.sample == "out"]
    return tuple(out)


def _probability(result: DiffusionResult) -> Finding:
    series = result.probabilities[0]
    p, ts = series.frame["probability"].to_numpy(), times_ns(series.frame)
    text = (
        f"{series.label} moved from {p[0]:.3f} to {p[-1]:.3f} between "
        f"{format_ns(int(ts[0]), seconds=False)} and {format_ns(int(ts[-1]), seconds=False)}"
    )
    if series.status is not Status.OK:
        return Finding(f"{text}; its noise could not be told from its news.", series.status)
    regime = series.frame["regime"]
    shocks = int((regime == "shock").sum())
    z = series.frame["z"].fill_null(0.0).to_numpy()
    at = int(np.argmax(np.abs(z)))
    move = p[at] - p[max(at - 1, 0)]
    text += (
        f"; {shocks} of {series.frame.height} quotes were shocks (|z| > 2; 4.6% would be by "
        f"chance), the largest at {format_ns(int(ts[at]), seconds=False)} ({move:+.3f})."
    )
    return Finding(text, Status.OK)


def _gap(row: GapRow, result: DiffusionResult) -> Finding:
    e, level = row.estimate, f"{result.config.level:.0%}"
    horizon = minutes(row.horizon_s)
    if row.status is not Status.OK:
        return Finding(
            f"{row.market}: no gap at {horizon}, {WORDS[row.status]}.",
            row.status,
        )
    verdict = (
        "the interval includes zero, so these data do not show that the event moved it"
        if e.lower <= 0.0 <= e.upper
        else f"the interval excludes zero: worth {'more' if e.gap > 0.0 else 'less'} if "
        f"{result.event.outcome}"
    )
    text = (
        f"{row.market}: {percent(e.gap)} per unit of probability at {horizon} "
        f"({level} interval {span(e.lower, e.upper)}); {verdict}."
    )
    others = [
        (minutes(other.horizon_s), other.estimate)
        for other in result.gaps
        if other.market == row.market
        and other.horizon_s != row.horizon_s
        and other.status is Status.OK
    ]
    away = [f"{at} ({percent(o.gap)})" for at, o in others if not o.lower <= 0.0 <= o.upper]
    across = [f"{at} ({percent(o.gap)})" for at, o in others if o.lower <= 0.0 <= o.upper]
    if away:
        text += f" Also away from zero at {', '.join(away)}."
    if across:
        text += (
            f" {'Nor' if e.lower <= 0.0 <= e.upper and not away else 'Not'} at {', '.join(across)}."
        )
    note = next((i.note for i in result.inputs if i.label == row.market), "")
    if note:
        text += f" Mind the data: {note}."
    return Finding(text, row.status)


def _short_horizon(result: DiffusionResult) -> Finding | None:
    blind = sorted(
        {(g.horizon_s, g.market) for g in result.gaps if g.status is Status.NOT_RESOLVED}
    )
    if not blind:
        return None
    names = "; ".join(
        f"{minutes(h)} ({', '.join(m for k, m in blind if k == h)})"
        for h in sorted({h for h, _ in blind})
    )
    return Finding(
        f"No gap is given at a horizon no longer than the stamps' own uncertainty: {names}.",
        Status.NOT_RESOLVED,
    )


def _how_many(result: DiffusionResult) -> Finding | None:
    asked = sum(row.status is Status.OK for row in result.gaps)
    if asked < 2:  # noqa: PLR2004
        return None
    chance = (1.0 - result.config.level) * asked
    return Finding(
        f"{asked} gaps are given, each with its own {result.config.level:.0%} interval: about "
        f"{chance:.1f} would exclude zero if no market cared. They overlap: they are fewer looks "
        "than that.",
        Status.OK,
    )


def _score(row: Score, result: DiffusionResult) -> Finding:
    window = f"{format_ns(row.from_ns, seconds=False)} to {format_ns(row.to_ns, seconds=False)}"
    if row.status is not Status.OK:
        why = f"{WORDS[row.status]} before it"
        if math.isnan(row.realised):
            why = "the market was not seen over half of it"
        return Finding(f"{row.market}: no prediction for {window}, {why}.", row.status)
    inside = "inside" if row.lower <= row.realised <= row.upper else "OUTSIDE"
    return Finding(
        f"{row.market}, {window}: predicted {percent(row.predicted)} from the data before it "
        f"({result.config.level:.0%} interval {span(row.lower, row.upper)}), realised "
        f"{percent(row.realised)}, {inside} the interval.",
        row.status,
    )
