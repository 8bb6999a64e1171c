r"""What is each strike worth more under the outcome? Slopes of option prices on the probability.

With f = p f1 + (1 - p) f0 every undiscounted call is C(K) = p C1(K) + (1 - p) C0(K), so::

    dC = (C1 - C0) dp + p dC1 + (1 - p) dC0,    D(K) = C1(K) - C0(K)  the slope of C(K) on p,

in price units, at FIXED strikes: the move of the spot that comes with p is part of what the event
is worth. The forward is the call struck at 0, so D(0) = m1 - m0. The assumption: the other news
(p dC1 + (1 - p) dC0) is uncorrelated with p's moves, once ``controls`` and a time trend (if asked)
are held fixed. Levels are regressed with errors that are a walk and a fading noise
(:mod:`.serial_law`), so that a p quoted with noise and prices that linger are weighed and not
differenced away. D is that of an average time of the sample: where other news has moved the spot
far, C1 and C0 have moved too.

``hold_forward`` adds the forward and half its square to what is held fixed. The slope is then what
p does to the *shape* of the law, free of the spot's other news, and the rest of D, the slope less
this one, is the option's delta times dF/dp.

The event's contract may not quote the probability that prices options: pi = Phi(Phi^-1(p) + wedge).
Slopes are per unit of pi; ``wedge_sd`` widens their intervals by how far D moves with the wedge.
Noise of p makes slopes too small; ``p_error`` corrects by its known variance, ``p_other``, a quote
of another venue, by instrument.

Contraction is against a prior of the width of the sharp bounds (:mod:`.convex_repair`), sd = half
width / sqrt(3). Refused, per instrument: too few rows; p does not move beside the controls; more
noise than signal in p; under ``MIN_EFFECTIVE`` effective rows; contraction under one half.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtrit

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.states.convex_repair import difference_bounds
from eventtape.estimators.states.exposure_inputs import checked, instruments, others_held
from eventtape.estimators.states.exposure_placebo import halves_agree, placebo_share
from eventtape.estimators.states.identification import CONTRACTION, Verdict
from eventtape.estimators.states.slope_fit import Slopes, fit_slopes

__all__ = ["MIN_EFFECTIVE", "MIN_RELIABILITY", "Exposure", "exposure"]

MIN_EFFECTIVE = 5.0
MIN_RELIABILITY = 0.5


class Exposure(NamedTuple):
    """D per instrument ``(m,)`` in price units per unit of pricing probability, and its interval.

    Where ``status`` is not OK the four first are NaN. The forward, where given, is the first
    instrument: the call struck at 0.
    """

    slope: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    status: tuple[Status, ...]
    verdict: Verdict  # of the forward or, without one, of the instrument of the widest prior
    strikes: FloatArray  # NaN where none were given
    price: FloatArray  # at the reference time
    probability: float  # the pricing one, at the reference time
    covariance: FloatArray  # (m, m), NaN beside a refused instrument
    dof: float  # the least of the instruments': effective rows, or rows less regressors
    bound_lower: FloatArray  # of D with no assumption, at the reference time
    bound_upper: FloatArray
    prior_sd: FloatArray
    contraction: FloatArray
    effective_rows: FloatArray
    reliability: FloatArray  # share of p's own variance that is not quoting noise
    noise_ratio: FloatArray  # fading noise over the walk of a typical step, in sd


def exposure(
    times: ArrayLike,
    prices: ArrayLike,
    p: ArrayLike,
    *,
    strikes: ArrayLike | None = None,
    forward: ArrayLike | None = None,
    hold_forward: bool = False,
    controls: ArrayLike | None = None,
    trend: bool = False,
    p_error: ArrayLike = 0.0,
    p_other: ArrayLike | None = None,
    wedge: float = 0.0,
    wedge_sd: float = 0.0,
    prior_sd: ArrayLike | None = None,
    at: int = -1,
    placebos: int = 99,
    seed: int = 0,
    level: float = 0.95,
) -> Exposure:
    """Worth under the outcome less worth without it, per instrument, in price units.

    Parameters
    ----------
    times
        ``(n,)``, rising; any unit.
    prices
        ``(n, m)`` or ``(n,)``, NaN where not seen: undiscounted calls of one expiry at fixed
        strikes, or other prices (then without ``strikes``).
    p
        ``(n,)``, quoted, inside (0, 1); NaN where not seen.
    strikes
        ``(m,)``, rising, positive. They give the bounds and the prior.
    forward
        ``(n,)``. With strikes it becomes the first instrument, or with ``hold_forward`` what
        is held fixed.
    controls
        ``(n, k)`` or ``(n,)``: levels of what else moves prices (an index, log vol, decay).
    trend
        hold a time trend fixed. A p that itself follows a trend is then not seen to move.
    p_error
        sd of the noise of p, one or ``(n,)``, fresh at each row.
    p_other
        ``(n,)``, another quote of p with a noise of its own; it replaces ``p_error``.
    wedge, wedge_sd
        in probits.
    prior_sd
        of D, one or ``(m,)`` beside the forward's; default from the bounds.
    at
        row of the reference time.
    placebos
        block permutations of p's path; 0 for none.

    Raises
    ------
    InputError
        Shapes, order, a p outside (0, 1), a reference row where p is not seen.
    """
    check_level(level)
    t, y, q, other = checked(times, prices, p, p_other)
    K, y, held = instruments(t, y, strikes, forward, hold_forward=hold_forward)
    others = others_held(t, held, controls, trend=trend)
    noise = np.broadcast_to(np.asarray(p_error, np.float64), t.shape)
    for name, size in (("p_error", float(np.min(noise))), ("wedge_sd", wedge_sd)):
        if not 0.0 <= size < math.inf:
            raise InputError(f"a {name} >= 0", met=size)

    def fitted(w: float) -> Slopes:
        u = ndtri(q) + w
        pi = np.asarray(ndtr(u))
        rate = np.exp(0.5 * (ndtri(q) ** 2 - u**2))  # d pi / d p
        z = None if other is None else np.asarray(ndtr(ndtri(other) + w))
        return fit_slopes(t, y, pi, others, p_noise=np.nan_to_num(noise * rate), p_other=z)

    fit = fitted(wedge)
    covariance = fit.covariance.copy()
    if wedge_sd > 0.0:
        turn = 0.5 * (fitted(wedge + wedge_sd).slope - fitted(wedge - wedge_sd).slope)
        covariance = covariance + np.outer(turn, turn)
    pi = np.asarray(ndtr(ndtri(q) + wedge))
    p_ref, price = float(pi[at]), y[at].copy()
    if not math.isfinite(p_ref):
        raise InputError("a reference row where p is seen", met=at, row=at)
    low, high, prior = _bounds(K, price, p_ref, prior_sd, with_forward=y.shape[1] > K.size)
    K = np.r_[0.0, K] if y.shape[1] == K.size + 1 else K
    se = np.sqrt(np.diag(covariance))
    gained = np.maximum(1.0 - se / prior, 0.0)
    status, reasons = _status(fit, gained)
    bad = np.array([s is not Status.OK for s in status])
    half = stdtrit(fit.dof, 0.5 * (1.0 + level)) * se
    slope = np.where(bad, np.nan, fit.slope)
    covariance[bad] = covariance[:, bad] = np.nan
    main = 0 if K.size and K[0] == 0.0 else int(np.nanargmax(np.where(prior > 0.0, prior, 0.0)))
    verdict = Verdict(
        status[main],
        reasons[main],
        float(gained[main]),
        _concentration(fit, prior),
        _prior_shift(float(fit.slope[main]), float(se[main]), float(prior[main])),
        halves_agree(t, y[:, [main]], pi, others),
        placebo_share(t, y, pi, others, count=placebos, seed=seed),
    )
    return Exposure(
        slope, np.where(bad, np.nan, se), slope - half, slope + half, status, verdict,
        K if K.size else np.full(y.shape[1], np.nan), price, p_ref, covariance,
        float(np.nanmin(fit.dof)) if np.isfinite(fit.dof).any() else math.nan,
        low, high, prior, gained, fit.effective_rows, fit.reliability, fit.noise_ratio,
    )  # fmt: skip


def _bounds(
    K: FloatArray,
    price: FloatArray,
    p: float,
    prior_sd: ArrayLike | None,
    *,
    with_forward: bool,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    low, high = np.full(price.size, np.nan), np.full(price.size, np.nan)
    seen = np.isfinite(price)
    if K.size:
        at = np.r_[0.0, K] if with_forward else K
        low[seen], high[seen] = difference_bounds(at[seen], price[seen], p)
        blind = high - low <= 0.0  # a price of nothing: D is nothing
        low[blind], high[blind] = np.nan, np.nan
    prior = (high - low) / math.sqrt(12.0)
    if prior_sd is not None:
        prior = np.broadcast_to(np.asarray(prior_sd, np.float64), price.shape).copy()
        if not np.all(prior > 0.0):
            raise InputError("prior sds above 0", met=prior.tolist())
    return low, high, prior


def _status(fit: Slopes, gained: FloatArray) -> tuple[tuple[Status, ...], list[str]]:
    status, reasons = [], []
    for j in range(fit.slope.size):
        fate, why = Status.OK, ""
        if math.isnan(fit.dof[j]):
            fate, why = Status.TOO_FEW, "fewer than twice as many rows as regressors"
        elif fit.reliability[j] < MIN_RELIABILITY:
            fate = Status.NOT_IDENTIFIED
            why = f"{1.0 - fit.reliability[j]:.0%} of p's moves are its quoting noise"
        elif math.isnan(fit.slope[j]):
            fate = Status.NOT_IDENTIFIED
            why = "p does not move, or once only, beside what is held fixed"
        elif fit.effective_rows[j] < MIN_EFFECTIVE:
            fate = Status.NOT_IDENTIFIED
            why = f"{fit.effective_rows[j]:.1f} effective rows"
        elif gained[j] < CONTRACTION:
            fate, why = Status.NOT_IDENTIFIED, f"contraction {gained[j]:.2f}"
        status.append(fate)
        reasons.append(why)
    return tuple(status), reasons


def _concentration(fit: Slopes, prior: FloatArray) -> float:
    """Smallest eigenvalue of the information on all slopes, in units of the priors."""
    use = np.isfinite(fit.slope) & np.isfinite(prior)
    if not use.any():
        return math.nan
    scaled = fit.covariance[np.ix_(use, use)] / np.outer(prior[use], prior[use])
    worst = float(np.linalg.eigvalsh(scaled)[-1])
    return 1.0 / worst if worst > 0.0 else math.inf


def _prior_shift(slope: float, se: float, prior: float) -> float:
    """How many se a normal prior about zero moves the estimate, twice as wide against half."""
    if not se > 0.0:
        return math.nan
    wide, narrow = (s * s / (s * s + se * se) for s in (2.0 * prior, 0.5 * prior))
    return abs(slope) * (wide - narrow) / se
