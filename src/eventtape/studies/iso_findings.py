"""What the study of sweeps and leadership found, in a sentence."""

from __future__ import annotations

import math

from eventtape.studies.iso_leadership_rows import IsoLeadership
from eventtape.studies.words import Finding

__all__ = ["finding"]


def finding(result: IsoLeadership) -> Finding:
    """The effect of one standard deviation more sweeps, or why there is no answer."""
    if math.isnan(result.per_sd):
        none = ""
        if result.n_rows == 0:
            members = result.config.min_members
            none = f"; no window has a next one with a score, which takes {members} quoted symbols"
        return Finding(f"No answer: {result.reason}{none}.", result.status)
    way = "lower" if result.per_sd < 0.0 else "higher"
    told = (
        "A window with one standard deviation more sweeps "
        f"({100.0 * result.share_sd:.1f} points of share) is followed by a score "
        f"{abs(result.per_sd):.4f} {way}"
    )
    lower, upper = (result.share_sd * end for end in (result.effect.lower, result.effect.upper))
    if math.isnan(lower):
        told += f", without an interval: {result.reason}"
    else:
        holds = ", zero within" if lower <= 0.0 <= upper else ""
        level = 100.0 * result.config.level
        told += f" ({level:g}% interval {lower:+.4f} to {upper:+.4f}{holds})"
    if result.n_shifts:
        told += f"; the placebo says p = {result.placebo_p:.3f}"
    return Finding(f"{told}.", result.status)
