r"""Two states of the world from option quotes at many times: how far apart, and how surely.

At time t the price at expiry has the law f = pi_t f1 + (1 - pi_t) f0. Either state is Gram-Charlier
with one skewness and excess kurtosis; common to all times are the gap delta = log(m1 / m0), the log
ratio of the states' vols and the shape; a time has its own vol level v_t and pricing probability::

    pi_t m1_t + (1 - pi_t) m0_t = F_t,      vol_1, vol_0 = exp(v_t +- ratio / 2),
    Phi^-1(pi_t) = Phi^-1(p_t) + wedge + error,     wedge ~ N(0, wedge_sd^2),
    log F_t - log F_{t-1} = change of log(1 - pi + pi e^delta) + other news,
    delta_t = delta + d_t, d_t a random walk of mean zero, where a drift is given.

Only what varies with p tells the states from one another: variance is taken up by v_t, and what
does not vary with p by the shape. delta is then known by how skewness turns with p, whose change
goes as delta^3, so near 0 it is known within a cube root, and its sign last of all. Quotes' errors
may last and bend together (:mod:`.joint_noise`).

The interval is of the profile likelihood (:mod:`.joint_profile`): gaps whose fall, twice that of
the log likelihood, is under the chi-squared quantile with one degree of freedom. Where 0 is not
far beneath (a fall under 25) the score at 0 vanishes and the vol ratio is free there too; then the
fall of the truth is larger, and the quantile of an even mixture of chi-squared with one and two
degrees is used (5.14 at 95%; Self and Liang 1987). Coverage by simulation: docs, states.

Reference: Melick and Thomas (1997), J. Financial and Quantitative Analysis 32, for mixtures; Self
and Liang (1987), J. American Statistical Association 82.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from eventtape.arrays import BoolArray, FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.states.distributed_lag import effective_rows
from eventtape.estimators.states.identification import (
    CONTRACTION,
    Verdict,
    contraction,
    no_verdict,
    refused,
)
from eventtape.estimators.states.joint_answer import answer, refusal
from eventtape.estimators.states.joint_checks import (
    bootstrap_zero,
    concentration,
    halves_agree,
    placebo_share,
    prior_shift,
)
from eventtape.estimators.states.joint_problem import Problem, problem, usable_times
from eventtape.estimators.states.joint_result import JointFit, Profile
from eventtape.estimators.states.joint_search import Found, profile_of, search
from eventtape.estimators.states.option_panel import OptionPanel

__all__ = ["joint_fit"]

LEAST_TIMES = 4
LEAST_MOVES = 1.5  # (sum d^2)^2 / sum d^4 of the probit's moves d: 1 for a single jump
PRIOR_WIDTH = 0.5  # prior sd of the gap, in standard deviations of the log price at expiry
AGREE = 1e-3  # p-value of the halves under which the gap is refused
_P_FLOOR = 5e-4  # of a quoted probability's error


def joint_fit(
    chains: OptionPanel,
    p: ArrayLike,
    *,
    p_error: ArrayLike = 0.0,
    wedge_sd: float = 0.1,
    drift_sd: float = 0.0,
    placebos: int = 0,
    bootstrap: int = 0,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[float], None] | None = None,
) -> JointFit:
    """The gap log(m1 / m0) between the states, its interval, the states, and a verdict.

    Parameters
    ----------
    chains
        Quotes of one expiry at ``(n_times,)`` times (:func:`.option_panel.option_panel`).
    p, p_error
        Quoted probability of the outcome at those times, NaN where unseen, and the sd of its
        error; one number or ``(n_times,)``.
    wedge_sd
        How far the pricing probability may stand from the quoted one for good, in probits.
    drift_sd
        Sd of the gap's own step from one time to the next; 0 holds it still.
    placebos, bootstrap
        How many block-permuted paths of p to fit, and how many chains without a gap to draw, for
        the verdict's placebo share and for ``zero_p_value``; 0 leaves them out.
    progress
        Called with the share done, 0 to 1.

    Raises
    ------
    InputError
        p not one a time or outside [0, 1], a negative sd or count, a level outside (0, 1).
    """
    check_level(level)
    probability, error = _checked(chains, p, p_error)
    for name, sd in (("wedge_sd", wedge_sd), ("drift_sd", drift_sd)):
        if not 0.0 <= sd < math.inf:
            raise InputError(f"a {name} of 0 or more", met=sd)
    if min(placebos, bootstrap) < 0:
        raise InputError("counts of 0 or more", met=(placebos, bootstrap))
    used, widths = usable_times(chains, probability)
    if np.count_nonzero(used) < LEAST_TIMES:
        n = int(np.count_nonzero(used))
        reason = f"{n} times with a probability and a dozen quotes, {LEAST_TIMES} needed"
        return refusal(chains, no_verdict(Status.TOO_FEW, reason))
    told = _take(chains, used)
    whole = problem(
        told, probability[used], error[used], widths[used],
        wedge_sd=max(wedge_sd, 1e-6), drift_sd=drift_sd,
    )  # fmt: skip
    probit, weight = whole.data[7], whole.data[8]
    if np.ptp(probit) < 4.0 / math.sqrt(float(np.median(weight))):
        reason = "the probability does not move beyond its own error"
        return refusal(chains, no_verdict(Status.NOT_IDENTIFIED, reason))
    if effective_rows(np.diff(probit)) < LEAST_MOVES:
        reason = "the probability moves all at once: its states and other news cannot be told apart"
        return refusal(chains, no_verdict(Status.NOT_IDENTIFIED, reason))
    say = progress or _silent
    found = search(whole)
    say(0.2)
    profile, found = profile_of(whole, found, level)
    say(0.5)
    verdict = _verdict(whole, found, profile, level)
    if placebos:
        share = placebo_share(
            whole, found, probability[used], placebos, seed=seed, done=lambda x: say(0.5 + 0.25 * x)
        )
        verdict = verdict._replace(placebo=share)
    zero = profile.zero_fall
    if bootstrap:
        zero_p = bootstrap_zero(
            whole, found, zero, bootstrap, seed=seed, done=lambda x: say(0.75 + 0.25 * x)
        )
    else:
        zero_p = float(0.5 * (chi2.sf(zero, 1) + chi2.sf(zero, 2)))
    say(1.0)
    return answer(chains, used, whole, found, profile, verdict, (zero, zero_p), level)


def _silent(_: float) -> None:
    """Nothing is said of the work done."""


def _checked(
    chains: OptionPanel, p: ArrayLike, p_error: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    T = chains.times.size
    probability = np.asarray(p, np.float64)
    if probability.shape != (T,):
        raise InputError(f"a probability a time, ({T},)", met=probability.shape, column="p")
    outside = np.flatnonzero((probability < 0.0) | (probability > 1.0))
    if outside.size:
        i = int(outside[0])
        raise InputError("0 to 1", met=float(probability[i]), row=i + 1, column="p")
    error = np.broadcast_to(np.asarray(p_error, np.float64), (T,))
    if not np.all((error >= 0.0) & np.isfinite(error)):
        raise InputError("errors of 0 or more", met=error.min(), column="p_error")
    return probability, np.hypot(error, _P_FLOOR)


def _take(chains: OptionPanel, used: BoolArray) -> OptionPanel:
    at = np.flatnonzero(used)
    return chains._replace(
        times=chains.times[at],
        taus=chains.taus[at],
        forwards=chains.forwards[at],
        calls=chains.calls[at],
        errors=chains.errors[at],
    )


def _verdict(whole: Problem, found: Found, profile: Profile, level: float) -> Verdict:
    low, high = profile.interval
    prior, sd = PRIOR_WIDTH * whole.width, profile.sd(level)
    told = contraction(sd, prior)
    agree = halves_agree(whole, found, profile)
    verdict = Verdict(
        Status.OK, "", told, concentration(whole, found, prior), prior_shift(whole, found, sd),
        agree, math.nan,
    )  # fmt: skip
    at_end = low <= profile.deltas[0] or high >= profile.deltas[-1]
    if at_end or told < CONTRACTION:
        reason = f"the quotes leave a gap of {100 * low:+.1f}% to {100 * high:+.1f}% open"
        return refused(verdict, reason)
    if agree < AGREE:
        reason = "the first half of the times and the second do not agree on one gap"
        return refused(verdict, reason)
    return verdict
