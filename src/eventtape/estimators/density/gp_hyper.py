r"""The hyper-parameters of a dense smile: by a rule of thumb, or where the evidence is highest.

minus log evidence has the slope -tr((w w' - C^-1) dC) / 2 in each of log ell, log sf and log kappa,
so the search (L-BFGS-B of scipy, inside six prior deviations) has it exactly, at n^3 a trial.

Reference: Rasmussen and Williams (2006), 5.4.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy.optimize import minimize

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.density.gp_state import gp_log_evidence, made_state, solve
from eventtape.estimators.density.smile_columns import PAD, warped
from eventtape.estimators.density.smile_evidence import PRIORS
from eventtape.estimators.density.smile_kernel import (
    GPHyper,
    kernel_slope,
    rough_part,
    scaled_columns,
)
from eventtape.estimators.density.smile_observations import (
    LAMBDA_MEAN,
    LAMBDA_VARIANCE,
    LEAST_QUOTES,
)

__all__ = ["RULES", "Rule", "chosen_hyper"]

_NEAR = 6  # quotes next to the forward, whose mean volatility is v_0
_WIDE = 2.0  # sd of the logs about the rule of thumb, for plain evidence
RULES = ("evidence", "seed", "plain evidence")

Rule = Literal["evidence", "seed", "plain evidence"]


def chosen_hyper(
    rule: Rule,
    k: FloatArray,
    v: FloatArray,
    z: FloatArray,
    R: FloatArray,
    tau: float,
    reference: float | None,
) -> GPHyper:
    """What a rule holds fixed; ``k`` log-moneyness, the rest as :func:`~.gp_smile.fit_gp_smile`."""
    if rule == "evidence":
        near = v[np.argsort(np.abs(k), kind="stable")[:_NEAR]]
        v0 = float(near.mean()) if reference is None else float(reference)
        u = np.array([warped(float(x)) for x in (k.min() / v0, k.max() / v0)])
        centre, half = float(u.mean()), float(0.5 * (u[1] - u[0])) + PAD
        theta = PRIORS[:, 0].copy()
        start = GPHyper(True, v0, theta, LAMBDA_MEAN, LAMBDA_VARIANCE, centre, half)
        priors = PRIORS
    else:
        v0 = math.sqrt(tau)  # y is the volatility per root of a year
        gaps = np.abs(k[:, None] - k)[np.triu_indices(k.size, 1)]
        ell = float(np.median(gaps)) / v0 if gaps.size else 0.0
        sf = float(np.std((v - z) / v0))
        if not (ell > 0.0 and sf > 0.0):  # one strike, or no smile: left to the status
            ell, sf = max(ell, 1e-12), max(sf, 1e-12)
        theta = np.array([math.log(ell), math.log(sf), 0.0])
        start = GPHyper(False, v0, theta, 1.0, 0.0)
        priors = np.column_stack([theta, np.full(3, _WIDE)])
    if rule == "seed" or k.size < LEAST_QUOTES:
        return start
    found = minimize(
        _miss,
        start.theta,
        args=(priors, start, np.exp(k), v, z, R),
        jac=True,
        method="L-BFGS-B",
        bounds=[(m - 6.0 * s, m + 6.0 * s) for m, s in priors],
        options={"ftol": 1e-14, "gtol": 1e-7},
    )
    return start._replace(theta=np.asarray(found.x, np.float64))


def _miss(
    theta: FloatArray,
    priors: FloatArray,
    start: GPHyper,
    K: FloatArray,
    v: FloatArray,
    z: FloatArray,
    R: FloatArray,
) -> tuple[float, FloatArray]:
    """Minus log posterior of theta, and its slope; the forward is 1."""
    hyper = start._replace(theta=theta)
    state = made_state(1.0, 0.0, 1.0, hyper, K, v, z, R)
    gap = (theta - priors[:, 0]) / priors[:, 1]
    if state.status is not Status.OK:
        return 1e10 * (1.0 + float(gap @ gap)), 2e10 * gap / priors[:, 1]
    U, w = state.factor, state.weights
    inner = solve(U, np.eye(K.size)) - np.outer(w, w)
    u = scaled_columns(hyper, np.log(K)).u
    v0 = hyper.reference
    noise = math.exp(2.0 * theta[2]) / (v0 * v0) * R
    slope = 0.5 * np.array(
        [
            np.sum(inner * kernel_slope(hyper, u)),
            2.0 * np.sum(inner * rough_part(hyper, u[:, None], u)[0]),
            2.0 * np.sum(np.diag(inner) * noise),
        ]
    )
    return -gp_log_evidence(state) + 0.5 * float(gap @ gap), slope + gap / priors[:, 1]
