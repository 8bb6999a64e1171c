"""The joint fit's answer put together: states, paths and errors, or NaN and the reason."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.estimators.pricing.gram_charlier import GramCharlierStates
from eventtape.estimators.states.identification import Verdict
from eventtape.estimators.states.joint_kernel import COMMON
from eventtape.estimators.states.joint_problem import Problem
from eventtape.estimators.states.joint_result import JointFit, NoiseFound, Profile
from eventtape.estimators.states.joint_search import Found
from eventtape.estimators.states.option_panel import OptionPanel

__all__ = ["answer", "refusal"]

_YEAR_S = 365.0 * 86_400.0


def refusal(chains: OptionPanel, verdict: Verdict) -> JointFit:
    """NaN throughout, and why."""
    nan, T = math.nan, chains.times.size
    path, none = np.full(T, nan), np.empty(0)
    return JointFit(
        nan, nan, nan, (nan, nan), nan, nan, nan, nan, nan, nan, nan, nan, nan, nan,
        path, path, path, path, path, path, path, path, path, path, path, np.full((4, 4), nan),
        np.full((T, 6, 6), nan), (), nan, nan, 0, NoiseFound(nan, nan, nan),
        Profile(none, none, none), verdict,
    )  # fmt: skip


def answer(
    chains: OptionPanel,
    used: BoolArray,
    whole: Problem,
    found: Found,
    profile: Profile,
    verdict: Verdict,
    zero: tuple[float, float],
    level: float,
) -> JointFit:
    """The result: numbers of the gap and the states only where the verdict stands."""
    del level
    inside = profile.deltas[profile.falls <= profile.critical]
    interval = (float(inside[0]), float(inside[-1]))
    H = np.tril(found.normal)
    H = H + np.tril(H, -1).T
    H[np.diag_indices_from(H)] += 1e-9
    C = np.linalg.inv(H)
    x, T = found.unknown, whole.times.size
    drifts = whole.drift_weight > 0.0
    tau = chains.taus[used]
    paths = _paths(x, C, T, np.exp(whole.data[5]), tau, drifts=drifts)
    misses = np.einsum("tm,mts,sm->", found.misses, found.noise.inverse, found.misses)
    step_s = float(np.median(np.diff(chains.times[used])))
    lasting = NoiseFound(found.noise.scale, found.noise.share, found.noise.memory * step_s)
    local, laws = paths.pop("local"), paths.pop("laws")
    wide = {name: _spread(values, used) for name, values in paths.items()}
    covariance = np.full((used.size, 6, 6), math.nan)
    covariance[used] = local
    stands = verdict.status is Status.OK
    best = float(profile.deltas[int(np.argmin(profile.falls))])
    sd = np.sqrt(np.diag(C)[:COMMON])
    fit = JointFit(
        best, *interval, interval, *zero, float(x[1]), float(sd[1]), float(x[2]), float(sd[2]),
        float(x[3]), float(sd[3]), float(x[4]), float(sd[4]),
        covariance=C[:4, :4], local_covariance=covariance, laws=laws,
        spot_sd=math.sqrt(found.spot_variance / (step_s / _YEAR_S)),
        misfit=math.sqrt(float(misses) / found.misses.size),
        quotes_used=int(np.count_nonzero(whole.data[3])), noise=lasting, profile=profile,
        verdict=verdict, **wide,
    )  # fmt: skip
    if stands:
        return fit
    blank = refusal(chains, verdict)
    kept = ("interval", "zero_fall", "zero_p_value", "spot_sd", "misfit", "quotes_used", "noise")
    return blank._replace(profile=profile, **{name: getattr(fit, name) for name in kept})


def _paths(
    x: FloatArray, C: FloatArray, T: int, F: FloatArray, tau: FloatArray, *, drifts: bool
) -> dict[str, object]:
    """What goes on in time, with errors by the delta method."""
    v, u = x[COMMON : COMMON + T], x[COMMON + T : COMMON + 2 * T]
    drift = x[COMMON + 2 * T :] if drifts else np.zeros(T)
    delta, p = x[0] + drift, ndtr(u)
    phi = np.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    lift = np.exp(delta)
    whole = 1.0 - p + p * lift
    m0 = F / whole
    a, by_x = p * lift / whole, (lift - 1.0) / whole * phi
    local = np.empty((T, 6, 6))
    for t in range(T):
        at = np.array([0, 1, 2, 3, COMMON + t, COMMON + T + t])
        take = np.zeros((6, C.shape[0]))
        take[np.arange(6), at] = 1.0
        if drifts:
            take[0, COMMON + 2 * T + t] = 1.0
        local[t] = take @ C @ take.T
    g1, g0 = np.zeros((T, 6)), np.zeros((T, 6))
    g1[:, 0], g1[:, 5] = 1.0 - a, -by_x
    g0[:, 0], g0[:, 5] = -a, -by_x
    e1 = np.sqrt(np.einsum("ti,tij,tj->t", g1, local, g1))
    e0 = np.sqrt(np.einsum("ti,tij,tj->t", g0, local, g0))
    root = np.sqrt(tau)
    vol_1, vol_0 = np.exp(v + 0.5 * x[1]) / root, np.exp(v - 0.5 * x[1]) / root
    laws = tuple(
        GramCharlierStates(
            np.array([p[t], 1.0 - p[t]]), np.array([m0[t] * lift[t], m0[t]]),
            np.array([vol_1[t], vol_0[t]]), float(x[2]), float(x[3]), float(tau[t]),
        )
        for t in range(T)
    )  # fmt: skip
    return {
        "delta_path": delta,
        "delta_path_error": np.sqrt(local[:, 0, 0]),
        "probability": p,
        "probability_error": phi * np.sqrt(local[:, 5, 5]),
        "vol_1": vol_1,
        "vol_0": vol_0,
        "vol_error": np.sqrt(local[:, 4, 4]),
        "mean_1": m0 * lift,
        "mean_1_error": m0 * lift * e1,
        "mean_0": m0,
        "mean_0_error": m0 * e0,
        "local": local,
        "laws": laws,
    }


def _spread(values: FloatArray, used: BoolArray) -> FloatArray:
    out = np.full(used.size, math.nan)
    out[used] = values
    return out
