r"""Two lognormal states behind one density, with their probability held: which two, if any?

At one time, f = p f1 + (1 - p) f0 with f1, f0 lognormal of means m1, m0 and total volatilities
w1, w0, p m1 + (1 - p) m0 = F. The three left are delta = log(m1 / m0), log w1 and log w0, matched

- to the distribution on a grid (``"cdf"``) or to call prices (``"prices"``), by weighted least
  squares from a grid of starts, every minimum kept;
- or to variance, third and fourth central moment of log S (``"moments"``), by the roots of a
  polynomial, which are all the answers there are (:mod:`.two_lognormal_curve`).

This is the comparison to the joint fit over many times, not a substitute. At delta = 0 with equal
widths it is singular, and skewness that both states share is taken for a gap between them. So the
states are fitted a second time with a common skewness and excess kurtosis (Gram-Charlier), of prior
sd ``skew_sd`` and ``kurtosis_sd``, and the interval reaches over every minimum of that fit that the
density admits (p-value above .001). Errors are the delta method's: of the density's coefficients,
of p, and of the priors.

Refused, first reason first: the density is none; the search did not end; a parameter stands at the
end of its range; two lognormals do not fit (``over_identification`` below .01: the weighted sum of
squares against its own law by Satterthwaite's approximation); another minimum is admitted; the
estimate moves by more than half of itself with the shape; contraction under one half of the prior,
a standard deviation of half that of log S. What is refused is NaN; ``solutions`` and ``shaped``
show what was found.

Reference: Bahra (1997), Bank of England working paper 66; Pearson (1894), Phil. Trans. A 185;
Satterthwaite (1946), Biometrics 2.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.density.fit import Density
from eventtape.estimators.pricing.lognormal_mixture import LognormalMixture
from eventtape.estimators.pricing.terminal_law import TerminalLaw
from eventtape.estimators.states.identification import (
    CONTRACTION,
    Verdict,
    contraction,
    no_verdict,
    refused,
)
from eventtape.estimators.states.two_lognormal_curve import Curve, Match, curve_of
from eventtape.estimators.states.two_lognormal_kernel import minima
from eventtape.estimators.states.two_lognormal_solutions import (
    ADMITTED,
    FITS,
    Solution,
    by_moments,
    on_curve,
)

__all__ = ["TwoLognormalPath", "TwoLognormalStates", "two_lognormal", "two_lognormal_path"]

_PRIOR = 0.5  # sd of delta in sd of log S, and of log w1, log w0 around the whole's
_HALF = 0.5  # of the estimate: how far a common shape may move it
_MATCHES = ("moments", "cdf", "prices")


class TwoLognormalStates(NamedTuple):
    """The gap log(m1 / m0), the states, and whether one date's density says so.

    - ``delta``, ``delta_error`` (lognormal states believed in), ``lower``, ``upper`` (a common
      shape allowed).
    - ``mean_1``, ``mean_0`` in price units, ``vol_1``, ``vol_0`` per sqrt(year), with errors.
    - ``solutions``, ``shaped`` ``(k, 8)``: every minimum of the fit without and with a common
      shape, best first: delta, log w1, log w0, skewness, excess kurtosis, the objective (in
      squared errors of the curve), the p-value that it fits, the standard error of delta. They
      stay where the rest is NaN.
    - ``law``: the mixture, None where refused.
    """

    probability: float
    match: Match
    delta: float
    delta_error: float
    lower: float
    upper: float
    mean_1: float
    mean_0: float
    vol_1: float
    vol_0: float
    mean_1_error: float
    mean_0_error: float
    vol_1_error: float
    vol_0_error: float
    solutions: FloatArray
    shaped: FloatArray
    law: LognormalMixture | None
    verdict: Verdict


class TwoLognormalPath(NamedTuple):
    """At each probability ``(n,)``: the best minimum, its objective, and the second best's."""

    delta: FloatArray
    mean_1: FloatArray
    mean_0: FloatArray
    vol_1: FloatArray
    vol_0: FloatArray
    objective: FloatArray
    second_delta: FloatArray
    second_objective: FloatArray


def two_lognormal(
    density: Density | TerminalLaw,
    p: float,
    *,
    match: Match = "cdf",
    p_error: float = 0.0,
    skew_sd: float = 0.3,
    kurtosis_sd: float = 0.5,
    level: float = 0.95,
) -> TwoLognormalStates:
    """Log gap log(m1 / m0) between two lognormal states of one density, and its verdict.

    Parameters
    ----------
    density
        A fitted density, or a law: a law has no errors, and is met where the root mean square
        distance is under 1e-4 (of probability, or of price over forward times sd).
    p, p_error
        Probability of state 1, held, and its standard error.
    match
        What is matched: ``"cdf"``, ``"prices"`` or ``"moments"``.
    skew_sd, kurtosis_sd
        Prior sd of the skewness and excess kurtosis that both states share. A ``skew_sd`` of 0
        believes in lognormal states.
    level
        Of the interval.

    Raises
    ------
    InputError
        A p not between 0 and 1, a negative error or sd, an unknown match.
    """
    check_level(level)
    _check(np.array([p], np.float64), match)
    if not 0.0 <= p_error < math.inf:
        raise InputError("an error of 0 or more", met=p_error, column="p_error")
    if not 0.0 <= skew_sd < math.inf:
        raise InputError("a standard deviation of 0 or more", met=skew_sd, column="skew_sd")
    if not 0.0 < kurtosis_sd < math.inf:
        raise InputError("a standard deviation above 0", met=kurtosis_sd, column="kurtosis_sd")
    none = np.empty((0, 8))
    curve = _curve(density, match)
    if curve is None:
        refusal = no_verdict(Status.NOT_IDENTIFIED, "the density is none")
        return _none(p, match, none, none, refusal)
    found = by_moments(curve, p) if match == "moments" else on_curve(curve, p, np.zeros(2))
    if not found:
        refusal = no_verdict(Status.NOT_IDENTIFIED, "no two lognormals have these moments")
        return _none(p, match, none, none, refusal)
    shapes = np.array([skew_sd, kurtosis_sd])
    shaped = _table(on_curve(curve, p, shapes), p_error) if skew_sd else none
    table = _table(found, p_error)
    z = float(ndtri(0.5 * (1.0 + level)))
    admitted = shaped[shaped[:, 6] >= ADMITTED]
    reach = np.vstack([table[:1], admitted])[:, [0, 7]]
    lower = float(np.min(reach[:, 0] - z * reach[:, 1]))
    upper = float(np.max(reach[:, 0] + z * reach[:, 1]))
    verdict = _verdict(curve, found[0], table, admitted, (upper - lower) / (2.0 * z), p_error)
    if verdict.status is not Status.OK:
        return _none(p, match, table, shaped, verdict)
    answer = _none(p, match, table, shaped, verdict)._replace(
        delta=float(table[0, 0]), delta_error=float(table[0, 7]), lower=lower, upper=upper
    )
    return _states(answer, found[0], density, p_error)


def two_lognormal_path(
    density: Density | TerminalLaw, p: ArrayLike, *, match: Match = "cdf"
) -> TwoLognormalPath:
    """Log gaps at many probabilities ``(n,)`` of one density: point estimates, with no verdict.

    ``match`` is ``"cdf"`` or ``"prices"``. NaN where the search did not end.
    """
    P = np.ascontiguousarray(np.atleast_1d(np.asarray(p, np.float64)))
    _check(P, match)
    if match == "moments":
        raise InputError("a curve to match, cdf or prices", met=match, column="match")
    best, second = np.full((P.size, 7), math.nan), np.full((P.size, 7), math.nan)
    curve = _curve(density, match)
    if curve is not None:
        for t, probability in enumerate(P.tolist()):
            found = minima(*curve.fitted, probability, np.zeros(2), curve.width)
            best[t] = found[0]
            if len(found) > 1:
                second[t] = found[1]
    for rows in (best, second):
        rows[rows[:, 6] != 1.0] = math.nan
    grown = np.exp(best[:, 0])
    mean_0 = density.forward / (1.0 - P + P * grown)
    vols = np.exp(best[:, 1:3]) / math.sqrt(density.tau)
    return TwoLognormalPath(
        best[:, 0], mean_0 * grown, mean_0, vols[:, 0], vols[:, 1], best[:, 5], second[:, 0],
        second[:, 5],
    )  # fmt: skip


def _check(p: FloatArray, match: Match) -> None:
    bad = np.flatnonzero(~((p > 0.0) & (p < 1.0)))
    if bad.size:
        wanted = "a probability between 0 and 1"
        raise InputError(wanted, met=float(p[bad[0]]), row=int(bad[0]) + 1, column="p")
    if match not in _MATCHES:
        raise InputError(f"one of {', '.join(_MATCHES)}", met=match, column="match")


def _curve(density: Density | TerminalLaw, match: Match) -> Curve | None:
    if isinstance(density, Density) and density.status not in (Status.OK, Status.NOT_RESOLVED):
        return None
    return curve_of(density, prices=match == "prices")


def _table(found: list[Solution], p_error: float) -> FloatArray:
    rows = [[*s.x, s.objective, s.fits, s.error(0, p_error)] for s in found]
    return np.array(rows, np.float64).reshape(-1, 8)


def _verdict(
    curve: Curve,
    best: Solution,
    table: FloatArray,
    admitted: FloatArray,
    posterior_sd: float,
    p_error: float,
) -> Verdict:
    delta = float(best.x[0])
    sd = posterior_sd if math.isfinite(posterior_sd) else math.inf
    seen = contraction(sd, _PRIOR * curve.width)
    concentration = _concentration(curve, best, p_error)
    verdict = Verdict(Status.OK, "", seen, concentration, math.nan, best.fits, math.nan)
    if not best.ended:
        return refused(verdict, "the search did not end", Status.NO_CONVERGENCE)
    moved = np.abs(admitted[:, 0] - delta)
    grounds = {
        "a parameter stands at the end of its range": best.at_bound,
        "two lognormals do not fit": not best.fits >= FITS,
        "two solutions fit": bool(np.any(table[1:, 6] >= ADMITTED)),
        "a common shape moves it by more than half of itself": bool(
            np.any(moved > _HALF * abs(delta))
        ),
        "contraction under one half": not seen >= CONTRACTION,
    }
    reason = next((ground for ground, met in grounds.items() if met), "")
    return refused(verdict, reason) if reason else verdict


def _concentration(curve: Curve, best: Solution, p_error: float) -> float:
    """Smallest eigenvalue of the information on x in units of the priors; NaN without errors."""
    shifts = np.column_stack([best.by_law, best.by_p * p_error])[:3]
    scaled = shifts / (_PRIOR * np.array([curve.width, 1.0, 1.0]))[:, None]
    if not np.isfinite(scaled).all():
        return math.nan
    widest = float(np.linalg.norm(scaled, 2))
    return 1.0 / widest**2 if widest > 0.0 else math.nan


def _states(
    answer: TwoLognormalStates, best: Solution, density: Density | TerminalLaw, p_error: float
) -> TwoLognormalStates:
    """The answer with means, volatilities and their errors."""
    p, F, tau = answer.probability, density.forward, density.tau
    forward_error = density.forward_error if isinstance(density, Density) else 0.0
    q, grown = 1.0 - p, math.exp(best.x[0])
    m0 = F / (q + p * grown)
    m1 = m0 * grown
    s1, s0 = (np.exp(best.x[1:3]) / math.sqrt(tau)).tolist()
    by_law = float(np.linalg.norm(best.by_law[0]))
    errors = []
    # Means move with delta, with p while delta is held, and with the forward
    for m, slope in ((m1, q * m1 * m0 / F), (m0, -p * m1 * m0 / F)):
        by_p = slope * float(best.by_p[0]) - m * (m1 - m0) / F
        errors.append(math.hypot(slope * by_law, by_p * p_error, m / F * forward_error))
    return answer._replace(
        mean_1=m1,
        mean_0=m0,
        vol_1=s1,
        vol_0=s0,
        mean_1_error=errors[0],
        mean_0_error=errors[1],
        vol_1_error=s1 * best.error(1, p_error),
        vol_0_error=s0 * best.error(2, p_error),
        law=LognormalMixture(np.array([p, q]), np.array([m1, m0]), np.array([s1, s0]), tau),
    )


def _none(
    p: float, match: Match, solutions: FloatArray, shaped: FloatArray, verdict: Verdict
) -> TwoLognormalStates:
    return TwoLognormalStates(p, match, *(math.nan,) * 12, solutions, shaped, None, verdict)
