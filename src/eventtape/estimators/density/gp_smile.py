r"""The smile as a dense Gaussian process: what the reduced-rank path is measured against.

Each quote gives a total volatility v_i at k_i = log(K_i / F) with variance R_i, and a lean z_i (mid
less microprice, in volatility; :mod:`.smile_observations`). With the prior of
:mod:`.smile_kernel`, the weights w and the covariance C of :mod:`.gp_state`, (v, v', v'') at any
strike is normal with::

    mean = B w,      covariance = P - B X - X' (B' - C X),      X = C^-1 B',

B and P the prior's covariances with the quotes and of the point itself; the last term is 0 but for
rounding, and makes that of X count twice over. Nothing is left out, at n^3 / 3 a fit.

Three ways to hyper-parameters (:mod:`.gp_hyper`):

- ``evidence``: the house's prior; length, size and noise maximise evidence times the priors of
  :data:`.smile_evidence.PRIORS`;
- ``seed``: the plain prior with ell = median \|k_i - k_j\|, sf^2 = Var(y), kappa = 1, y the
  volatility at the microprice: a rule of thumb whose wings fall to nothing;
- ``plain evidence``: the plain prior, evidence times log-normal priors two wide about that rule.

Density, distribution and errors are those of :mod:`.breeden_litzenberger`, whose g is used. Units:
total volatilities; variances in their square. References: Rasmussen and Williams (2006), Gaussian
Processes for Machine Learning, ch. 2 and 9.4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import law_of_smile
from eventtape.estimators.density.gp_hyper import RULES, Rule, chosen_hyper
from eventtape.estimators.density.gp_state import GPSmile, gp_log_evidence, made_state, solve
from eventtape.estimators.density.smile_kernel import (
    GPHyper,
    prior_at,
    prior_between,
    scaled_columns,
)

__all__ = [
    "GPHyper",
    "GPLaw",
    "GPSmile",
    "fit_gp_smile",
    "gp_law",
    "gp_log_evidence",
    "gp_smile_at",
]


class GPLaw(NamedTuple):
    """Total volatility, density per unit of strike, distribution; and their errors, ``(m,)``."""

    total_vol: FloatArray
    pdf: FloatArray
    cdf: FloatArray
    total_vol_error: FloatArray
    pdf_error: FloatArray
    cdf_error: FloatArray
    status: Status


def fit_gp_smile(
    strikes: ArrayLike,
    total_vols: ArrayLike,
    variances: ArrayLike,
    *,
    forward: float,
    tau: float,
    leans: ArrayLike | None = None,
    forward_error: float = 0.0,
    reference: float | None = None,
    hyper: Rule | GPHyper = "evidence",
) -> GPSmile:
    """The dense smile through quotes of one expiry, with its factor; NaN and a status without one.

    Parameters
    ----------
    strikes
        ``(n,)``, above 0, in any order; a strike may come twice.
    total_vols, variances
        v = sigma sqrt(tau) and the variance of each, ``(n,)``, above 0.
    forward, tau, forward_error
        Price at which k = 0, years, and the forward's standard error (it enters the law only).
    leans
        ``(n,)`` mid less microprice in total volatility; none: the mids are the values.
    reference
        v_0 of the house's prior; without one the mean v of the six quotes next to the forward.
    hyper
        ``"evidence"``, ``"seed"``, ``"plain evidence"`` (see the file), or what to hold.

    Raises
    ------
    InputError
        Arrays not of one shape ``(n,)``, n >= 1; a value not finite or, but for leans and the
        forward's error, not above 0.
    """
    K = _positive("strikes", strikes)
    v, R = _positive("total_vols", total_vols), _positive("variances", variances)
    z = np.zeros(K.size) if leans is None else _finite("leans", leans)
    if not K.size == v.size == R.size == z.size or K.size == 0:
        raise InputError("arrays of one shape (n,)", met=(K.size, v.size, R.size, z.size))
    scalars = {"forward": forward, "tau": tau, "reference": 1.0 if reference is None else reference}
    for name, value in scalars.items():
        if not 0.0 < value < math.inf:
            raise InputError("a finite value above 0", met=value, column=name)
    if not 0.0 <= forward_error < math.inf:
        raise InputError("a finite value of 0 or more", met=forward_error, column="forward_error")
    if not isinstance(hyper, GPHyper):
        if hyper not in RULES:
            raise InputError(f"hyper of {RULES} or a GPHyper", met=hyper)
        k = np.log(K) - math.log(forward)
        hyper = chosen_hyper(hyper, k, v, z, R, float(tau), reference)
    return made_state(float(forward), float(forward_error), float(tau), hyper, K, v, z, R)


def gp_smile_at(state: GPSmile, log_moneyness: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(v, v', v'') in k = log(K / F), ``(3, m)``, and their covariance ``(m, 3, 3)``; total vol.

    NaN where the state's status is not ``OK``.
    """
    k = _finite("log_moneyness", log_moneyness)
    if state.status is not Status.OK:
        return np.full((3, k.size), math.nan), np.full((k.size, 3, 3), math.nan)
    hyper = state.hyper
    points = scaled_columns(hyper, k)
    quotes = scaled_columns(hyper, np.log(state.strikes) - math.log(state.forward))
    B = prior_between(hyper, points, quotes)
    mean = B @ state.weights
    mean[0] += hyper.base
    n = state.weights.size
    across = B.reshape(-1, n).T
    X = solve(state.factor, across)
    left = across - state.covariance @ X
    X, left = (part.reshape(n, 3, -1).transpose(2, 0, 1) for part in (X, left))
    cov = prior_at(hyper, points) - B.transpose(1, 0, 2) @ X - X.transpose(0, 2, 1) @ left
    cov = 0.5 * (cov + cov.transpose(0, 2, 1))
    v0 = hyper.reference
    units = np.array([v0, 1.0, 1.0 / v0])
    return mean * units[:, None], cov * (units[:, None] * units)


def gp_law(state: GPSmile, strikes: ArrayLike) -> GPLaw:
    """Density and distribution of the price at ``strikes`` ``(m,)``, with standard errors.

    Nothing is clipped; NaN where v <= 0 or the state's status is not ``OK``.
    """
    K = _positive("strikes", strikes)
    F, e = state.forward, state.forward_error / state.forward
    smile, cov = gp_smile_at(state, np.log(K / F))
    law = _law(K, F, smile)
    dq, dQ = _slopes(K, F, smile)
    errors = np.sqrt([_quadratic(slope, cov) for slope in (np.eye(3)[:, :1], dq, dQ)])
    if e > 0.0:
        h = 1e-4 * state.hyper.reference
        moved = [
            _law(K * (1.0 + s), F, gp_smile_at(state, np.log(K * (1.0 + s) / F))[0])[1]
            for s in (-h, h)
        ]
        by_forward = law[1] + (moved[1] - moved[0]) / (2.0 * h)
        errors = np.hypot(errors, e * np.array([smile[1], by_forward, law[1] * K]))
    errors[:, ~(law[0] > 0.0)] = math.nan
    return GPLaw(law[0], law[1], law[2], errors[0], errors[1], errors[2], state.status)


def _law(K: FloatArray, forward: float, smile: FloatArray) -> FloatArray:
    law = np.empty((3, K.size))
    law_of_smile(K, np.log(K / forward), 1.0, np.ascontiguousarray(smile), law)
    return law


def _slopes(K: FloatArray, forward: float, smile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Derivatives of density and distribution by (v, v', v''), ``(3, m)`` each."""
    v, v1, v2 = smile
    k = np.log(K / forward)
    with np.errstate(invalid="ignore", divide="ignore"):
        d2 = -k / v - 0.5 * v
        phi = np.exp(-0.5 * d2 * d2) / math.sqrt(2.0 * math.pi)
        turn = k / (v * v) - 0.5  # of d2 in v
        skew = 1.0 - k * v1 / v
        g = skew * skew - 0.25 * v * v * v1 * v1 + v * v2
        g_v = 2.0 * skew * k * v1 / (v * v) - 0.5 * v * v1 * v1 + v2
        head = phi / (K * v)
        dq = [head * (g_v - g * d2 * turn - g / v), head * (-2.0 * skew * k / v - 0.5 * v * v * v1)]
        dQ = [-phi * (turn + d2 * turn * v1), phi, np.zeros_like(phi)]
    return np.array([*dq, phi / K]), np.array(dQ)


def _quadratic(slope: FloatArray, cov: FloatArray) -> FloatArray:
    rows = np.broadcast_to(slope, (3, cov.shape[0]))
    return np.asarray(np.maximum(np.einsum("am,mab,bm->m", rows, cov, rows), 0.0))


def _finite(name: str, values: ArrayLike) -> FloatArray:
    try:
        x = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise InputError("an array of numbers", met=type(values).__name__, column=name) from None
    if x.ndim != 1:
        raise InputError("an array of shape (n,)", met=x.shape, column=name)
    bad = np.flatnonzero(~np.isfinite(x))
    if bad.size:
        raise InputError("a finite value", met=float(x[bad[0]]), row=int(bad[0]) + 1, column=name)
    return x


def _positive(name: str, values: ArrayLike) -> FloatArray:
    x = _finite(name, values)
    bad = np.flatnonzero(x <= 0.0)
    if bad.size:
        raise InputError("a value above 0", met=float(x[bad[0]]), row=int(bad[0]) + 1, column=name)
    return x
