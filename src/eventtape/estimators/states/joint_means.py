"""What is the market worth on average in each state at one time, by the joint fit, and how surely?

Near no gap the fit's likelihood is no parabola, and a mean's standard error is too small there. So
a mean's interval is never narrower than the one that the profile's gaps make of it: the forward
F = p m1 + (1 - p) m0 and a gap d give m0 = F / (1 - p + p e^d) and m1 = m0 e^d.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import ndtri

from eventtape.estimators.states.joint_result import JointFit

__all__ = ["SHAPES_KNOWN", "StateMean", "state_means"]

SHAPES_KNOWN = 25.0
"""A :attr:`~.joint_result.JointFit.zero_fall` from which the states' shapes are known, not only
their gap: under it, too few intervals of volatilities hold the truth."""


class StateMean(NamedTuple):
    """A mean price given one state, and the ends of its interval."""

    value: float
    lower: float
    upper: float


def state_means(fit: JointFit, at: int, level: float) -> tuple[StateMean, StateMean]:
    """Mean prices if the outcome happens and if it does not, at time ``at`` of the fit's."""
    z = float(ndtri(0.5 + 0.5 * level))
    p, delta = float(fit.probability[at]), float(fit.delta_path[at])
    forward = p * float(fit.mean_1[at]) + (1.0 - p) * float(fit.mean_0[at])
    gaps = [delta + end - fit.delta for end in (fit.lower, fit.delta, fit.upper)]
    without = [forward / (1.0 - p + p * math.exp(d)) for d in gaps]
    given = [m * math.exp(d) for m, d in zip(without, gaps, strict=True)]
    return (
        _mean(given, z * float(fit.mean_1_error[at])),
        _mean(without, z * float(fit.mean_0_error[at])),
    )


def _mean(by_gap: list[float], half: float) -> StateMean:
    low, middle, high = sorted(by_gap)
    return StateMean(middle, min(low, middle - half), max(high, middle + half))
